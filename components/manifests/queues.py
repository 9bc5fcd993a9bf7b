"""Kueue's objects (kueue.x-k8s.io/v1beta2): what there is, who has how much of it, and where to queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from blueprints import pools
from blueprints.model.pools import GpuPool
from blueprints.model.queues import Queues
from blueprints.model.teams import Quota
from blueprints.names import fit
from blueprints.quantities import amount
from components.manifests.metadata import App, Manifest
from components.manifests.pools import GPU, placement

GROUP = "kueue.x-k8s.io"
API_VERSION = f"{GROUP}/v1beta2"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""The label by which work says in which queue it waits."""
ANYWHERE = "cpu"
"""The flavour of what needs no GPU pool."""


def queue_labels(team: str) -> dict[str, str]:
    """What a Job or a Pod carries to wait in its team's queue."""
    return {QUEUE_LABEL: team}


@dataclass(frozen=True)
class Share:
    """What one team has of one flavour."""

    flavor: str
    quotas: Mapping[str, str]
    """By resource."""


def shares(platform: str, quota: Quota, gpu_pools: Mapping[str, GpuPool]) -> list[list[Share]]:
    """What a team's quota comes to in Kueue's resource groups.

    CPU and memory are one group, GPUs another: work on a GPU takes its CPU from the same quota as all work.
    Without pools GPUs are not told apart, and are of the flavour that fits any node.
    """
    common = {"cpu": quota.cpu, "memory": quota.memory, "pods": str(quota.pods)}
    anywhere = flavor_name(platform, ANYWHERE)
    if not gpu_pools:
        return [[Share(anywhere, {**common, GPU: str(quota.gpus)})]]
    gpus = [
        Share(flavor_name(platform, name), {GPU: str(_gpus(quota, pool))})
        for name, pool in sorted(gpu_pools.items())
    ]
    return [[Share(anywhere, common)], gpus]


def _gpus(quota: Quota, pool: GpuPool) -> int:
    most = pools.capacity(pool)
    return quota.gpus if most is None else min(quota.gpus, most)


def bounds(
    quotas: Mapping[str, Quota], queues: Queues | None, gpu_pools: Mapping[str, GpuPool]
) -> dict[str, Quota]:
    """The ResourceQuota of each team, which refuses nothing that the team's queue lets through."""
    if queues is None:
        return dict(quotas)
    admitted = {team: _admitted(quota, gpu_pools) for team, quota in quotas.items()}
    if not queues.borrowing:
        return admitted
    together = _sum(list(admitted.values()))
    return {team: together.model_copy(update={"storage": quota.storage}) for team, quota in quotas.items()}


def _admitted(quota: Quota, gpu_pools: Mapping[str, GpuPool]) -> Quota:
    gpus = sum(_gpus(quota, pool) for pool in gpu_pools.values()) if gpu_pools else quota.gpus
    return quota.model_copy(update={"gpus": gpus})


def _sum(quotas: list[Quota]) -> Quota:
    cores = sum((amount(quota.cpu) for quota in quotas), Decimal())
    size = sum((amount(quota.memory) for quota in quotas), Decimal())
    return Quota(
        cpu=f"{cores:f}" if cores == int(cores) else f"{cores * 1000:.0f}m",
        memory=_bytes(int(size)),
        gpus=sum(quota.gpus for quota in quotas),
        pods=sum(quota.pods for quota in quotas),
    )


def _bytes(size: int) -> str:
    for unit, factor in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def flavor_name(platform: str, pool: str) -> str:
    """The ResourceFlavor of a pool, an object of the whole cluster."""
    return fit(f"{platform}-{pool}")


def flavor(app: App, name: str, pool: GpuPool | None) -> Manifest:
    """What a pool has. Work that gets its GPUs there gets its node labels and the toleration of its taint."""
    spec: Manifest = {}
    if pool is not None:
        place = placement(name, pool)
        spec = {"nodeLabels": place["nodeSelector"], "tolerations": place["tolerations"]}
    return _cluster_wide(app, "ResourceFlavor", flavor_name(app.platform, name), spec)


def cluster_queue(
    app: App, name: str, namespace: str, groups: list[list[Share]], options: Queues
) -> Manifest:
    """What a team has, in the cohort of all teams of the platform."""
    limit: dict[str, Any] = {} if options.borrowing else {"borrowingLimit": "0"}
    preemption = {
        "reclaimWithinCohort": "Any" if options.preemption else "Never",
        "borrowWithinCohort": {"policy": "Never"},
        "withinClusterQueue": "LowerPriority" if options.preemption else "Never",
    }
    spec: Manifest = {
        "cohortName": app.platform,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": preemption,
        "resourceGroups": [
            {
                "coveredResources": list(group[0].quotas),
                "flavors": [
                    {
                        "name": share.flavor,
                        "resources": [
                            {"name": resource, "nominalQuota": quota, **limit}
                            for resource, quota in share.quotas.items()
                        ],
                    }
                    for share in group
                ],
            }
            for group in groups
        ],
    }
    return _cluster_wide(app, "ClusterQueue", name, spec)


def _cluster_wide(app: App, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "labels": app.labels}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def local_queue(app: App, team: str, cluster_queue: str) -> Manifest:
    """Where a team queues: named like the team, in its namespace."""
    return {
        "apiVersion": API_VERSION,
        "kind": "LocalQueue",
        "metadata": app.metadata(team),
        "spec": {"clusterQueue": cluster_queue},
    }
