"""The objects that a sandbox has before anything is provisioned: its nodes and its StorageClass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ziggurat.sandbox.model import CPU_NODES, CPU_POOL, GpuNodes

POOL_LABEL = "ziggurat.dev/pool"
DIGEST = "ziggurat.dev/node-digest"
"""What a node was made of: a node of another shape is made anew."""

_CPU_SHAPE = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}
_GPU_SHAPE = {"cpu": "32", "memory": "128Gi", "ephemeral-storage": "400Gi", "pods": "110"}

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
"""As the clouds taint their GPU nodes."""


def storage_class() -> dict[str, Any]:
    """The default StorageClass. The controller-manager itself makes and deletes its volumes.

    Volumes are empty folders that nothing writes to, since pods are simulated; so they cannot grow.
    """
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/host-path",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": False,
    }


def nodes(pools: Mapping[str, GpuNodes], kubernetes_version: str) -> list[dict[str, Any]]:
    """All nodes: those without GPUs, then those of each pool."""
    cpu = [_node(CPU_POOL, index, _CPU_SHAPE, {}, [], kubernetes_version) for index in range(CPU_NODES)]
    gpu = [
        _node(
            name,
            index,
            _GPU_SHAPE | {"nvidia.com/gpu": str(pool.gpus)},
            {"nvidia.com/gpu.present": "true", **pool.labels},
            [GPU_TAINT, *pool.taints],
            kubernetes_version,
        )
        for name, pool in sorted(pools.items())
        for index in range(pool.count)
    ]
    return cpu + gpu


def _node(
    pool: str,
    index: int,
    shape: dict[str, str],
    labels: Mapping[str, str],
    taints: list[dict[str, str]],
    version: str,
) -> dict[str, Any]:
    name = f"{pool}-{index}"
    metadata: dict[str, Any] = {
        "name": name,
        "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            # Two zones, so that topology spread has something to spread over.
            "topology.kubernetes.io/region": "sandbox",
            "topology.kubernetes.io/zone": f"sandbox-{'ab'[index % 2]}",
            POOL_LABEL: pool,
            **labels,
        },
        "annotations": {"kwok.x-k8s.io/node": "fake"},
    }
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {"taints": taints} if taints else {},
        "status": {
            "capacity": shape,
            "allocatable": shape,
            "nodeInfo": {
                "kubeletVersion": f"v{version}",
                "kubeProxyVersion": f"v{version}",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "osImage": "simulated by kwok",
                "kernelVersion": "simulated",
                "containerRuntimeVersion": "simulated",
                "machineID": name,
                "systemUUID": name,
                "bootID": name,
            },
        },
    }
    digest = hashlib.sha256(json.dumps(node, sort_keys=True).encode()).hexdigest()[:12]
    metadata["annotations"][DIGEST] = digest
    return node
