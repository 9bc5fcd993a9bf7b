"""GPU nodes that somebody makes: what makes them, and that whatever runs there tolerates their taints."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints import load
from blueprints.accelerators import ACCELERATORS, counts, machines
from blueprints.model.nodes import EksNodes, KarpenterNodes
from blueprints.model.pools import GpuPool, Nodes
from blueprints.pools import device_plugin, selector, taints
from components.manifests.metadata import App
from components.manifests.pools import every_toleration, placement
from components.manifests.queues import flavor
from components.pools import node_objects, operator_values, plugin_values
from components.versions import ImageSource
from ziggurat.sandbox import gpu_nodes, objects

VARIANTS = Path(__file__).parents[2] / "program" / "variants"
APP = App("acme-ml", "acme-ml-gpu", "gpu", "gpu-pools")
POOLS = {
    f"{file}-{name}": (name, pool)
    for file in ("karpenter", "gke", "clouds")
    for name, pool in load(VARIANTS / f"pools-{file}.yaml").blueprint.gpu_pools.items()
}


def tolerates(tolerations, taint):
    """Kubernetes' own rule."""
    return any(
        each.get("key") in (None, taint["key"])
        and each.get("effect") in (None, taint["effect"])
        and (each.get("operator") == "Exists" or each.get("value", "") == taint["value"])
        for each in tolerations
    )


@pytest.mark.parametrize("which", POOLS)
def test_whatever_runs_on_a_pool_tolerates_every_taint_of_its_nodes(which):
    name, pool = POOLS[which]
    operator = operator_values({name: pool}, ImageSource())
    everything = {
        "pods of teams": placement(name, pool)["tolerations"],
        "Kueue's flavour": flavor(APP, name, pool)["spec"]["tolerations"],
        "device plugin": plugin_values(name, pool, ImageSource())["tolerations"],
        "operator": operator["daemonsets"]["tolerations"],
        "node feature discovery": operator["node-feature-discovery"]["worker"]["tolerations"],
    }
    # A cloud may give a taint another value than is known here.
    for taint in (*taints(name, pool), *({**each, "value": ""} for each in taints(name, pool))):
        for who, tolerations in everything.items():
            assert tolerates(tolerations, taint), (who, taint)


def test_the_operator_tolerates_the_taints_of_all_pools():
    every = every_toleration(dict(POOLS.values()))
    assert [each["key"] for each in every].count("nvidia.com/gpu") == 1
    assert all(tolerates(every, taint) for name, pool in POOLS.values() for taint in taints(name, pool))


def test_clouds_own_taints():
    spot = GpuPool(provider="aks", spot=True)
    assert {each["key"]: each["value"] for each in taints("a", spot)} == {
        "nvidia.com/gpu": "present",
        "kubernetes.azure.com/scalesetpriority": "spot",
    }
    name, pool = POOLS["gke-l4"]
    assert taints(name, pool)[1]["value"] == selector(name, pool)["cloud.google.com/compute-class"]
    assert selector(name, pool) == {"cloud.google.com/compute-class": "acme-ml-l4"}


@pytest.mark.parametrize("which", POOLS)
def test_nodes_of_the_sandbox_are_those_that_pods_of_the_pool_go_to(which):
    name, pool = POOLS[which]
    node = objects.nodes(gpu_nodes("acme-ml", {name: pool}), "1.36.0")[-1]
    place = placement(name, pool)
    assert place["nodeSelector"].items() <= node["metadata"]["labels"].items()
    assert all(tolerates(place["tolerations"], taint) for taint in node["spec"]["taints"])
    assert {each["key"] for each in node["spec"]["taints"]} == {each["key"] for each in taints(name, pool)}


def made(which):
    name, pool = POOLS[which]
    return {each["kind"]: each for each in node_objects(APP, name, pool)}


def requirements(node_pool):
    return {each["key"]: each["values"] for each in node_pool["spec"]["template"]["spec"]["requirements"]}


def test_karpenter_is_told_which_machines_and_how_many_at_most():
    found = made("karpenter-a100")
    assert set(found) == {"NodePool"}
    spec = found["NodePool"]["spec"]
    assert requirements(found["NodePool"]) == {
        "kubernetes.io/arch": ["amd64"],
        "kubernetes.io/os": ["linux"],
        "karpenter.sh/capacity-type": ["on-demand"],
        "karpenter.k8s.aws/instance-gpu-manufacturer": ["nvidia"],
        "karpenter.k8s.aws/instance-gpu-name": ["a100"],
        "karpenter.k8s.aws/instance-gpu-memory": ["81920"],
        "karpenter.k8s.aws/instance-gpu-count": ["8"],
    }
    assert spec["limits"] == {"nodes": "4", "nvidia.com/gpu": "32"}
    template = spec["template"]
    assert template["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    ]
    assert template["metadata"]["labels"] == selector(*POOLS["karpenter-a100"])
    assert template["spec"]["nodeClassRef"]["name"] == "default"


def test_a_node_class_is_made_of_what_the_pool_says_and_is_the_one_that_is_used():
    found = made("karpenter-l4")
    assert list(found) == ["EC2NodeClass", "NodePool"], "the class comes first, and goes last"
    assert found["EC2NodeClass"]["metadata"]["name"] == "acme-ml-l4"
    assert found["NodePool"]["spec"]["template"]["spec"]["nodeClassRef"] == {
        "group": "karpenter.k8s.aws",
        "kind": "EC2NodeClass",
        "name": "acme-ml-l4",
    }
    assert found["EC2NodeClass"]["spec"]["role"] == "acme-ml-nodes"
    assert made("karpenter-rocket")["EC2NodeClass"]["spec"]["instanceProfile"] == "acme-ml-nodes"
    assert requirements(found["NodePool"])["karpenter.sh/capacity-type"] == ["spot"]


def test_shared_gpus_are_not_counted_against_the_limit():
    """A node with four pods for each GPU says that it has four times as many."""
    assert made("karpenter-l4")["NodePool"]["spec"]["limits"] == {"nodes": "3"}


def test_kept_nodes_are_another_node_pool_with_no_other_limit():
    kept = made("karpenter-kept")["NodePool"]
    assert kept["metadata"]["name"] == "acme-ml-kept-static"
    assert (kept["spec"]["replicas"], kept["spec"]["limits"]) == (2, {"nodes": "2"})


def test_a_node_class_of_another_cloud_gets_named_machines():
    other = made("karpenter-other")["NodePool"]
    assert requirements(other)["node.kubernetes.io/instance-type"] == ["Standard_NC24ads_A100_v4"]
    assert not [key for key in requirements(other) if key.startswith("karpenter.k8s.aws")]


def test_gke_shares_and_divides_itself():
    spec = made("gke-l4")["ComputeClass"]["spec"]
    assert spec["priorities"][0]["gpu"] == {
        "type": "nvidia-l4",
        "count": 2,
        "gpuSharing": {"sharingStrategy": "TIME_SHARING", "maxSharedClientsPerGPU": 4},
    }
    assert spec["priorities"][0]["spot"] is True
    divided = made("gke-h100")["ComputeClass"]["spec"]
    assert divided["priorities"][0]["gpu"]["gpuSharing"] == {"gpuPartitionSize": "1g.10gb"}
    assert divided["priorities"][0]["machineType"] == "a3-highgpu-1g"
    assert divided["whenUnsatisfiable"] == "DoNotScaleUp"


@pytest.mark.parametrize("which", ["gke-pool", "clouds-a10g", "clouds-a100"])
def test_nodes_that_are_a_resource_of_the_cloud_are_not_made_in_the_cluster(which):
    assert made(which) == {}


def test_where_a_device_plugin_is_installed_without_being_asked_for():
    installed = {which: device_plugin(pool) for which, (_, pool) in POOLS.items()}
    assert {which for which, plugin in installed.items() if plugin == "devicePlugin"} == {
        "karpenter-a100",
        "karpenter-l4",
        "karpenter-kept",
        "clouds-a10g",
        "clouds-a100",
    }
    assert set(installed.values()) == {"devicePlugin", "none"}
    rocket = EksNodes(
        cluster="ml",
        node_role_arn="arn:aws:iam::123456789012:role/n",
        subnet_ids=["subnet-0a"],
        ami_type="BOTTLEROCKET_x86_64_NVIDIA",
    )
    assert device_plugin(GpuPool(provider="eks", eks=rocket)) == "none"
    assert device_plugin(GpuPool()) == "none"


def test_a_gpu_that_aks_divided_goes_by_the_name_of_a_whole_one():
    assert plugin_values(*POOLS["clouds-a100"], ImageSource())["migStrategy"] == "single"
    assert "migStrategy" not in plugin_values(*POOLS["clouds-a10g"], ImageSource())


def test_the_table_of_accelerators_is_whole():
    for name, each in ACCELERATORS.items():
        assert name.startswith("nvidia-")
        assert each.aws or each.gcp or each.azure, name
        assert bool(each.aws) == (each.ec2 is not None), name
        assert bool(each.gcp) == (each.gke is not None), name
    assert machines("aws", "nvidia-a10g", 4) == ("g5.12xlarge", "g5.24xlarge")
    assert counts("gcp", "nvidia-l4") == [1, 2, 4, 8]
    assert machines("azure", "nvidia-l4", 1) == ()
    names = [(each.name, each.gpus) for entry in ACCELERATORS.values() for each in entry.aws]
    assert len(names) == len({name for name, _ in names}), "an EC2 instance type has one kind of GPU"


def test_pools_made_by_hand_need_no_labels_of_the_loader():
    pool = GpuPool(
        provider="karpenter", accelerator="nvidia-t4", nodes=Nodes(max=1), karpenter=KarpenterNodes()
    )
    (found,) = node_objects(APP, "t4", pool)
    assert found["spec"]["template"]["metadata"]["labels"] == placement("t4", pool)["nodeSelector"]
