"""One login on a real API server: issuer, gateway, certificates and policies, made in order and taken down.

With ZIGGURAT_TEST_CRDS the definitions are the makers' own, and the API server validates every field.
"""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "entered"
GATEWAY = "gateway.networking.k8s.io/v1"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: starter
teams: {{vision: {{groups: [ml-vision]}}}}
tracking: {{host: mlflow.acme.dev}}
auth:
  mode: embedded
  host: login.acme.dev
  adminGroups: [ml-platform]
  users: {{ann@acme.dev: {{groups: [ml-vision]}}}}
certificates: {{issuers: {{own: {{mode: ca}}}}}}
gateway: {{login: proxy, tls: {{issuer: own}}}}
"""


def test_every_page_has_a_listener_a_route_and_a_certificate(machine, up) -> None:
    gateway = machine.cluster.find(GATEWAY, "Gateway", NAME, "gateway")
    assert [each["name"] for each in gateway["spec"]["listeners"]] == ["http", "https-mlflow", "https-login"]
    backends = {
        route["metadata"]["name"]: route["spec"]["rules"][0].get("backendRefs", [{}])[0].get("name")
        for route in machine.cluster.objects(GATEWAY, "HTTPRoute", NAME)
    }
    assert backends == {"mlflow": "oauth2-proxy", "login": "dex", "to-https": None}
    for door in ("mlflow", "login"):
        made = machine.cluster.find("cert-manager.io/v1", "Certificate", NAME, f"tls-{door}")
        assert made["spec"]["issuerRef"]["kind"] == "Issuer"


def test_dex_finds_its_kinds_and_may_use_them_in_its_namespace_alone(machine, up) -> None:
    assert machine.cluster.objects("dex.coreos.com/v1", "RefreshToken", NAME) == []
    role = machine.cluster.find("rbac.authorization.k8s.io/v1", "Role", NAME, "dex")
    assert [rule["apiGroups"] for rule in role["rules"]] == [["dex.coreos.com"]]


def test_a_second_run_changes_nothing(machine, blueprint, up) -> None:
    machine.run("preview", blueprint, "--json", "--expect-no-changes")


@pytest.mark.skipif(not REAL, reason="needs the makers' own definitions: set ZIGGURAT_TEST_CRDS")
def test_the_gateway_itself_can_log_people_in(machine, blueprint, up) -> None:
    blueprint.write_text(BLUEPRINT.replace("login: proxy", "login: securityPolicy"))
    machine.run("up", blueprint, "--yes", "--json")
    envoy = "gateway.envoyproxy.io/v1alpha1"
    policy = machine.cluster.find(envoy, "SecurityPolicy", NAME, "mlflow")
    assert policy["spec"]["authorization"]["defaultAction"] == "Deny"
    assert machine.cluster.find("apps/v1", "Deployment", NAME, "oauth2-proxy") is None


def test_it_is_taken_down_in_reverse(machine, blueprint, up) -> None:
    machine.run("destroy", blueprint, "--yes", "--json")
    assert machine.cluster.find("apps/v1", "Deployment", NAME, "dex") is None
