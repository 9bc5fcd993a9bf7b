"""From a blueprint's GPU pools to the nodes that a sandbox simulates for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ziggurat.sandbox.model import GpuNodes

if TYPE_CHECKING:
    from blueprints.model.pools import GpuPool


def gpu_nodes(platform: str, pools: Mapping[str, GpuPool]) -> dict[str, GpuNodes]:
    """The nodes of each pool: the fewest that the pool has, but at least one, with the pool's own labels.

    Nobody makes nodes in a sandbox, so it has those of pools, too, that Karpenter or a cloud would make. They
    are the platform's alone, and are called after it; existing ones are shared by platforms that name them.
    """
    from blueprints.pools import is_made, selector, taints

    return {
        f"{platform}-{name}" if is_made(pool) else name: GpuNodes(
            count=max(1, pool.nodes.min if pool.nodes else 1),
            gpus=pool.gpus_per_node * (pool.time_slicing or 1),
            labels=(selector(name, pool) if is_made(pool) else dict(pool.node_selector))
            | ({"nvidia.com/gpu.product": pool.accelerator} if pool.accelerator else {}),
            taints=taints(name, pool)[1:],
            provider=pool.provider,
        )
        for name, pool in pools.items()
    }
