"""GPU pools: what is known of them before a cluster is reached. The rules on that are in pool_rules.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from blueprints.accelerators import Cloud, machines
from blueprints.model.blueprint import Blueprint
from blueprints.model.nodes import KarpenterNodes, NodeClassRef
from blueprints.model.pools import GpuPool
from blueprints.names import fit

POOL_LABEL = "ziggurat.dev/pool"
"""The label by which the nodes of a pool are found that names no labels of its own."""
PLATFORM_LABEL = "ziggurat.dev/platform"
"""The label of nodes that are made for a platform: another one's pool may have the same name."""
COMPUTE_CLASS = "cloud.google.com/compute-class"
"""GKE's label, and taint, of nodes that it makes for a ComputeClass."""
RESERVED_POOL = "cpu"
"""What nodes without GPUs go by."""
EC2_GROUP = "karpenter.k8s.aws"
"""The API group of Karpenter's node classes at AWS."""
DEFAULT_NODE_CLASS = NodeClassRef(group=EC2_GROUP, kind="EC2NodeClass", name="default")
"""What pools of Karpenter use that name nothing: the node class that Karpenter's own guide makes."""

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
"""The taint of GPU nodes, with the value that GKE gives it; others may have given it another."""
AKS_SPOT = "kubernetes.azure.com/scalesetpriority"
"""AKS' label, and taint, of interruptible nodes."""


def resolved(blueprint: Blueprint) -> Blueprint:
    """The blueprint with the labels by which nodes that are made for a pool are found."""
    if all(not is_made(pool) for pool in blueprint.gpu_pools.values()):
        return blueprint
    pools = {
        name: pool.model_copy(update={"node_selector": _labels(blueprint.name, name, pool)})
        if is_made(pool)
        else pool
        for name, pool in blueprint.gpu_pools.items()
    }
    return blueprint.model_copy(update={"gpu_pools": pools})


def _labels(platform: str, name: str, pool: GpuPool) -> dict[str, str]:
    given = dict(pool.node_selector)
    if has_compute_class(pool):
        return {COMPUTE_CLASS: fit(f"{platform}-{name}"), **given}
    return given or {PLATFORM_LABEL: platform, POOL_LABEL: name}


def selector(name: str, pool: GpuPool) -> dict[str, str]:
    """The labels of the pool's nodes."""
    return dict(pool.node_selector) or {POOL_LABEL: name}


def taints(name: str, pool: GpuPool) -> list[dict[str, str]]:
    """The taints of the pool's nodes. Whoever runs there tolerates them whatever their value."""
    found = [dict(GPU_TAINT)]
    if has_compute_class(pool):
        value = selector(name, pool).get(COMPUTE_CLASS, name)
        found.append({"key": COMPUTE_CLASS, "value": value, "effect": "NoSchedule"})
    if pool.provider == "aks" and pool.spot:
        found.append({"key": AKS_SPOT, "value": "spot", "effect": "NoSchedule"})
    return found


def is_made(pool: GpuPool) -> bool:
    """Whether somebody makes the nodes."""
    return pool.provider != "existing"


def has_compute_class(pool: GpuPool) -> bool:
    """Whether GKE makes the nodes by a ComputeClass that the platform puts into the cluster."""
    return pool.provider == "gke" and (pool.gke is None or pool.gke.mode == "computeClass")


def is_of_program(pool: GpuPool) -> bool:
    """Whether its nodes are a resource of the cloud, which the cluster program makes."""
    return pool.provider in ("eks", "aks") or (pool.provider == "gke" and not has_compute_class(pool))


def karpenter_nodes(pool: GpuPool) -> KarpenterNodes:
    """What Karpenter makes the nodes of."""
    return pool.karpenter or KarpenterNodes()


def makes_node_class(nodes: KarpenterNodes) -> bool:
    """Whether an EC2NodeClass is made for the pool."""
    return bool(nodes.role or nodes.instance_profile or nodes.subnets or nodes.security_groups)


def node_class(nodes: KarpenterNodes) -> NodeClassRef:
    """The node class of a pool that makes none of its own."""
    return nodes.node_class_ref or DEFAULT_NODE_CLASS


def cloud(pool: GpuPool) -> Cloud | None:
    """Whose machines the nodes are; None where that is not known."""
    if pool.provider == "karpenter":
        return "aws" if node_class(karpenter_nodes(pool)).group == EC2_GROUP else None
    clouds: dict[str, Cloud] = {"gke": "gcp", "eks": "aws", "aks": "azure"}
    return clouds.get(pool.provider)


def named_machines(pool: GpuPool) -> tuple[str, ...]:
    """The types of machines that the blueprint names."""
    if pool.provider == "karpenter":
        return tuple(karpenter_nodes(pool).instance_types)
    if pool.provider == "eks" and pool.eks:
        return tuple(pool.eks.instance_types)
    single = {
        "gke": pool.gke.machine_type if pool.gke else None,
        "aks": pool.aks.vm_size if pool.aks else None,
    }.get(pool.provider)
    return (single,) if single else ()


def machine_types(pool: GpuPool) -> tuple[str, ...]:
    """The types of machines of a node pool: those that are named, or the smallest that has its GPUs."""
    where = cloud(pool)
    known = machines(where, pool.accelerator, pool.gpus_per_node) if where and pool.accelerator else ()
    return named_machines(pool) or known[:1]


def has_own_plugin(pool: GpuPool) -> str | None:
    """What already makes GPUs known to Kubernetes on nodes of this kind; None where nothing does."""
    if pool.provider == "gke":
        return "GKE runs a device plugin of its own"
    nodes = karpenter_nodes(pool)
    made_of = nodes.ami_alias if pool.provider == "karpenter" and makes_node_class(nodes) else ""
    if made_of.startswith("bottlerocket") or (pool.eks and pool.eks.ami_type.startswith("BOTTLEROCKET")):
        return "Bottlerocket's image has a device plugin"
    return None


def device_plugin(pool: GpuPool) -> Literal["none", "devicePlugin", "operator"]:
    """What makes GPUs known to Kubernetes; where the blueprint is silent, what nodes of this kind lack.

    Amazon Linux 2023 and AKS bring the driver alone. Where Karpenter makes nodes of a node class that is
    there, at AWS the image is taken to be Amazon Linux.
    """
    if pool.device_plugin is not None:
        return pool.device_plugin
    lacks = pool.provider in ("eks", "aks") or (pool.provider == "karpenter" and cloud(pool) == "aws")
    return "devicePlugin" if lacks and not has_own_plugin(pool) else "none"


def capacity(pool: GpuPool) -> int | None:
    """The most GPUs that the pool can have, as pods ask for them; None where that is not known."""
    if pool.nodes is None or pool.mig is not None:
        return None
    return pool.nodes.max * pool.gpus_per_node * (pool.time_slicing or 1)


def total(pools: Mapping[str, GpuPool]) -> int | None:
    """The most GPUs that all pools can have together; None where that is not known."""
    known = [capacity(pool) for pool in pools.values()]
    return None if None in known else sum(count for count in known if count is not None)


def made(blueprint: Blueprint) -> Iterator[tuple[str, GpuPool]]:
    """The pools whose nodes somebody makes."""
    return ((name, pool) for name, pool in blueprint.gpu_pools.items() if is_made(pool))
