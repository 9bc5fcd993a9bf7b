"""Monitoring: what is measured, who gets to it, what the rules and the chart are told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from blueprints import load
from blueprints.model import Blueprint
from components.apps import Apps
from components.connections import edges
from components.manifests.network import Pods, app_policy
from components.monitoring import rules
from components.monitoring.component import objects
from components.monitoring.dashboards import dashboards, document
from components.monitoring.login import login
from components.monitoring.parts import Parts, owner, release_name
from components.monitoring.targets import targets
from components.monitoring.values import claim_name, values
from components.versions import PROMETHEUS_STACK, ImageSource

EVERY = ("monitoring", "monitoring-alerts", "monitoring-existing", "monitoring-login", "monitoring-oidc")
VARIANTS = Path(__file__).parents[2] / "program" / "variants"


def blueprint(name: str) -> Blueprint:
    return load(VARIANTS / f"{name}.yaml").blueprint


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("two-teams", []),
        ("monitoring", ["mlflow", "seaweedfs"]),
        ("monitoring-alerts", ["mlflow", "seaweedfs", "kueue", "dcgm"]),
        (
            "monitoring-login",
            [
                "mlflow",
                "seaweedfs",
                "postgresql",
                "pooler",
                "pipelines",
                "workflows",
                "schedules",
                "cert-manager",
            ],
        ),
        ("monitoring-existing", ["mlflow"]),
    ],
)
def test_what_a_platform_has_is_measured_and_nothing_else(name, measured):
    assert [target.name for target in targets(blueprint(name))] == measured


@pytest.mark.parametrize("name", EVERY)
def test_prometheus_gets_to_every_target_and_nobody_else_to_its_metrics(name):
    chosen = blueprint(name)
    table = edges(chosen, Apps.of(chosen.name))
    existing = chosen.monitoring.existing if chosen.monitoring else None
    prometheus = Pods(existing.namespace, "prometheus") if existing else Parts.of(chosen.name).prometheus
    for target in targets(chosen):
        callers = {edge.source for edge in table if edge.target == target.app and edge.port == target.port}
        assert callers == {prometheus}
        policy = app_policy(target.app, table)
        opened = [rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == target.port]
        (peer,) = opened[0]["from"]
        space = existing.namespace if existing else f"{chosen.name}-monitoring"
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": space}
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "prometheus"


def test_without_monitoring_servers_show_no_metrics(planned_starter):
    text = json.dumps([each.manifest for each in planned_starter.objects])
    assert "expose-prometheus" not in text
    assert "metricsPort" not in text


@pytest.fixture(scope="module")
def planned_starter():
    from ziggurat.plan import plan

    return plan(load(VARIANTS / "two-teams.yaml"))


def test_every_image_of_the_chart_is_set_and_moves_with_the_mirror():
    chosen = blueprint("monitoring-alerts")
    assert chosen.monitoring
    given = values(
        Parts.of(chosen.name).own, chosen.monitoring, ImageSource("mirror.acme.net/ml", "login"), "x"
    )
    found = set()

    def collect(value):
        if isinstance(value, dict):
            if "repository" in value:
                found.add(f"{value['registry']}/{value['repository']}:{value['tag']}")
            for item in value.values():
                collect(item)

    collect(given)
    expected = {f"mirror.acme.net/ml/{image.repository}:{image.tag}" for image in PROMETHEUS_STACK.images}
    assert found == expected
    assert given["global"]["imagePullSecrets"] == [{"name": "login"}]


def test_grafanas_sidecar_keeps_to_its_own_namespace():
    """The chart says ALL, which its Role there would not do for; null does not always reach Helm."""
    chosen = blueprint("monitoring")
    assert chosen.monitoring
    given = values(Parts.of(chosen.name).own, chosen.monitoring, ImageSource(), "x")
    sidecar = given["grafana"]["sidecar"]
    assert sidecar["dashboards"]["searchNamespace"] == sidecar["datasources"]["searchNamespace"] == ""


def test_every_container_of_the_chart_asks_for_what_it_needs():
    chosen = blueprint("monitoring-alerts")
    assert chosen.monitoring
    given = values(Parts.of(chosen.name).own, chosen.monitoring, ImageSource(), "x")
    operator, grafana = given["prometheusOperator"], given["grafana"]
    for resources in (
        operator["resources"],
        operator["prometheusConfigReloader"]["resources"],
        given["prometheus"]["prometheusSpec"]["resources"],
        given["alertmanager"]["alertmanagerSpec"]["resources"],
        grafana["resources"],
        grafana["sidecar"]["resources"],
        given["kube-state-metrics"]["resources"],
    ):
        assert resources["requests"].keys() == {"cpu", "memory"}
        assert resources["limits"]["memory"]


def test_prometheus_keeps_to_its_volume_and_its_namespace():
    chosen = blueprint("monitoring-alerts")
    assert chosen.monitoring
    spec = values(Parts.of(chosen.name).own, chosen.monitoring, ImageSource(), "x")["prometheus"][
        "prometheusSpec"
    ]
    assert spec["retentionSize"] == "163840MiB"  # four fifths of 200Gi
    assert spec["retention"] == "30d"
    template = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert template["resources"]["requests"]["storage"] == "200Gi"
    assert template["storageClassName"] == "fast"
    for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False
        labels = spec[f"{kind}NamespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": "acme-ml-monitoring"}


def test_the_url_of_the_receiver_is_read_from_its_secret_and_is_in_no_value():
    chosen = blueprint("monitoring-alerts")
    assert chosen.monitoring
    given = values(Parts.of(chosen.name).own, chosen.monitoring, ImageSource(), "x")["alertmanager"]
    (receiver,) = given["config"]["receivers"]
    (slack,) = receiver["slack_configs"]
    assert slack["api_url_file"] == "/etc/alertmanager/secrets/slack-webhook/url"
    assert slack["channel"] == "#ml-platform"
    assert given["alertmanagerSpec"]["secrets"] == ["slack-webhook"]
    assert values(Parts.of("a").own, blueprint("monitoring").monitoring, ImageSource(), "x")[
        "alertmanager"
    ] == {"enabled": False}


def test_names_stay_within_what_the_chart_leaves_of_them():
    long = "a-platform-whose-name-is-rather-long-now"
    assert len(release_name(long)) <= 26
    assert release_name(long) != release_name(f"{long[:-1]}x")
    assert claim_name("acme-ml") == (
        "prometheus-acme-ml-monitoring-prometheus-db-prometheus-acme-ml-monitoring-prometheus-0"
    )


def rules_of(name: str) -> list[dict]:
    return [rule for group in rules.groups(blueprint(name)) for rule in group["rules"]]


@pytest.mark.parametrize("name", EVERY)
def test_every_alert_says_what_is_wrong_and_what_to_do(name):
    alerts = [rule for rule in rules_of(name) if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket"), alert["alert"]
        assert alert["labels"]["platform"] == blueprint(name).name
        assert alert["annotations"].keys() == {"summary", "remedy"}


def test_alerts_follow_what_the_platform_has():
    def alerts(name):
        return {rule["alert"] for rule in rules_of(name) if "alert" in rule}

    assert {"DatabaseDown", "BucketDown", "BackupTooOld"} <= alerts("monitoring")
    assert not {"GpuError", "QueueStuck"} & alerts("monitoring")
    assert {"GpuError", "QueueStuck"} <= alerts("monitoring-alerts")
    assert not {"DatabaseDown", "BucketDown", "BackupTooOld", "QueueStuck"} & alerts("monitoring-existing")


def test_burn_rates_are_those_of_the_workbook():
    burns = [rule for rule in rules_of("monitoring") if rule.get("alert") == "TrackingErrorBudget"]
    said = [re.findall(r"ratio_(\w+)\{[^}]*\} > ([0-9.]+)", rule["expr"]) for rule in burns]
    assert said == [
        [("1h", "0.0144"), ("5m", "0.0144")],
        [("6h", "0.006"), ("30m", "0.006")],
        [("1d", "0.003"), ("2h", "0.003")],
        [("3d", "0.001"), ("6h", "0.001")],
    ]
    assert [rule["labels"]["severity"] for rule in burns] == ["page", "page", "ticket", "ticket"]


def test_whatever_a_rule_or_a_dashboard_reads_of_ours_is_recorded():
    recorded = {rule["record"] for rule in rules_of("monitoring-alerts") if "record" in rule}
    read = {
        name
        for text in leaves([rules_of("monitoring-alerts"), *boards("monitoring-alerts").values()])
        if isinstance(text, str)
        for name in re.findall(r"ziggurat:[a-z_:0-9]+", text)
    }
    assert read
    assert read <= recorded


def boards(name: str) -> dict[str, dict]:
    chosen = blueprint(name)
    return {each.name: document(chosen.name, each) for each in dashboards(chosen)}


def test_dashboards_follow_what_the_platform_has():
    assert boards("monitoring").keys() == {"tracking", "database", "bucket", "teams"}
    assert boards("monitoring-alerts").keys() == {"tracking", "database", "bucket", "teams", "queues", "gpus"}
    assert "bucket" not in boards("monitoring-existing")


def test_panels_do_not_overlap_and_have_queries():
    for name, board in boards("monitoring-alerts").items():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places), name
        assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])
        assert len(board["uid"]) <= 40


def test_what_is_there_already_is_told_by_its_labels_in_the_platforms_namespace():
    chosen = blueprint("monitoring-existing")
    made = objects(chosen)
    assert {manifest["metadata"]["namespace"] for manifest in made} == {"measured"}
    assert owner(chosen).namespace == "measured"
    for manifest in made:
        if manifest["kind"] != "ConfigMap":
            assert manifest["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_metrics_carry_the_platform_and_their_target():
    monitors = [each for each in objects(blueprint("monitoring-alerts")) if each["kind"].endswith("Monitor")]
    assert [each["kind"] for each in monitors] == ["PodMonitor", "PodMonitor", "ServiceMonitor", "PodMonitor"]
    for each in monitors:
        spec = each["spec"]
        (endpoint,) = spec.get("podMetricsEndpoints") or spec["endpoints"]
        added = {item["targetLabel"]: item["replacement"] for item in endpoint["relabelings"]}
        assert added == {"job": each["metadata"]["name"], "platform": "acme-ml"}


def generic_oauth(name: str) -> tuple[dict, dict]:
    chosen = blueprint(name)
    assert chosen.monitoring
    given = values(Parts.of(chosen.name).own, chosen.monitoring, ImageSource(), "x", login(chosen))
    return given["grafana"]["grafana.ini"], given["grafana"]


def test_grafana_is_a_client_of_the_platforms_own_issuer():
    ini, grafana = generic_oauth("monitoring-login")
    told = ini["auth.generic_oauth"]
    assert ini["server"]["root_url"] == "https://grafana.acme.net/"
    assert told["auth_url"] == "https://login.acme.net/auth"
    assert told["token_url"] == "http://dex.acme-ml.svc.cluster.local:5556/token"
    assert told["allowed_groups"] == '["ml-platform"]'
    assert "client_secret" not in told
    assert grafana["envValueFrom"] == {
        "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": {
            "secretKeyRef": {"name": "login-grafana", "key": "client-secret"}
        }
    }
    table = edges(blueprint("monitoring-login"), Apps.of("acme-ml"))
    assert any(edge.source == Parts.of("acme-ml").grafana and edge.port == 5556 for edge in table)


def test_grafana_trusts_the_authority_of_a_brought_issuer():
    ini, grafana = generic_oauth("monitoring-oidc")
    assert ini["auth.generic_oauth"]["tls_client_ca"] == "/etc/issuer/ca.crt"
    (mount,) = grafana["extraSecretMounts"]
    assert (mount["secretName"], mount["mountPath"]) == ("vault-keys", "/etc/issuer")
    assert mount["items"][0]["path"] == "ca.crt"


def test_without_a_single_sign_on_grafana_has_its_administrator_alone():
    ini, grafana = generic_oauth("monitoring")
    assert "auth.generic_oauth" not in ini
    assert "envValueFrom" not in grafana
    assert "auto_assign_org_role" not in ini["users"]
