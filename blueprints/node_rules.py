"""The rules on GPU nodes that somebody makes: what their maker has to be told, and what can be had there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from blueprints.accelerators import counts, known_at
from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.nodes import KarpenterNodes
from blueprints.model.pools import GpuPool
from blueprints.names import fit
from blueprints.pools import (
    COMPUTE_CLASS,
    cloud,
    has_compute_class,
    is_of_program,
    karpenter_nodes,
    made,
    makes_node_class,
    named_machines,
    selector,
)

_PARTS = ("karpenter", "gke", "eks", "aks")
_CLOUDS = {"aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}
_MIG_AT_AKS = (1, 2, 3, 4, 7)
"""The parts of a GPU that AKS divides into (`gpuInstanceProfile` MIG1g, MIG2g, …)."""
_SHARED_AT_GKE = 48
"""The most pods that share a GPU at GKE."""


def providers(blueprint: Blueprint) -> Iterator[Finding]:
    """A pool tells its own provider what it needs, and no other."""
    for name, pool in blueprint.gpu_pools.items():
        for part in _PARTS:
            if part != pool.provider and getattr(pool, part) is not None:
                yield Finding(
                    ("gpuPools", name, part),
                    "has no effect",
                    rule=f"the nodes are made by {pool.provider}"
                    if pool.provider != "existing"
                    else "the nodes are there already: `provider` is existing",
                    remedy=f"write `provider: {part}`, or take it out",
                )
        if pool.provider in ("eks", "aks") and getattr(pool, pool.provider) is None:
            yield Finding(
                ("gpuPools", name, pool.provider),
                "is missing",
                rule=f"nodes of {pool.provider.upper()} are made in a cluster that has to be named",
                remedy="add it: the cluster and what its nodes need",
            )


def node_pools_of_gke(blueprint: Blueprint) -> Iterator[Finding]:
    """A node pool of GKE is in a cluster; a ComputeClass is in the one that it is put into."""
    for name, pool in made(blueprint):
        if pool.provider != "gke" or pool.gke is None:
            continue
        given = {"cluster": pool.gke.cluster, "location": pool.gke.location, "project": pool.gke.project}
        wanted = ("cluster", "location") if pool.gke.mode == "nodePool" else ()
        for key in wanted:
            if given[key] is None:
                yield Finding(
                    ("gpuPools", name, "gke", key),
                    "is missing",
                    rule="with `mode: nodePool`, the program that makes the node pool has to be told",
                    remedy="add it, or take `mode` out: then GKE makes nodes by a ComputeClass",
                )
        for key, value in given.items():
            if value is not None and pool.gke.mode == "computeClass":
                yield Finding(
                    ("gpuPools", name, "gke", key),
                    "has no effect",
                    value,
                    "a ComputeClass is in the cluster of the platform",
                    "write `mode: nodePool`, or take it out",
                )


def compute_classes(blueprint: Blueprint) -> Iterator[Finding]:
    """GKE keeps some names of ComputeClasses for itself."""
    for name, pool in made(blueprint):
        called = selector(name, pool).get(COMPUTE_CLASS, "")
        if has_compute_class(pool) and called.startswith(("gke", "autopilot")):
            yield Finding(
                ("gpuPools", name),
                "makes a ComputeClass that GKE refuses",
                called,
                "its name begins neither with gke nor with autopilot",
                f"name it: `nodeSelector: {{{COMPUTE_CLASS}: NAME}}`",
            )


def node_classes(blueprint: Blueprint) -> Iterator[Finding]:
    """Karpenter has one node class for the pool: one that is there, or all that makes one."""
    for name, pool in made(blueprint):
        if pool.provider == "karpenter":
            yield from _node_class(("gpuPools", name, "karpenter"), karpenter_nodes(pool))


def _node_class(where: tuple[str, ...], nodes: KarpenterNodes) -> Iterator[Finding]:
    if not makes_node_class(nodes):
        return
    if nodes.node_class_ref:
        yield Finding(
            (*where, "nodeClassRef"),
            "is one node class in too many",
            nodes.node_class_ref.name,
            "role, subnets and security groups make an EC2NodeClass for the pool",
            "take it out, or take those out",
        )
        return
    if nodes.role and nodes.instance_profile:
        yield Finding(
            (*where, "instanceProfile"),
            "is one identity in too many",
            nodes.instance_profile,
            "`role` or `instanceProfile`, not both",
            "keep one",
        )
    missing = {
        "role": not (nodes.role or nodes.instance_profile),
        "subnets": not nodes.subnets,
        "securityGroups": not nodes.security_groups,
    }
    for key, is_missing in missing.items():
        if is_missing:
            yield Finding(
                (*where, key),
                "is missing",
                rule="an EC2NodeClass has `role` (or `instanceProfile`), `subnets` and `securityGroups`",
                remedy="add it, or name a node class that is there as `nodeClassRef`",
            )


def accelerators(blueprint: Blueprint) -> Iterator[Finding]:
    """There are machines with the pool's GPUs, so many in each, where its nodes are made."""
    for name, pool in made(blueprint):
        if named_machines(pool):
            continue
        where, kind = cloud(pool), pool.accelerator
        if where is None:
            yield Finding(
                ("gpuPools", name, "karpenter", "instanceTypes"),
                "is missing",
                rule="of machines that are not AWS' Ziggurat does not know the GPUs",
                remedy="name the types of machines that have them",
            )
        elif kind is None:
            yield Finding(
                ("gpuPools", name),
                "has no nodes",
                rule="nodes are made by the kind of their GPUs, or by the names of machines",
                remedy=f"add `accelerator`: one of {', '.join(known_at(where))}",
            )
        elif kind not in known_at(where):
            near = get_close_matches(kind, known_at(where), 1)
            yield Finding(
                ("gpuPools", name, "accelerator"),
                f"has no nodes: {_CLOUDS[where]} has no machines with it that Ziggurat knows",
                kind,
                f"one of {', '.join(known_at(where))}",
                f"did you mean `{near[0]}`? Or name the machines"
                if near
                else "take one, or name the machines",
            )
        elif pool.gpus_per_node not in counts(where, kind):
            numbers = ", ".join(map(str, counts(where, kind)))
            yield Finding(
                ("gpuPools", name, "gpusPerNode"),
                f"has no nodes: {_CLOUDS[where]} has no machine with so many of {kind}",
                str(pool.gpus_per_node),
                f"its machines have {numbers}",
                "take one of these, or name the machines",
            )


def node_counts_of_makers(blueprint: Blueprint) -> Iterator[Finding]:
    """Who makes nodes can keep so many, and a node pool has a size."""
    for name, pool in made(blueprint):
        nodes = pool.nodes
        if nodes is None:
            if is_of_program(pool):
                yield Finding(
                    ("gpuPools", name, "nodes"),
                    "is missing",
                    rule="a node pool has a size",
                    remedy="add `nodes: {min: 0, max: …}`",
                )
        elif pool.provider == "karpenter" and nodes.min not in (0, nodes.max):
            yield Finding(
                ("gpuPools", name, "nodes", "min"),
                "cannot be kept by Karpenter",
                str(nodes.min),
                "it makes nodes as pods ask for them (min 0), or keeps a number of them (min as max)",
                "write 0, or the same as `max`",
            )
        elif has_compute_class(pool) and nodes.min:
            yield Finding(
                ("gpuPools", name, "nodes", "min"),
                "cannot be kept by a ComputeClass",
                str(nodes.min),
                "GKE deletes the nodes that it made when no pod needs them",
                "write 0, or `gke: {mode: nodePool}`",
            )


def shared_by_clouds(blueprint: Blueprint) -> Iterator[Finding]:
    """Clouds that share and divide GPUs themselves do so within bounds."""
    for name, pool in made(blueprint):
        if pool.provider == "gke" and (pool.time_slicing or 0) > _SHARED_AT_GKE:
            yield Finding(
                ("gpuPools", name, "timeSlicing"),
                "is too many for GKE",
                str(pool.time_slicing),
                f"at most {_SHARED_AT_GKE} pods share a GPU there",
                "lower it",
            )
        if pool.provider == "aks" and pool.mig and int(pool.mig[0]) not in _MIG_AT_AKS:
            yield Finding(
                ("gpuPools", name, "mig"),
                "is not divided so by AKS",
                pool.mig,
                f"its profiles begin with {', '.join(f'{part}g' for part in _MIG_AT_AKS)}",
                "take another",
            )


def pool_names_of_aks(blueprint: Blueprint) -> Iterator[Finding]:
    """Two pools of one AKS cluster are called differently."""
    seen: dict[tuple[str, str, str], str] = {}
    for name, pool in made(blueprint):
        if pool.aks is None or pool.provider != "aks":
            continue
        called = aks_pool_name(name, pool)
        other = seen.setdefault((pool.aks.resource_group, pool.aks.cluster, called), name)
        if other != name:
            yield Finding(
                ("gpuPools", name, "aks", "poolName"),
                f"is that of pool {other}",
                called,
                "names of AKS have up to 12 letters and digits, and are made of the pool's",
                "name it",
            )


def aks_pool_name(name: str, pool: GpuPool) -> str:
    """What Azure calls the pool: letters and digits, up to 12 of them."""
    given = pool.aks.pool_name if pool.aks else None
    return given or fit(name.replace("-", ""), 12).replace("-", "")


NODE_RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    providers,
    node_pools_of_gke,
    compute_classes,
    node_classes,
    accelerators,
    node_counts_of_makers,
    shared_by_clouds,
    pool_names_of_aks,
)
"""What makes pools invalid whose nodes somebody makes."""


def static_capacity(blueprint: Blueprint) -> Iterator[Finding]:
    """Karpenter keeps a number of nodes only with a feature that is off by default (alpha in 1.14)."""
    for name, pool in made(blueprint):
        if pool.provider == "karpenter" and pool.nodes and pool.nodes.min:
            yield Finding(
                ("gpuPools", name, "nodes", "min"),
                "needs a feature of Karpenter that is off by default",
                str(pool.nodes.min),
                "nodes that are kept are its static capacity (alpha)",
                "start Karpenter with `settings.featureGates.staticCapacity=true`, or write 0",
            )


NODE_WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (static_capacity,)
"""What is allowed and needs a hand."""
