"""The highly available database on a real API server: its operator recorded, its objects accepted.

With ZIGGURAT_TEST_CRDS the definitions are CloudNativePG's own, and the API server validates every field.
Nothing acts on a Cluster here: that servers fail over is for real containers to show.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from ziggurat.cluster import Refused
from ziggurat.exit_codes import ExitCode

pytestmark = pytest.mark.sandbox

NAME = "spare"
CNPG = "postgresql.cnpg.io/v1"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
auth:
  mode: oidc
  issuer: https://login.acme.dev
  clientSecret: {{secretName: oidc-client}}
  adminGroups: [ml-platform]
teams:
  vision: {{}}
tracking: {{host: mlflow.acme.dev, replicas: 3}}
certificates: {{}}
database: {{mode: highlyAvailable, pooler: {{}}, readReplica: true, archive: {{}}}}
backup: {{}}
"""
CHARTS = ["cert-manager", "cloudnative-pg", "plugin-barman-cloud"]


def servers(machine) -> Any:
    return machine.cluster.find(CNPG, "Cluster", NAME, "postgresql")


def definitions(machine) -> set[str]:
    listed = machine.cluster.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return {item["metadata"]["name"] for item in listed["items"]}


def test_up_does_not_wait_for_what_nothing_acts_on_and_says_so(machine, blueprint, up):
    assert sorted(chart.split()[0] for chart in up["chartsNotInstalled"]) == CHARTS
    assert "status" not in servers(machine)
    shown = machine.run("status", blueprint, "--json").json
    assert shown["ready"]
    assert sorted(shown["notActedOn"]) == [
        f"Cluster {NAME}/postgresql",
        f"ObjectStore {NAME}/postgresql-archive",
        f"Pooler {NAME}/postgresql-pooler",
        f"ScheduledBackup {NAME}/postgresql-archive",
    ]
    assert "nothing acts on them" in machine.run("status", blueprint).out


def test_up_again_changes_nothing(machine, blueprint, up):
    assert not machine.run("up", blueprint, "--yes", "--json").json["changed"]
    assert "no change" in machine.run("preview", blueprint, "--refresh", "--expect-no-changes").out


def test_the_servers_are_as_asked(machine, up):
    spec = servers(machine)["spec"]
    assert (spec["instances"], spec["storage"]["size"]) == (3, "20Gi")
    assert spec["bootstrap"]["initdb"]["secret"]["name"] == "postgresql-mlflow"
    secret = machine.cluster.find("v1", "Secret", NAME, "postgresql-mlflow")
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert machine.cluster.find(CNPG, "Pooler", NAME, "postgresql-pooler") is not None


@pytest.mark.skipif(not REAL, reason="no real definitions: set ZIGGURAT_TEST_CRDS")
def test_the_api_server_validates_custom_resources_strictly(machine, up):
    wrong = {**servers(machine), "metadata": {"name": "wrong", "namespace": NAME}}
    wrong["spec"] = {**wrong["spec"], "instanceCount": 3}
    path = f"/apis/{CNPG}/namespaces/{NAME}/clusters?fieldValidation=Strict&dryRun=All"
    with pytest.raises(Refused, match=r"unknown field \"spec.instanceCount\""):
        machine.cluster.request("POST", path, wrong)


def test_another_mode_is_blocked_and_the_way_is_told(machine, blueprint, up):
    asked = "{mode: highlyAvailable, pooler: {}, readReplica: true, archive: {}}"
    assert asked in BLUEPRINT
    blueprint.write_text(BLUEPRINT.replace(asked, "{}"))
    try:
        shown = machine.run("up", blueprint, "--yes", code=ExitCode.BLOCKED)
    finally:
        blueprint.write_text(BLUEPRINT)
    assert "database.mode: highlyAvailable -> embedded" in shown.err
    assert "ziggurat restore" in shown.err


def test_volumes_grow_and_instances_come_without_a_replacement(machine, blueprint, up):
    blueprint.write_text(
        BLUEPRINT.replace("highlyAvailable,", "highlyAvailable, storage: 30Gi, instances: 5,")
    )
    shown = machine.run("preview", blueprint, "--json").json
    changed = {(change["operation"], change["kind"]) for change in shown["changes"]} - {("same", "Stash")}
    assert ("update", "Cluster") in changed
    assert not [operation for operation, _ in changed if operation in ("replace", "delete")]
    machine.run("up", blueprint, "--yes")
    assert servers(machine)["spec"]["storage"]["size"] == "30Gi"


def test_a_rotation_changes_the_owner_s_secret_and_sets_it_past_the_pooler(machine, blueprint, up):
    listed = machine.run("rotate", blueprint, "--list").out
    assert "database-owner" not in listed
    before = machine.cluster.find("v1", "Secret", NAME, "postgresql-mlflow")["data"]["password"]
    uid = servers(machine)["metadata"]["uid"]

    machine.run("rotate", blueprint, "database", "--yes")

    assert machine.cluster.find("v1", "Secret", NAME, "postgresql-mlflow")["data"]["password"] != before
    jobs = machine.cluster.objects("batch/v1", "Job", NAME)
    (job,) = [job for job in jobs if job["metadata"]["name"].startswith("postgresql-passwords-")]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "PGHOST", "value": "postgresql-rw"} in container["env"]
    assert servers(machine)["metadata"]["uid"] == uid


def test_destroy_keeps_the_servers_and_what_they_need_to_live(machine, blueprint, up):
    before = servers(machine)["metadata"]["uid"]

    shown = machine.run("destroy", blueprint, "--yes", "--json").json

    kept = set(shown["kept"])
    assert sorted(shown["keptCharts"]) == CHARTS
    assert {f"Cluster {NAME}/postgresql", f"Secret {NAME}/postgresql-mlflow"} <= kept
    # Its archive: without a bucket to write to, its volume would fill.
    assert {f"ObjectStore {NAME}/postgresql-archive", f"StatefulSet {NAME}/seaweedfs"} <= kept
    assert machine.cluster.find(CNPG, "ScheduledBackup", NAME, "postgresql-archive") is None
    # The operator, and the ways in and out of operator and servers: without them the servers would not live.
    assert machine.cluster.find("v1", "ConfigMap", NAME, "recorded-release-cloudnative-pg") is not None
    assert {f"NetworkPolicy {NAME}/postgresql", f"NetworkPolicy {NAME}/cloudnative-pg"} <= kept
    assert machine.cluster.find("apps/v1", "Deployment", NAME, "mlflow") is None
    assert machine.cluster.find(CNPG, "Pooler", NAME, "postgresql-pooler") is None
    assert servers(machine)["metadata"]["uid"] == before

    machine.run("up", blueprint, "--yes")
    assert servers(machine)["metadata"]["uid"] == before


def test_a_cluster_that_was_deleted_begins_with_its_archive(machine, blueprint, up):
    """The steps of docs/operations.md, Any moment of the past. Nothing recovers here: the objects say it."""
    begun = 'archive: {serverName: postgresql-2}, recover: {targetTime: "2026-11-25T10:00:00Z"}'
    text = blueprint.read_text()
    assert "archive: {}" in text
    blueprint.write_text(text.replace("archive: {}", begun))
    before = servers(machine)["metadata"]["uid"]
    schedule = machine.cluster.find(CNPG, "ScheduledBackup", NAME, "postgresql-archive")["metadata"]["uid"]
    machine.cluster.delete(CNPG, "ScheduledBackup", NAME, "postgresql-archive")
    machine.cluster.delete(CNPG, "Cluster", NAME, "postgresql")

    machine.run("up", blueprint, "--yes", "--refresh")

    made = servers(machine)
    assert made["metadata"]["uid"] != before
    assert set(made["spec"]["bootstrap"]) == {"recovery"}
    assert made["spec"]["plugins"][0]["parameters"]["serverName"] == "postgresql-2"
    anew = machine.cluster.find(CNPG, "ScheduledBackup", NAME, "postgresql-archive")["metadata"]["uid"]
    assert anew != schedule

    blueprint.write_text(text.replace("archive: {}", "archive: {serverName: postgresql-2}"))
    machine.run("up", blueprint, "--yes")
    kept = servers(machine)
    assert (kept["metadata"]["uid"], set(kept["spec"]["bootstrap"])) == (made["metadata"]["uid"], {"initdb"})


def hold(machine, *finalizers: str) -> None:
    """Keeps the Cluster from going, as a controller does that has something to clean up."""
    live = servers(machine)
    live["metadata"]["finalizers"] = list(finalizers)
    machine.cluster.request("PUT", f"/apis/{CNPG}/namespaces/{NAME}/clusters/postgresql", live)


def test_the_operator_stays_until_the_servers_are_gone_and_what_keeps_them_is_told(
    machine, blueprint, up, until
):
    hold(machine, "example.io/hold")
    running = machine.start("destroy", blueprint, "--with-data", "--confirm", NAME)
    until(lambda: servers(machine)["metadata"].get("deletionTimestamp"), 120)
    record = ("v1", "ConfigMap", NAME, "recorded-release-cloudnative-pg")
    assert machine.cluster.find(*record) is not None

    running.send_signal(signal.SIGINT)
    ended = machine.finish(running)

    assert ended.code == ExitCode.INTERRUPTED
    assert f"Cluster {NAME}/postgresql: finalizers example.io/hold" in ended.err
    assert f"kubectl --namespace {NAME} patch cluster postgresql" in ended.err
    assert machine.cluster.find(*record) is not None
    hold(machine)


def test_destroy_with_data_goes_on_from_there_and_tells_what_the_chart_leaves(machine, blueprint, up):
    done = machine.run("destroy", blueprint, "--with-data", "--confirm", NAME, "--json").json

    assert machine.cluster.find("v1", "Namespace", "", NAME) is None
    assert not machine.cluster.objects(CNPG, "Cluster", NAME)
    assert done["stackRemoved"]
    assert "clusters.postgresql.cnpg.io" in definitions(machine)  # Helm leaves those of this chart
    left = [item.partition(".")[2] for item in done["left"]]
    assert left.count("postgresql.cnpg.io") == 11
    assert left.count("barmancloud.cnpg.io") == 1
    assert all(group.endswith(("cnpg.io", "cert-manager.io")) for group in left)
    assert done["notLookedFor"] == []
