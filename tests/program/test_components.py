"""How the objects of a platform hang together: references, order, hashes, edges, names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blueprints import load
from components.apps import Apps
from components.connections import edges
from ziggurat.plan import Plan, plan
from ziggurat.plan.model import PlannedObject

ROOT_SECRET = "cm9vdHJvb3Ryb290cm9vdHJvb3Ryb290cm9vdHJvb3Q="
STARTER = """\
apiVersion: ziggurat/v1
name: acme-ml
phase: starter
teams:
  vision: {}
  pricing: {}
"""
HASHED = re.compile(r".*-[0-9a-f]{10}")


@pytest.fixture
def planned_text(tmp_path: Path):
    def make(text: str = STARTER, root_secret: str = ROOT_SECRET) -> Plan:
        file = tmp_path / "blueprint.yaml"
        file.write_text(text)
        return plan(load(file), root_secret)

    return make


def find(planned: Plan, kind: str, name: str) -> PlannedObject:
    (found,) = [each for each in planned.objects if (each.kind, each.object_name) == (kind, name)]
    return found


def registered(planned: Plan, name: str) -> PlannedObject:
    return next(each for each in planned.objects if each.name == name)


def pods(planned: Plan) -> Iterator[tuple[PlannedObject, dict[str, Any]]]:
    for each in planned.objects:
        if each.kind in ("Deployment", "StatefulSet", "Job"):
            yield each, each.manifest["spec"]["template"]


def references(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) of everything that a pod names."""
    spec = template["spec"]
    yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec.get("volumes", ()):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    for variable in spec["containers"][0].get("env", ()):
        if "valueFrom" in variable:
            yield "Secret", variable["valueFrom"]["secretKeyRef"]["name"]


def test_everything_that_a_pod_names_is_registered_before_it(planned_text) -> None:
    planned = planned_text()
    by_name = {(each.kind, each.namespace, each.object_name): each for each in planned.objects}

    for owner, template in pods(planned):
        before = reachable(planned, owner)
        for kind, name in references(template):
            assert by_name[kind, owner.namespace, name].urn in before, (owner.label, kind, name)


def reachable(planned: Plan, start: PlannedObject) -> set[str]:
    """URNs that come before `start`, however many steps away."""
    by_urn = {each.urn: each for each in planned.objects}
    found: set[str] = set()
    todo = list(start.dependencies)
    while todo:
        urn = todo.pop()
        if urn not in found:
            found.add(urn)
            todo += by_urn[urn].dependencies if urn in by_urn else ()
    return found


def test_the_order_is_data_then_schema_then_server_then_accounts(planned_text) -> None:
    planned = planned_text()
    steps = [
        find(planned, "Namespace", "acme-ml"),
        find(planned, "NetworkPolicy", "postgresql"),
        find(planned, "PersistentVolumeClaim", "postgresql-data"),
        find(planned, "StatefulSet", "postgresql"),
        registered(planned, "acme-ml-tracking-upgrade"),
        find(planned, "Deployment", "mlflow"),
        registered(planned, "acme-ml-auth-accounts"),
    ]

    for first, later in itertools.pairwise(steps):
        assert first.urn in reachable(planned, later), (first.label, later.label)
    bucket = registered(planned, "acme-ml-artifacts-bucket")
    assert bucket.urn in reachable(planned, find(planned, "Deployment", "mlflow"))


def test_the_policies_are_those_of_the_edges(planned_text, tmp_path: Path) -> None:
    planned = planned_text()
    blueprint = load(tmp_path / "blueprint.yaml").blueprint
    allowed = {
        (
            each.object_name,
            rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"],
            port["port"],
        )
        for each in planned.objects
        if each.kind == "NetworkPolicy"
        for rule in each.manifest["spec"].get("ingress", ())
        if "podSelector" in rule["from"][0]
        for port in rule["ports"]
    }

    table = edges(blueprint, Apps.of("acme-ml"))
    assert allowed == {
        (edge.target.name, edge.source.name, edge.port) for edge in table if hasattr(edge.source, "name")
    }
    assert allowed == {
        ("mlflow", "mlflow-accounts", 5000),
        ("postgresql", "mlflow", 5432),
        ("postgresql", "mlflow-upgrade", 5432),
        ("seaweedfs", "mlflow", 8333),
        ("seaweedfs", "seaweedfs-bucket", 8333),
    }


def test_every_pod_is_picked_by_a_policy_of_its_own_and_the_default_one(planned_text) -> None:
    planned = planned_text()
    policies = {each.object_name for each in planned.objects if each.kind == "NetworkPolicy"}
    names = {template["metadata"]["labels"]["app.kubernetes.io/name"] for _, template in pods(planned)}

    assert names <= policies
    assert {each.namespace for each in planned.objects if each.object_name == "default-deny"} == {
        "acme-ml",
        "acme-ml-vision",
        "acme-ml-pricing",
    }


def test_a_starter_is_light(planned_text) -> None:
    cpu = memory = 0
    for _, template in pods(planned_text()):
        (container,) = template["spec"]["containers"]
        cpu += int(container["resources"]["requests"]["cpu"].removesuffix("m"))
        memory += int(container["resources"]["requests"]["memory"].removesuffix("Mi"))

    assert cpu <= 1000  # millicores
    assert memory <= 2560  # MiB


def hashes(planned: Plan) -> dict[str, str]:
    return {
        owner.name: template["metadata"]["annotations"]["ziggurat.dev/config-hash"]
        for owner, template in pods(planned)
    }


def test_another_root_secret_restarts_what_reads_a_credential_and_runs_the_jobs_anew(planned_text) -> None:
    before, after = (
        planned_text(),
        planned_text(root_secret="YW5vdGhlcmFub3RoZXJhbm90aGVyYW5vdGhlcmFub3RoZXI="),
    )
    changed = {name for name in hashes(before) if hashes(before)[name] != hashes(after)[name]}

    # PostgreSQL reads its passwords on an empty volume alone: a restart would change nothing.
    assert changed == {
        "acme-ml/mlflow",
        "acme-ml/seaweedfs",
        "acme-ml-tracking-upgrade",
        "acme-ml-auth-accounts",
        "acme-ml-artifacts-bucket",
    }


def jobs(planned: Plan) -> dict[str, str]:
    return {each.name: each.object_name for each in planned.objects if each.kind == "Job"}


def test_a_new_account_runs_the_accounts_job_anew_and_restarts_no_server(planned_text) -> None:
    before = planned_text()
    after = planned_text(STARTER.replace("vision: {}", "vision: {users: {ada: {role: admin}}}"))

    assert {name for name, job in jobs(before).items() if jobs(after)[name] != job} == {
        "acme-ml-auth-accounts"
    }
    assert hashes(before)["acme-ml/mlflow"] == hashes(after)["acme-ml/mlflow"]


def test_jobs_are_named_by_what_they_run_and_stay(planned_text) -> None:
    for each in planned_text().objects:
        if each.kind == "Job":
            assert HASHED.fullmatch(each.object_name), each.object_name
            assert not HASHED.fullmatch(each.name), "the logical name must not change"
            assert "ttlSecondsAfterFinished" not in each.manifest["spec"]


def test_more_replicas_change_their_number_and_the_size_of_their_pools(planned_text) -> None:
    """The database has so many connections for all of them; a pooler has so many that pools never shrink."""
    before = find(planned_text(), "Deployment", "mlflow").manifest
    after = find(planned_text(STARTER + "tracking: {replicas: 3}\n"), "Deployment", "mlflow").manifest

    assert after["spec"].pop("replicas") == 3
    assert before["spec"].pop("replicas") == 1
    sizes = [pools(manifest) for manifest in (before, after)]
    assert sizes == [["5", "7"], ["3", "1"]]
    assert before == after


def pools(manifest) -> list[str]:
    """Takes the sizes of MLflow's pools out of a Deployment."""
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    sized = [each for each in container["env"] if "SQLALCHEMYSTORE" in each["name"]]
    container["env"] = [each for each in container["env"] if each not in sized]
    return [each["value"] for each in sized]


def test_budgets_never_stop_the_drain_of_a_single_pod(planned_text) -> None:
    budgets = [each.manifest["spec"] for each in planned_text().objects if each.kind == "PodDisruptionBudget"]

    assert len(budgets) == 3
    assert all(budget["maxUnavailable"] == 1 and "minAvailable" not in budget for budget in budgets)


def test_only_claims_and_namespaces_hold_data(planned_text) -> None:
    protected = {each.label for each in planned_text().objects if each.protected}

    assert protected == {
        "Namespace acme-ml",
        "Namespace acme-ml-pricing",
        "Namespace acme-ml-vision",
        "PersistentVolumeClaim acme-ml/postgresql-data",
        "PersistentVolumeClaim acme-ml/seaweedfs-data",
    }


def test_a_brought_database_has_no_server_and_its_password_comes_from_its_secret(planned_text) -> None:
    planned = planned_text(
        STARTER
        + "database: {mode: external, host: db.acme.dev, secret: {secretName: db}, sslMode: verify-full}\n"
    )

    assert not [each for each in planned.objects if each.object_name == "postgresql"]
    env = find(planned, "Deployment", "mlflow").manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {item["name"]: item.get("value") or item["valueFrom"]["secretKeyRef"]["name"] for item in env}
    assert values["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql+psycopg2://db.acme.dev:5432/mlflow?")
    assert values["PGUSER"] == values["PGPASSWORD"] == "db"
    assert values["PGSSLROOTCERT"] == "/etc/postgresql-ca/ca.crt"


def test_a_single_sign_on_is_a_proxy_in_front_and_a_function_inside(planned_text) -> None:
    planned = planned_text(
        STARTER.replace("vision: {}", "vision: {groups: [ml-vision]}")
        + "tracking: {host: ml.acme.dev}\n"
        + "auth: {mode: oidc, issuer: 'https://login.acme.dev', clientSecret: {secretName: oidc}}\n"
    )

    flags = find(planned, "Deployment", "oauth2-proxy").manifest["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    assert "--oidc-issuer-url=https://login.acme.dev" in flags
    assert "--redirect-url=https://ml.acme.dev/oauth2/callback" in flags
    assert "--insecure-oidc-skip-nonce=false" in flags
    assert "--approval-prompt=auto" in flags  # by its default, `force`, Dex asks each time
    assert not [flag for flag in flags if "secret" in flag]
    files = find(planned, "ConfigMap", "mlflow").manifest["data"]
    assert "authorization_function = ziggurat_oidc:authenticate" in files["auth.ini"]
    assert '"ml-vision"' in files["oidc.json"]
    assert find(planned, "RoleBinding", "member").manifest["subjects"][0]["name"] == "ml-vision"


def test_an_issuer_whose_authority_nobody_knows_is_trusted_by_proxy_and_server(planned_text):
    planned = planned_text(
        STARTER.replace("vision: {}", "vision: {groups: [ml-vision]}")
        + "tracking: {host: ml.acme.dev}\n"
        + "auth: {mode: oidc, issuer: 'https://login.acme.dev', clientSecret: {secretName: oidc},"
        + " caSecret: {secretName: acme-ca, key: root.pem}}\n"
    )

    for name in ("oauth2-proxy", "mlflow"):
        pod = find(planned, "Deployment", name).manifest["spec"]["template"]["spec"]
        sources = {each["name"]: each.get("secret") for each in pod["volumes"]}
        assert sources["issuer-ca"]["secretName"] == "acme-ca"
        assert sources["issuer-ca"]["items"] == [{"key": "root.pem", "path": "ca.crt"}]
        mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        assert mounts["issuer-ca"] == "/etc/issuer"
    flags = find(planned, "Deployment", "oauth2-proxy").manifest["spec"]["template"]["spec"]["containers"][0]
    assert "--provider-ca-file=/etc/issuer/ca.crt" in flags["args"]
    assert '"ca": "/etc/issuer/ca.crt"' in find(planned, "ConfigMap", "mlflow").manifest["data"]["oidc.json"]
