"""GPU pools as pods see them: which nodes, and the taint that keeps others off."""

from __future__ import annotations

from blueprints import pools
from blueprints.model.pools import GpuPool
from components.manifests.metadata import Manifest

GPU = "nvidia.com/gpu"
"""The resource that pods ask for, and the key of the taint on nodes that have it."""
TOLERATION: Manifest = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
"""Whatever value a cloud gives the taint."""


def placement(name: str, pool: GpuPool) -> Manifest:
    """`nodeSelector` and `tolerations` of a pod that runs on the pool."""
    return {"nodeSelector": pools.selector(name, pool), "tolerations": [dict(TOLERATION)]}
