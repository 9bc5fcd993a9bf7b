"""GPU pools: what is known of them before a cluster is reached, and the rules on that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.pools import GpuPool
from blueprints.names import GPU

POOL_LABEL = "ziggurat.dev/pool"
"""The label by which the nodes of a pool are found that names no labels of its own."""
RESERVED_POOL = "cpu"
"""What nodes without GPUs go by."""


def selector(name: str, pool: GpuPool) -> dict[str, str]:
    """The labels of the pool's nodes."""
    return dict(pool.node_selector) or {POOL_LABEL: name}


def capacity(pool: GpuPool) -> int | None:
    """The most GPUs that the pool can have, as pods ask for them; None where that is not known."""
    if pool.nodes is None or pool.mig is not None:
        return None
    return pool.nodes.max * pool.gpus_per_node * (pool.time_slicing or 1)


def total(pools: Mapping[str, GpuPool]) -> int | None:
    """The most GPUs that all pools can have together; None where that is not known."""
    known = [capacity(pool) for pool in pools.values()]
    return None if None in known else sum(count for count in known if count is not None)


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
    if GPU in blueprint.teams and any(pool.device_plugin != "none" for pool in blueprint.gpu_pools.values()):
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
    """Existing nodes can be found, belong to one pool, and are as they are."""
    existing = {name: pool for name, pool in blueprint.gpu_pools.items() if pool.provider == "existing"}
    for name, pool in existing.items():
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
    for (one, first), (other, second) in combinations(existing.items(), 2):
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
        if pool.time_slicing and pool.device_plugin == "none":
            yield Finding(
                ("gpuPools", name, "timeSlicing"),
                "is not done by anything",
                str(pool.time_slicing),
                "the platform's own device plugin shares GPUs",
                "write `devicePlugin: devicePlugin` or `operator`",
            )
        if pool.mig and pool.device_plugin != "operator":
            yield Finding(
                ("gpuPools", name, "mig"),
                "is not done by anything",
                pool.mig,
                "NVIDIA's GPU operator divides GPUs",
                "write `devicePlugin: operator`; where GPUs are divided already, `gpusPerNode` counts parts",
            )


def one_operator(blueprint: Blueprint) -> Iterator[Finding]:
    """The GPU operator, which sees to every GPU node, treats them alike."""
    pools = blueprint.gpu_pools
    first = next((name for name, pool in pools.items() if pool.device_plugin == "operator"), None)
    if first is None:
        return
    for name, pool in pools.items():
        if pool.device_plugin != "operator":
            yield Finding(
                ("gpuPools", name, "devicePlugin"),
                f"does not go together with the operator of pool {first}",
                pool.device_plugin,
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


WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (unlabelled_nodes,)
"""What is allowed and needs a hand."""
