"""The rules on GPU pools that hold whoever makes their nodes. node_rules.py has those on made nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.pools import GpuPool
from blueprints.names import GPU
from blueprints.node_rules import NODE_RULES, NODE_WARNINGS
from blueprints.pools import (
    POOL_LABEL,
    RESERVED_POOL,
    device_plugin,
    has_own_plugin,
    is_made,
    selector,
    total,
)


def names(blueprint: Blueprint) -> Iterator[Finding]:
    """No pool is called like what has no GPUs, and no team like the namespace of GPU software."""
    if RESERVED_POOL in blueprint.gpu_pools:
        yield Finding(
            ("gpuPools", RESERVED_POOL),
            "is reserved",
            RESERVED_POOL,
            "nodes without GPUs go by this name",
            "choose another name",
        )
    if GPU in blueprint.teams and any(device_plugin(pool) != "none" for pool in blueprint.gpu_pools.values()):
        yield Finding(
            ("teams", GPU),
            "is reserved where the platform installs GPU software",
            GPU,
            f"the namespace {blueprint.name}-{GPU} is for that",
            "choose another name",
        )


def node_counts(blueprint: Blueprint) -> Iterator[Finding]:
    """The most nodes are not fewer than the fewest."""
    for name, pool in blueprint.gpu_pools.items():
        if pool.nodes and pool.nodes.min > pool.nodes.max:
            yield Finding(
                ("gpuPools", name, "nodes", "min"),
                "is more than the most",
                str(pool.nodes.min),
                f"at most `max`, which is {pool.nodes.max}",
                "lower it, or raise `max`",
            )


def existing_nodes(blueprint: Blueprint) -> Iterator[Finding]:
    """Existing nodes can be found, and are as they are."""
    for name, pool in blueprint.gpu_pools.items():
        if is_made(pool):
            continue
        if not pool.node_selector and pool.accelerator is None:
            yield Finding(
                ("gpuPools", name),
                "has no nodes",
                rule="existing nodes are found by their labels, and nothing is told of these",
                remedy="add `nodeSelector`: labels that they carry and no other node does",
            )
        if pool.spot:
            yield Finding(
                ("gpuPools", name, "spot"),
                "cannot be asked of nodes that exist already",
                "true",
                "`spot` is for providers that make nodes",
                "take it out",
            )


def one_pool_each(blueprint: Blueprint) -> Iterator[Finding]:
    """A node belongs to one pool."""
    for (one, first), (other, second) in combinations(blueprint.gpu_pools.items(), 2):
        if selector(one, first) == selector(other, second):
            yield Finding(
                ("gpuPools", other, "nodeSelector"),
                f"finds the nodes of pool {one}",
                rule="a node belongs to one pool: its GPUs would be counted twice",
                remedy="name a label in which they differ, or make one pool of both",
            )


def device_plugins(blueprint: Blueprint) -> Iterator[Finding]:
    """Each node has one device plugin, and what a pool asks of it can be had."""
    for name, pool in blueprint.gpu_pools.items():
        own, chosen = has_own_plugin(pool), device_plugin(pool)
        if own and chosen != "none":
            yield Finding(
                ("gpuPools", name, "devicePlugin"),
                "would be the second one on these nodes",
                chosen,
                own,
                "take it out",
            )
        elif pool.time_slicing and chosen == "none" and pool.provider != "gke":
            yield Finding(
                ("gpuPools", name, "timeSlicing"),
                "is not done by anything",
                str(pool.time_slicing),
                f"{own}, which Ziggurat does not configure"
                if own
                else "the platform's own device plugin shares GPUs",
                "choose Amazon Linux" if own else "write `devicePlugin: devicePlugin` or `operator`",
            )
        if pool.mig and not _divides(pool):
            yield Finding(
                ("gpuPools", name, "mig"),
                "is not done by anything",
                pool.mig,
                "NVIDIA's GPU operator divides GPUs",
                "write `devicePlugin: operator`; where GPUs are divided already, `gpusPerNode` counts parts",
            )


def _divides(pool: GpuPool) -> bool:
    """Whether somebody divides the GPUs of the pool's nodes: GKE and AKS do when they make them."""
    return pool.provider in ("gke", "aks") or device_plugin(pool) == "operator"


def one_operator(blueprint: Blueprint) -> Iterator[Finding]:
    """The GPU operator, which sees to every GPU node, treats them alike."""
    pools = blueprint.gpu_pools
    first = next((name for name, pool in pools.items() if device_plugin(pool) == "operator"), None)
    if first is None:
        return
    for name, pool in pools.items():
        if device_plugin(pool) != "operator":
            yield Finding(
                ("gpuPools", name, "devicePlugin"),
                f"does not go together with the operator of pool {first}",
                device_plugin(pool),
                "the GPU operator puts its device plugin on every GPU node of the cluster",
                "write `devicePlugin: operator` here too, or nowhere",
            )
            continue
        for key, mine, theirs in (
            ("timeSlicing", pool.time_slicing, pools[first].time_slicing),
            ("mig", pool.mig, pools[first].mig),
        ):
            if mine != theirs:
                yield Finding(
                    ("gpuPools", name, key),
                    f"is not that of pool {first}",
                    str(mine or ""),
                    f"one GPU operator treats all nodes alike: {theirs or 'without'}",
                    "make them the same, or use `devicePlugin: devicePlugin`, which differs by pool",
                )


def quotas(blueprint: Blueprint) -> Iterator[Finding]:
    """No team is promised more GPUs than there can be."""
    most = total(blueprint.gpu_pools) if blueprint.gpu_pools else None
    for name, team in blueprint.teams.items():
        if most is not None and team.quota.gpus > most:
            yield Finding(
                ("teams", name, "quota", "gpus"),
                "is more than all GPU pools have",
                str(team.quota.gpus),
                f"at most {most}: `nodes.max` x `gpusPerNode` of each of gpuPools",
                "lower it, or raise `nodes.max` of a pool",
            )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    names,
    node_counts,
    existing_nodes,
    one_pool_each,
    *NODE_RULES,
    device_plugins,
    one_operator,
    quotas,
)
"""What makes GPU pools invalid."""


def unlabelled_nodes(blueprint: Blueprint) -> Iterator[Finding]:
    """Nodes of a pool without labels of its own are found by a label that somebody has to give them."""
    for name, pool in blueprint.gpu_pools.items():
        if pool.provider == "existing" and pool.accelerator and not pool.node_selector and blueprint.cluster:
            yield Finding(
                ("gpuPools", name),
                "needs its nodes labelled",
                rule="without `nodeSelector`, they are those with the label of the pool",
                remedy=f"kubectl label node NODE {POOL_LABEL}={name}",
            )


WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (unlabelled_nodes, *NODE_WARNINGS)
"""What is allowed and needs a hand."""
