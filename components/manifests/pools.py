"""Where pods of a GPU pool run: one definition for everything that runs there."""

from __future__ import annotations

from blueprints.model.blueprint import GpuPool
from components.manifests.metadata import Manifest
from components.manifests.workloads import GPU

POOL = "ziggurat.dev/pool"
"""The label of a pool's nodes, where the pool names none of its own."""
TAINT = GPU
"""The taint that keeps pods without GPUs off the nodes that have some."""


def placement(name: str, pool: GpuPool) -> tuple[dict[str, str], list[Manifest]]:
    """(nodeSelector, tolerations) of a pod that runs in the pool called `name`."""
    selector = dict(pool.node_selector) or {POOL: name}
    return selector, [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}]
