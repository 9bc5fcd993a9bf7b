"""From a blueprint's GPU pools to the nodes that a sandbox simulates for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ziggurat.sandbox.model import GpuNodes

if TYPE_CHECKING:
    from blueprints.model.pools import GpuPool


def gpu_nodes(pools: Mapping[str, GpuPool]) -> dict[str, GpuNodes]:
    """The nodes of each pool: the fewest that the pool has, but at least one, with the pool's own labels."""
    return {
        name: GpuNodes(
            count=max(1, pool.nodes.min if pool.nodes else 1),
            gpus=pool.gpus_per_node * (pool.time_slicing or 1),
            labels=pool.node_selector
            | ({"nvidia.com/gpu.product": pool.accelerator} if pool.accelerator else {}),
        )
        for name, pool in pools.items()
    }
