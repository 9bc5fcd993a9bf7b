"""The cluster program: what it registers for each cloud, and whether the clouds' SDKs take it."""

from __future__ import annotations

import pprint
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pulumi
import pytest

from blueprints import load
from blueprints.pools import is_of_program, taints
from components import clouds
from components.manifests.pools import placement
from stacks.nodes.program import build
from ziggurat.plan.recording import record

FILE = Path(__file__).parent / "variants" / "pools-clouds-all.yaml"
POOLS = load(FILE).blueprint.gpu_pools
MADE = {name: clouds.arguments("acme-ml", name, pool) for name, pool in POOLS.items() if is_of_program(pool)}
TOKENS = {
    "eks": "aws:eks/nodeGroup:NodeGroup",
    "gke": "gcp:container/nodePool:NodePool",
    "aks": "azure-native:containerservice:AgentPool",
}


def nodes(name):
    """Labels and taints (key, value) that the nodes of a pool get from the cloud's resource."""
    made = MADE[name]
    match POOLS[name].provider:
        case "eks":
            return made["labels"], {(each["key"], each["value"]) for each in made["taints"]}
        case "gke":  # which adds the taint itself
            return made["node_config"]["labels"], {("nvidia.com/gpu", "present")}
        case _:
            split = (each.partition(":")[0].split("=") for each in made["node_taints"])
            return made["node_labels"], {(key, value) for key, value in split}


@pytest.mark.parametrize("name", MADE)
def test_pods_of_the_platform_find_the_nodes_and_tolerate_them(name):
    labels, found = nodes(name)
    place = placement(name, POOLS[name])
    assert place["nodeSelector"].items() <= labels.items()
    assert found == {(each["key"], each["value"]) for each in taints(name, POOLS[name])}
    assert {key for key, _ in found} == {each["key"] for each in place["tolerations"]}


def test_nodes_that_are_there_or_made_in_the_cluster_are_left_out():
    assert set(MADE) == set(POOLS) - {"there"}


def test_a_node_group_of_eks():
    made = MADE["rocket"]
    assert made["scaling_config"] == {"min_size": 1, "max_size": 2, "desired_size": 1}
    assert (made["capacity_type"], made["ami_type"]) == ("SPOT", "BOTTLEROCKET_x86_64_NVIDIA")
    assert made["instance_types"] == ["g6.4xlarge", "gr6.4xlarge"]
    assert made["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]


def test_a_node_pool_of_gke_shares_and_divides_gpus_itself():
    config = MADE["l4"]["node_config"]
    assert config["machine_type"] == "g2-standard-24", "the smallest with two"
    assert config["guest_accelerators"][0]["gpu_sharing_config"] == {
        "gpu_sharing_strategy": "TIME_SHARING",
        "max_shared_clients_per_gpu": 4,
    }
    assert MADE["h100"]["node_config"]["guest_accelerators"][0]["gpu_partition_size"] == "1g.10gb"
    assert MADE["l4"]["autoscaling"]["total_max_node_count"] == 4


def test_an_agent_pool_of_aks():
    made = MADE["a100"]
    assert (made["vm_size"], made["gpu_instance_profile"]) == ("Standard_NC24ads_A100_v4", "MIG2g")
    assert made["node_taints"] == [
        "nvidia.com/gpu=present:NoSchedule",
        "kubernetes.azure.com/scalesetpriority=spot:NoSchedule",
    ]
    assert (made["scale_set_priority"], made["min_count"], made["max_count"]) == ("Spot", 1, 2)
    assert made["agent_pool_name"].isalnum()


def recorded():
    run = record(lambda: build(load(FILE)))
    return {each.type: each for each in run.resources if each.custom}, run


def check_registered(found, run):
    assert set(found) == set(TOKENS.values())
    assert [each.name for each in run.resources if each.custom] == [
        "acme-ml-a100", "acme-ml-h100", "acme-ml-l4", "acme-ml-rocket",
    ]  # fmt: skip
    (component,) = [each for each in run.resources if not each.custom]
    assert component.type == "ziggurat:index:CloudNodePools"
    assert all(each.parent == component.urn for each in found.values())
    names = run.outputs[run.stack]["nodePools"]
    assert names == {"a100": "a100", "h100": "acme-ml-h100", "l4": "acme-ml-l4", "rocket": "acme-ml-rocket"}


def test_the_program_registers_a_node_pool_each(monkeypatch):
    """With classes in place of the SDKs' that only say what the resource is."""

    def stand_in(kind):
        provider = next(key for key, each in clouds.KINDS.items() if each == kind)
        return lambda called, /, opts, **given: pulumi.CustomResource(TOKENS[provider], called, given, opts)

    monkeypatch.setattr(clouds, "_resource", stand_in)
    check_registered(*recorded())


def test_a_missing_sdk_is_said_with_the_extra_that_installs_it(monkeypatch):
    kind = clouds.Kind("pulumi_nowhere.eks", "NodeGroup", "aws", "pulumi-aws", "x")
    monkeypatch.setitem(clouds.KINDS, "eks", kind)
    monkeypatch.setitem(clouds.KINDS, "aks", kind)
    monkeypatch.setitem(clouds.KINDS, "gke", kind)
    with pytest.raises(pulumi.RunError, match=r"pip install 'ziggurat\[aws\]'"):
        record(lambda: build(load(FILE)))


def test_the_platform_program_needs_no_sdk():
    code = (
        "import sys, stacks.program, components.platform; "
        "sdks = ('pulumi_aws', 'pulumi_gcp', 'pulumi_azure'); "
        "print([name for name in sys.modules if name.startswith(sdks)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def require_sdks():
    missing = [kind.package for kind in clouds.KINDS.values() if not find_spec(kind.module.partition(".")[0])]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (the extras aws, gcp and azure)")


def test_the_sdks_register_what_the_program_makes():
    require_sdks()
    found, run = recorded()
    check_registered(found, run)
    group = found[TOKENS["eks"]].inputs
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 2, "desiredSize": 1}
    pool = found[TOKENS["aks"]].inputs
    assert (pool["resourceName"], pool["gpuProfile"]) == ("ml", {"driver": "Install"})


def test_the_sdks_types_take_what_the_program_makes(tmp_path):
    """pyright, strict about every key, on the resources as a person would write them."""
    require_sdks()
    lines = ["import pulumi_aws", "import pulumi_azure_native.containerservice", "import pulumi_gcp", ""]
    for name, given in MADE.items():
        kind = clouds.KINDS[POOLS[name].provider]
        arguments = ",\n".join(f"    {key}={pprint.pformat(value)}" for key, value in given.items())
        lines.append(f"{kind.module}.{kind.name}(\n    {name!r},\n{arguments},\n)\n")
    file = tmp_path / "node_pools.py"
    file.write_text("\n".join(lines))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    file.write_text(file.read_text().replace("'desired_size'", "'desired_sise'"))
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1, "a misspelt key is found"
    assert "NodeGroupScalingConfig" in again.stdout
