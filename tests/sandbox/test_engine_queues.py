"""Queues and GPU pools on a real API server: charts recorded, their kinds there, their objects accepted.

With ZIGGURAT_TEST_CRDS the definitions are Kueue's own, and the API server validates every field.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from ziggurat.cluster import Refused

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "queued"
KUEUE = "kueue.x-k8s.io/v1beta2"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: automation
teams:
  vision: {{quota: {{cpu: 16, memory: 64Gi, gpus: 4}}}}
  pricing: {{}}
queues: {{}}
gpuPools:
  a100: {{accelerator: nvidia-a100-80gb, gpusPerNode: 4, nodes: {{min: 2, max: 2}}}}
  t4: {{nodeSelector: {{acme.io/gpu: t4}}, devicePlugin: devicePlugin, timeSlicing: 4}}
"""


def definitions(machine) -> dict[str, Any]:
    listed = machine.cluster.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return {item["metadata"]["name"]: item for item in listed["items"]}


def test_the_plan_is_what_the_engine_previews(machine, blueprint):
    planned = machine.run("plan", blueprint, "--json").json
    previewed = machine.run("preview", blueprint, "--json").json

    def placed(items: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        # Names of Jobs hold a hash of credentials, which differ from those of a plan.
        shown = (item for item in items if item["kind"] != "Job" and "kubernetes:" in item["urn"])
        return {(item["kind"], item["namespace"] or "", item["name"]) for item in shown}

    made = {item for item in placed(previewed["changes"]) if item[0] != "kubernetes"}
    assert placed(planned["objects"]) == made


def test_up_says_which_charts_are_not_installed(machine, blueprint, up):
    assert up["chartsNotInstalled"] == ["kueue 0.19.2", "nvidia-device-plugin 0.20.0"]
    again = machine.run("up", blueprint, "--yes")
    assert "no change" in again.out
    assert (
        "recorded, not installed (docs/stand-in.md): kueue 0.19.2, nvidia-device-plugin 0.20.0" in again.out
    )


def test_custom_resources_are_there(machine, up):
    cluster = machine.cluster
    queue = cluster.find(KUEUE, "ClusterQueue", "", f"{NAME}-vision")
    assert queue["spec"]["cohortName"] == NAME
    gpus = queue["spec"]["resourceGroups"][1]["flavors"]
    assert {flavor["name"]: flavor["resources"][0]["nominalQuota"] for flavor in gpus} == {
        f"{NAME}-a100": "4",
        f"{NAME}-t4": "4",
    }
    local = cluster.find(KUEUE, "LocalQueue", f"{NAME}-vision", "vision")
    assert local["spec"]["clusterQueue"] == f"{NAME}-vision"
    flavor = cluster.find(KUEUE, "ResourceFlavor", "", f"{NAME}-t4")
    assert flavor["spec"]["nodeLabels"] == {"acme.io/gpu": "t4"}


def test_definitions_are_real_where_they_can_be_had(machine, up):
    found = definitions(machine)["clusterqueues.kueue.x-k8s.io"]
    schema = found["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    assert ("spec" in schema.get("properties", {})) == REAL


@pytest.mark.skipif(not REAL, reason="no real definitions: set ZIGGURAT_TEST_CRDS")
def test_the_api_server_validates_custom_resources_strictly(machine, up):
    wrong = {
        "apiVersion": KUEUE,
        "kind": "ClusterQueue",
        "metadata": {"name": "wrong"},
        "spec": {"cohort": "the field is called cohortName"},
    }
    path = f"/apis/{KUEUE}/clusterqueues?fieldValidation=Strict&dryRun=All"
    with pytest.raises(Refused, match=r"unknown field \"spec.cohort\""):
        machine.cluster.request("POST", path, wrong)


def test_the_sandbox_has_nodes_for_each_pool_and_pods_run_there(machine, up):
    nodes = machine.cluster.objects("v1", "Node", "")
    # Nodes of other tests' pools may be there too.
    gpus = {
        node["metadata"]["name"]: node["status"]["allocatable"].get("nvidia.com/gpu")
        for node in nodes
        if node["metadata"]["name"].rpartition("-")[0] in ("a100", "t4")
    }
    assert gpus == {"a100-0": "4", "a100-1": "4", "t4-0": "4"}
    labels = next(node["metadata"]["labels"] for node in nodes if node["metadata"]["name"] == "t4-0")
    assert labels["acme.io/gpu"] == "t4"


def test_quotas_of_namespaces_let_through_what_queues_do(machine, up):
    hard = machine.cluster.find("v1", "ResourceQuota", f"{NAME}-pricing", "quota")["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"]) == ("24", "96Gi")
    assert hard["requests.nvidia.com/gpu"] == "8"


def test_a_changed_quota_changes_the_queue_alone(machine, blueprint, up):
    blueprint.write_text(BLUEPRINT.replace("gpus: 4}", "gpus: 3}"))
    try:
        shown = machine.run("preview", blueprint, "--json").json
        changed = {(change["operation"], change["kind"], change["name"]) for change in shown["changes"]}
        assert changed >= {("update", "ClusterQueue", f"{NAME}-vision")}
        kinds = {kind for operation, kind, _ in changed if operation != "same"}
        assert kinds <= {"ClusterQueue", "ResourceQuota", "Stash"}
    finally:
        blueprint.write_text(BLUEPRINT)


def test_a_record_that_is_lost_is_made_anew(machine, blueprint, up):
    machine.cluster.delete("v1", "ConfigMap", NAME, "recorded-release-kueue")
    again = machine.run("up", blueprint, "--yes", "--json", "--refresh").json
    assert again["summary"]["create"] == 1
    assert machine.cluster.find("v1", "ConfigMap", NAME, "recorded-release-kueue") is not None


def test_destroy_without_data_keeps_namespaces_alone_and_up_brings_queues_back(machine, blueprint, up):
    kept = machine.run("destroy", blueprint, "--yes").out
    assert "Namespace queued-vision" in kept
    assert machine.cluster.find("v1", "ConfigMap", NAME, "recorded-release-kueue") is None
    assert not [name for name in definitions(machine) if name.endswith(".kueue.x-k8s.io")]

    again = machine.run("up", blueprint, "--yes", "--json").json
    assert again["chartsNotInstalled"] == up["chartsNotInstalled"]
    assert machine.cluster.find(KUEUE, "LocalQueue", f"{NAME}-vision", "vision") is not None


def test_destroy_takes_custom_resources_before_their_definitions_and_leaves_nothing(machine, blueprint, up):
    done = machine.run("destroy", blueprint, "--with-data", "--confirm", NAME, "--json").json

    assert done["left"] == []
    assert not [name for name in definitions(machine) if name.endswith(".kueue.x-k8s.io")]
    assert machine.cluster.find("v1", "Namespace", "", NAME) is None
    assert machine.cluster.find("v1", "Namespace", "", f"{NAME}-gpu") is None
