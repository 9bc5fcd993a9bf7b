"""GPU nodes that are a resource of a cloud: a managed node pool for each pool of `provider: eks`, `aks`, or
`gke` with `mode: nodePool`.

They are made by a program of its own (stacks/nodes), of the same blueprint as the platform: labels and taints
are those that the platform's pods select and tolerate. Of the clouds' SDKs, which are large, only those of
the pools' clouds are imported, and never by the platform's program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pulumi

from blueprints import pools as facts
from blueprints.model.pools import GpuPool, Nodes
from blueprints.names import fit
from blueprints.node_rules import aks_pool_name
from components.manifests.nodes import gke_type
from components.objects import component_token

Arguments = dict[str, Any]
"""Keyword arguments of a resource of an SDK."""


@dataclass(frozen=True)
class Kind:
    """A kind of node pool."""

    module: str
    """The module of the SDK."""
    name: str
    """The resource in it."""
    extra: str
    """The extra of Ziggurat that installs the SDK."""
    package: str
    """The SDK's package."""
    scaled: str
    """The property that the cluster's autoscaler changes: what it made of it is left alone."""


KINDS: dict[str, Kind] = {
    "eks": Kind("pulumi_aws.eks", "NodeGroup", "aws", "pulumi-aws", "scalingConfig.desiredSize"),
    "gke": Kind("pulumi_gcp.container", "NodePool", "gcp", "pulumi-gcp", "initialNodeCount"),
    "aks": Kind("pulumi_azure_native.containerservice", "AgentPool", "azure", "pulumi-azure-native", "count"),
}
"""By provider."""


@dataclass(frozen=True)
class CloudNodePoolsArgs:
    """What CloudNodePools are made of."""

    platform: str
    pools: Mapping[str, GpuPool]
    """All pools of the blueprint; those whose nodes are made otherwise are left out."""


class CloudNodePools(pulumi.ComponentResource):
    """A node pool of the cloud for each pool that has one."""

    names: pulumi.Output[dict[str, str]]
    """What the cloud calls the node pool of each pool."""

    def __init__(
        self, name: str, args: CloudNodePoolsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        wanted = {key: pool for key, pool in sorted(args.pools.items()) if facts.is_of_program(pool)}
        super().__init__(component_token(CloudNodePools), name, {"pools": list(wanted)}, opts)
        for key, pool in wanted.items():
            self._pool(f"{args.platform}-{key}", KINDS[pool.provider], arguments(args.platform, key, pool))
        self.names = pulumi.Output.from_input(
            {key: called(args.platform, key, pool) for key, pool in wanted.items()}
        )
        self.register_outputs({"names": self.names})

    def _pool(self, name: str, kind: Kind, given: Arguments) -> None:
        options = pulumi.ResourceOptions(
            parent=self,
            ignore_changes=[kind.scaled],
            delete_before_replace=True,  # its name is its own
        )
        _resource(kind)(name, **given, opts=options)


def _resource(kind: Kind) -> Any:
    """The resource's class; RunError where its SDK is not installed."""
    try:
        return getattr(import_module(kind.module), kind.name)
    except ModuleNotFoundError as error:
        if error.name not in (kind.module, kind.module.partition(".")[0]):
            raise  # it is installed, and something that it needs is not
        raise pulumi.RunError(
            f"the package {kind.package} is not installed, with which these nodes are made\n"
            f"  where: gpuPools with {kind.name} nodes\n"
            f"  to do: pip install 'ziggurat[{kind.extra}]'"
        ) from None


def called(platform: str, name: str, pool: GpuPool) -> str:
    """What the cloud calls the node pool."""
    if pool.provider == "aks":
        return aks_pool_name(name, pool)
    return fit(f"{platform}-{name}", 40 if pool.provider == "gke" else 63)


def arguments(platform: str, name: str, pool: GpuPool) -> Arguments:
    """What the node pool of a pool is made of, as its SDK wants it."""
    return {"eks": _eks, "gke": _gke, "aks": _aks}[pool.provider](platform, name, pool)


def _tags(platform: str, name: str) -> dict[str, str]:
    return {"ziggurat-platform": platform, "ziggurat-pool": name}


def _count(pool: GpuPool) -> Nodes:
    assert pool.nodes is not None  # noqa: S101  # for the type checker: the rules refuse pools without
    return pool.nodes


def _eks(platform: str, name: str, pool: GpuPool) -> Arguments:
    eks, nodes = pool.eks, _count(pool)
    assert eks is not None  # noqa: S101  # for the type checker: the rules refuse pools without
    return {
        "cluster_name": eks.cluster,
        "node_group_name": called(platform, name, pool),
        "node_role_arn": eks.node_role_arn,
        "subnet_ids": list(eks.subnet_ids),
        "ami_type": eks.ami_type,
        "instance_types": list(facts.machine_types(pool)),
        "capacity_type": "SPOT" if pool.spot else "ON_DEMAND",
        "disk_size": eks.disk,
        "labels": facts.selector(name, pool),
        "taints": [{**taint, "effect": "NO_SCHEDULE"} for taint in facts.taints(name, pool)],
        "scaling_config": {"min_size": nodes.min, "max_size": nodes.max, "desired_size": nodes.min},
        "tags": _tags(platform, name),
    }


def _gke(platform: str, name: str, pool: GpuPool) -> Arguments:
    gke, nodes = pool.gke, _count(pool)
    assert gke is not None  # noqa: S101  # for the type checker: the rules refuse pools without
    (machine, *_) = facts.machine_types(pool)
    return {
        "name": called(platform, name, pool),
        "cluster": gke.cluster,
        "location": gke.location,
        **({"project": gke.project} if gke.project else {}),
        **({"node_locations": list(gke.zones)} if gke.zones else {}),
        # In all zones together; the other bounds are for each zone.
        "autoscaling": {
            "total_min_node_count": nodes.min,
            "total_max_node_count": nodes.max,
            "location_policy": "ANY",
        },
        "initial_node_count": min(nodes.min, 1),
        "management": {"auto_repair": True, "auto_upgrade": True},
        "node_config": {
            "machine_type": machine,
            "disk_size_gb": gke.disk,
            "spot": pool.spot,
            "labels": facts.selector(name, pool),
            # GKE itself adds the taint `nvidia.com/gpu`.
            **({"guest_accelerators": [_guest_accelerator(pool)]} if pool.accelerator else {}),
            **({"service_account": gke.service_account} if gke.service_account else {}),
            "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "workload_metadata_config": {"mode": "GKE_METADATA"},
            "resource_labels": _tags(platform, name),
        },
    }


def _guest_accelerator(pool: GpuPool) -> Arguments:
    shared = {"gpu_sharing_strategy": "TIME_SHARING", "max_shared_clients_per_gpu": pool.time_slicing}
    return {
        "type": gke_type(pool.accelerator or ""),
        "count": pool.gpus_per_node,
        "gpu_driver_installation_config": {"gpu_driver_version": "DEFAULT"},
        **({"gpu_partition_size": pool.mig} if pool.mig else {}),
        **({"gpu_sharing_config": shared} if pool.time_slicing else {}),
    }


def _aks(platform: str, name: str, pool: GpuPool) -> Arguments:
    aks, nodes = pool.aks, _count(pool)
    assert aks is not None  # noqa: S101  # for the type checker: the rules refuse pools without
    (size, *_) = facts.machine_types(pool)
    spot: Arguments = {
        "scale_set_priority": "Spot",
        "scale_set_eviction_policy": "Delete",
        "spot_max_price": -1.0,  # up to the price of those that are not interrupted
    }
    labels = {**facts.selector(name, pool), **({facts.AKS_SPOT: "spot"} if pool.spot else {})}
    return {
        "agent_pool_name": called(platform, name, pool),
        "resource_group_name": aks.resource_group,
        "resource_name_": aks.cluster,
        "mode": "User",
        "type": "VirtualMachineScaleSets",
        "os_type": "Linux",
        "vm_size": size,
        "os_disk_size_gb": aks.disk,
        "enable_auto_scaling": True,
        "min_count": nodes.min,
        "max_count": nodes.max,
        "count": nodes.min,
        "node_labels": labels,
        "node_taints": [
            f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in facts.taints(name, pool)
        ],
        "gpu_profile": {"driver": "Install"},
        **({"gpu_instance_profile": f"MIG{pool.mig[0]}g"} if pool.mig else {}),
        **(spot if pool.spot else {}),
        **({"availability_zones": list(aks.zones)} if aks.zones else {}),
        **({"vnet_subnet_id": aks.subnet_id} if aks.subnet_id else {}),
        "tags": _tags(platform, name),
    }
