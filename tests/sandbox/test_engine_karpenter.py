"""A pod of a GPU pool makes Karpenter add a node of that pool: Karpenter itself, with simulated machines.

ZIGGURAT_TEST_KARPENTER names a folder with `karpenter-kwok`, the controller of Karpenter's own kwok provider
(the program `sigs.k8s.io/karpenter/kwok` of release 1.14.1), and `crds/`, the definitions that come with it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from blueprints import load

FOLDER = os.environ.get("ZIGGURAT_TEST_KARPENTER", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not FOLDER, reason="no Karpenter: set ZIGGURAT_TEST_KARPENTER"),
]

NAME = "karpened"
MACHINES = {"cpu-machine": 0, "l4-machine": 1, "a100-machine": 8}
NODE_CLASS = "nodeClassRef: {group: karpenter.kwok.sh, kind: KWOKNodeClass, name: default}"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: orchestration
teams:
  vision: {{quota: {{cpu: 64, memory: 256Gi, gpus: 10}}}}
gpuPools:
  a100:
    provider: karpenter
    gpusPerNode: 8
    nodes: {{max: 1}}
    karpenter: {{{NODE_CLASS}, instanceTypes: [a100-machine], consolidateAfter: 5s}}
  l4:
    provider: karpenter
    nodes: {{max: 2}}
    karpenter: {{{NODE_CLASS}, instanceTypes: [l4-machine], consolidateAfter: 5s}}
"""


def machine_type(name: str, gpus: int) -> dict[str, Any]:
    """A type of machine, as the kwok provider takes it from a file."""
    where = [("karpenter.sh/capacity-type", "on-demand"), ("topology.kubernetes.io/zone", "zone-a")]
    return {
        "name": name,
        "offerings": [
            {
                "Price": 1.0 + gpus,
                "Available": True,
                "Requirements": [{"key": key, "operator": "In", "values": [value]} for key, value in where],
            }
        ],
        "architecture": "amd64",
        "operatingSystems": ["linux"],
        "resources": {
            "cpu": "32",
            "memory": "128Gi",
            "ephemeral-storage": "200Gi",
            "pods": "110",
            **({"nvidia.com/gpu": str(gpus)} if gpus else {}),
        },
    }


@pytest.fixture(scope="module")
def pools(machine, until):
    """The blueprint's pools on a cluster where Karpenter runs and no node of theirs is."""
    kubectl, kubeconfig = machine.kubectl() / "kubectl", machine.cluster.kubeconfig

    def apply(*arguments: str, given: str | None = None) -> None:
        command = [str(kubectl), "--kubeconfig", str(kubeconfig), *arguments]
        subprocess.run(command, input=given, text=True, check=True, capture_output=True)

    apply("apply", "--server-side", "--force-conflicts", "-f", f"{FOLDER}/crds")
    apply("wait", "--for=condition=Established", "crd/nodepools.karpenter.sh", "--timeout=30s")
    node_class = {
        "apiVersion": "karpenter.kwok.sh/v1alpha1",
        "kind": "KWOKNodeClass",
        "metadata": {"name": "default"},
        "spec": {},
    }
    apply("apply", "-f", "-", given=json.dumps(node_class))
    blueprint = machine.folder / f"{NAME}.yaml"
    blueprint.write_text(BLUEPRINT)
    machine.run("up", blueprint, "--yes")
    for name in ("a100", "l4"):  # the sandbox's own, since nobody makes nodes there
        machine.cluster.delete("v1", "Node", "", f"{NAME}-{name}-0")
    process = karpenter(machine, kubeconfig)
    try:
        until(lambda: all(ready(each) for each in node_pools(machine)), 90)
        yield load(blueprint).blueprint.gpu_pools
        machine.run("destroy", blueprint, "--yes")
    finally:
        process.terminate()
        process.wait(30)


def karpenter(machine, kubeconfig: Path) -> subprocess.Popen[bytes]:
    types = machine.folder / "machines.json"
    types.write_text(json.dumps([machine_type(*each) for each in MACHINES.items()]))
    variables = {
        "KUBECONFIG": str(kubeconfig),
        "SYSTEM_NAMESPACE": "kube-system",
        "KUBERNETES_MIN_VERSION": "1.19.0-0",
        "INSTANCE_TYPES_FILE_PATH": str(types),
        "DISABLE_LEADER_ELECTION": "true",
        "METRICS_PORT": "0",
        "HEALTH_PROBE_PORT": "0",
    }
    with (machine.folder / "karpenter.log").open("wb") as log:
        return subprocess.Popen(
            [str(Path(FOLDER) / "karpenter-kwok")],
            env={**os.environ, **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def node_pools(machine) -> list[dict[str, Any]]:
    found = machine.cluster.request("GET", "/apis/karpenter.sh/v1/nodepools")["items"]
    return [each for each in found if each["metadata"]["name"].startswith(NAME)]


def ready(item: dict[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def nodes(machine, pool: str) -> list[dict[str, Any]]:
    return machine.cluster.objects("v1", "Node", "", f"karpenter.sh/nodepool={NAME}-{pool}")


def pod(machine, pools, pool: str, name: str, gpus: int) -> str:
    """Makes a pod that a team would make, which is simulated as soon as it has a node; its name."""
    from components.gpu_check import smoke_job
    from components.versions import ImageSource

    job = smoke_job(NAME, "vision", pool, pools[pool], ImageSource(), queued=False, seconds=600, suffix=name)
    template = job["spec"]["template"]
    template["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = str(gpus)
    template["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] = str(gpus)
    metadata = {**template["metadata"], "name": name, "namespace": f"{NAME}-vision"}
    machine.cluster.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    )
    return name


def placed(machine, name: str) -> str | None:
    found = machine.cluster.find("v1", "Pod", f"{NAME}-vision", name)
    return (found or {}).get("spec", {}).get("nodeName")


def test_a_pod_gets_a_node_of_its_pool_that_was_not_there_before(machine, pools, until):
    assert nodes(machine, "a100") == nodes(machine, "l4") == []
    name = pod(machine, pools, "a100", "first", 8)
    where = until(lambda: placed(machine, name), 120)
    (node,) = nodes(machine, "a100")
    assert node["metadata"]["name"] == where
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == "a100-machine"
    assert (labels["ziggurat.dev/platform"], labels["ziggurat.dev/pool"]) == (NAME, "a100")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert ("nvidia.com/gpu", "present") in {
        (each["key"], each.get("value")) for each in node["spec"]["taints"]
    }
    assert nodes(machine, "l4") == [], "and none of another pool"


def test_no_more_nodes_are_made_than_the_blueprint_says_and_the_check_of_gpus_says_so(machine, pools):
    """The one node that there may be is taken whole; what is in the way is Karpenter's own word."""
    from ziggurat.check.gpu import GpuCheck, check_gpu
    from ziggurat.check.report import Outcome
    from ziggurat.progress import silent

    declared = load(machine.folder / f"{NAME}.yaml").blueprint
    found = check_gpu(machine.cluster, GpuCheck(declared, "a100", "vision", 20), silent())
    assert found.outcome is Outcome.FAILED
    assert "Insufficient nvidia.com/gpu" in found.detail, "the scheduler's word"
    assert "karpenter" in found.detail
    assert "limit" in found.detail
    assert len(nodes(machine, "a100")) == 1
    jobs = machine.cluster.objects("batch/v1", "Job", f"{NAME}-vision")
    assert [each for each in jobs if "deletionTimestamp" not in each["metadata"]] == [], "it is cleaned up"


def test_a_pod_of_another_pool_gets_another_machine(machine, pools, until):
    name = pod(machine, pools, "l4", "third", 1)
    until(lambda: placed(machine, name), 120)
    (node,) = nodes(machine, "l4")
    assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "l4-machine"
    machine.cluster.delete("v1", "Pod", f"{NAME}-vision", name)


def test_a_node_without_pods_goes(machine, pools, until):
    until(lambda: nodes(machine, "l4") == [], 120)
    assert len(nodes(machine, "a100")) == 1, "the one with a pod stays"
