"""GPU pools as pods see them: which nodes, and the taints that keep others off."""

from __future__ import annotations

from collections.abc import Mapping

from blueprints import pools
from blueprints.model.pools import GpuPool
from components.manifests.metadata import Manifest

GPU = "nvidia.com/gpu"
"""The resource that pods ask for, and the key of the taint on nodes that have it."""


def placement(name: str, pool: GpuPool) -> Manifest:
    """`nodeSelector` and `tolerations` of a pod that runs on the pool."""
    return {"nodeSelector": pools.selector(name, pool), "tolerations": tolerations(name, pool)}


def tolerations(name: str, pool: GpuPool) -> list[Manifest]:
    """Those of the taints of the pool's nodes, whatever value a cloud gives them."""
    return [
        {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}
        for taint in pools.taints(name, pool)
    ]


def every_toleration(gpu_pools: Mapping[str, GpuPool]) -> list[Manifest]:
    """Those of what runs on the nodes of all pools."""
    found: list[Manifest] = []
    for name, pool in sorted(gpu_pools.items()):
        found += [each for each in tolerations(name, pool) if each not in found]
    return found
