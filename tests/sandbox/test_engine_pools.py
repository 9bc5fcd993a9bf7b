"""GPU pools whose nodes somebody makes, on a real API server: their objects are taken, their pods have nodes.

With ZIGGURAT_TEST_CRDS the definitions are Karpenter's own, and the API server holds every rule in them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from blueprints import load
from ziggurat.cluster import Refused

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "pooled"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: orchestration
teams:
  vision: {{quota: {{cpu: 16, memory: 64Gi, gpus: 4}}}}
gpuPools:
  a100: {{provider: karpenter, accelerator: nvidia-a100-80gb, gpusPerNode: 8, nodes: {{max: 4}}}}
  l4:
    provider: karpenter
    accelerator: nvidia-l4
    spot: true
    karpenter: {{role: nodes, subnets: {{team: ml}}, securityGroups: {{team: ml}}}}
  kept: {{provider: karpenter, accelerator: nvidia-h100-80gb, nodes: {{min: 1, max: 1}}}}
  gke: {{provider: gke, accelerator: nvidia-t4}}
  aks:
    provider: aks
    accelerator: nvidia-a100-80gb
    nodes: {{max: 2}}
    spot: true
    aks: {{cluster: ml, resourceGroup: ml}}
  there: {{nodeSelector: {{acme.io/gpu: v100}}}}
"""
KINDS = {
    "karpenter.sh/v1": ("NodePool", {f"{NAME}-a100", f"{NAME}-l4", f"{NAME}-kept-static"}),
    "karpenter.k8s.aws/v1": ("EC2NodeClass", {f"{NAME}-l4"}),
}
PLURALS = {"NodePool": "nodepools", "EC2NodeClass": "ec2nodeclasses", "ComputeClass": "computeclasses"}


def listed(machine, api_version: str, kind: str) -> dict[str, Any]:
    answer = machine.cluster.request("GET", f"/apis/{api_version}/{PLURALS[kind]}")
    mine = [item for item in answer["items"] if item["metadata"]["name"].startswith(NAME)]
    return {item["metadata"]["name"]: item for item in mine}


def test_what_makes_nodes_is_there(machine, up):
    for api_version, (kind, names) in KINDS.items():
        assert set(listed(machine, api_version, kind)) == names
    assert set(listed(machine, "cloud.google.com/v1", "ComputeClass")) == {f"{NAME}-gke"}


def test_nothing_changes_the_second_time(machine, blueprint, up):
    assert "no change" in machine.run("up", blueprint, "--yes").out


@pytest.mark.skipif(not REAL, reason="no real definitions: set ZIGGURAT_TEST_CRDS")
def test_karpenters_own_rules_hold(machine, up):
    """So that what was taken above was looked at: a rule of the definition (CEL), and a field of it."""
    (node_pool,) = [
        each for name, each in listed(machine, "karpenter.sh/v1", "NodePool").items() if "l4" in name
    ]
    path = "/apis/karpenter.sh/v1/nodepools?fieldValidation=Strict&dryRun=All"
    template = node_pool["spec"]["template"]
    labels = {**template["metadata"]["labels"], "karpenter.sh/mine": "x"}
    wrong = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "wrong"},
        "spec": {"template": {**template, "metadata": {"labels": labels}}},
    }
    with pytest.raises(Refused, match="is restricted"):
        machine.cluster.request("POST", path, wrong)
    kept = {**wrong, "spec": {"template": template, "replicas": 1, "limits": {"nvidia.com/gpu": "8"}}}
    with pytest.raises(Refused, match=r"only 'limits.nodes' is supported"):
        machine.cluster.request("POST", path, kept)


@pytest.mark.parametrize("pool", ["a100", "l4", "kept", "gke", "aks", "there"])
def test_a_pod_of_each_pool_goes_to_a_node_of_it(machine, blueprint, up, until, pool):
    from components.gpu_check import smoke_job
    from components.versions import ImageSource

    declared = load(blueprint).blueprint
    job = smoke_job(
        NAME, "vision", pool, declared.gpu_pools[pool], ImageSource(), queued=False, seconds=60, suffix="t"
    )
    cluster, namespace = machine.cluster, job["metadata"]["namespace"]
    selector = f"batch.kubernetes.io/job-name={job['metadata']['name']}"
    cluster.create(job)
    try:
        until(
            lambda: [
                pod
                for pod in cluster.objects("v1", "Pod", namespace, selector)
                if pod["spec"].get("nodeName")
            ]
        )
        (pod,) = cluster.objects("v1", "Pod", namespace, selector)
        assert pod["spec"]["nodeName"] == f"{'there' if pool == 'there' else f'{NAME}-{pool}'}-0"
    finally:
        cluster.delete("batch/v1", "Job", namespace, job["metadata"]["name"])


def test_the_check_of_gpus_says_that_nothing_runs_here(machine, blueprint, up):
    ran = machine.run("check", "gpu", blueprint, code=4)
    assert "pods are simulated, so no GPU can be taken" in ran.err


def test_destroy_takes_them_away(machine, blueprint, up):
    machine.run("destroy", blueprint, "--yes")
    for api_version, (kind, _) in KINDS.items():
        assert listed(machine, api_version, kind) == {}
    assert listed(machine, "cloud.google.com/v1", "ComputeClass") == {}
