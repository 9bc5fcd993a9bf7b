"""The objects by which a controller in the cluster makes the nodes of a GPU pool.

Karpenter's NodePool and EC2NodeClass (karpenter.sh/v1, karpenter.k8s.aws/v1), GKE's ComputeClass
(cloud.google.com/v1). All of them are of the whole cluster, so they are called after platform and pool.
"""

from __future__ import annotations

from blueprints import pools
from blueprints.accelerators import ACCELERATORS
from blueprints.model.nodes import KarpenterNodes
from blueprints.model.pools import GpuPool
from blueprints.names import fit
from components.manifests.metadata import App, Manifest
from components.manifests.pools import GPU

_NODE_CLASS = "EC2NodeClass"
_DISK = {"al2023": "/dev/xvda", "bottlerocket": "/dev/xvdb"}
"""Where each family of images keeps containers; Bottlerocket's first volume is its own."""


def node_pool_name(platform: str, name: str, pool: GpuPool) -> str:
    """What the pool's NodePool is called.

    Karpenter refuses to turn one that keeps a number of nodes into one that does not: it is another.
    """
    return fit(f"{platform}-{name}" + ("-static" if _static(pool) else ""))


def _static(pool: GpuPool) -> bool:
    return pool.nodes is not None and pool.nodes.min > 0


def node_pool(app: App, name: str, pool: GpuPool) -> Manifest:
    """What nodes Karpenter makes when pods want the pool, and how many at most."""
    nodes = pools.karpenter_nodes(pool)
    found = pools.node_class(nodes)
    reference = (
        {"group": pools.EC2_GROUP, "kind": _NODE_CLASS, "name": node_class_name(app.platform, name)}
        if pools.makes_node_class(nodes)
        else {"group": found.group, "kind": found.kind, "name": found.name}
    )
    template: Manifest = {
        "metadata": {"labels": pools.selector(name, pool)},
        "spec": {
            "nodeClassRef": reference,
            "requirements": _requirements(pool),
            "taints": pools.taints(name, pool),
            "expireAfter": nodes.expire_after,
        },
    }
    spec: Manifest = {
        "template": template,
        "disruption": {
            # A pod on a GPU is seldom one that can be moved because a smaller node would do.
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": nodes.consolidate_after,
        },
        **_size(pool),
    }
    return _of_cluster(app, "karpenter.sh/v1", "NodePool", node_pool_name(app.platform, name, pool), spec)


def _size(pool: GpuPool) -> Manifest:
    """The most nodes that there may be; or so many, always."""
    if pool.nodes is None:
        return {}
    most = {"nodes": str(pool.nodes.max)}
    if _static(pool):  # which takes no other limit
        return {"replicas": pool.nodes.min, "limits": most}
    # Nodes whose GPUs are shared or divided say that they have more of them than there are.
    whole = pool.time_slicing is None and pool.mig is None
    gpus = {GPU: str(pool.nodes.max * pool.gpus_per_node)} if whole else {}
    return {"limits": {**most, **gpus}}


def _requirements(pool: GpuPool) -> list[Manifest]:
    """What a machine has to be."""
    wanted: list[tuple[str, list[str]]] = [
        ("kubernetes.io/arch", ["amd64"]),
        ("kubernetes.io/os", ["linux"]),
        ("karpenter.sh/capacity-type", ["spot" if pool.spot else "on-demand"]),
    ]
    if named := pools.named_machines(pool):
        wanted.append(("node.kubernetes.io/instance-type", list(named)))
    elif pools.cloud(pool) == "aws":
        wanted += _of_ec2(pool)
    return [{"key": key, "operator": "In", "values": values} for key, values in wanted]


def _of_ec2(pool: GpuPool) -> list[tuple[str, list[str]]]:
    gpu = ACCELERATORS[pool.accelerator or ""].ec2
    assert gpu is not None  # noqa: S101  # for the type checker: the rules refuse what AWS has not
    prefix = f"{pools.EC2_GROUP}/instance-gpu"
    return [
        (f"{prefix}-manufacturer", ["nvidia"]),
        (f"{prefix}-name", [gpu.name]),
        (f"{prefix}-memory", [str(gpu.memory)]),
        (f"{prefix}-count", [str(pool.gpus_per_node)]),
    ]


def node_class_name(platform: str, name: str) -> str:
    """What the pool's EC2NodeClass is called."""
    return fit(f"{platform}-{name}")


def ec2_node_class(app: App, name: str, nodes: KarpenterNodes) -> Manifest:
    """How Karpenter makes the pool's nodes at AWS."""
    family = nodes.ami_alias.partition("@")[0]
    spec: Manifest = {
        "amiSelectorTerms": [{"alias": nodes.ami_alias}],
        **({"role": nodes.role} if nodes.role else {"instanceProfile": nodes.instance_profile}),
        "subnetSelectorTerms": [{"tags": dict(nodes.subnets)}],
        "securityGroupSelectorTerms": [{"tags": dict(nodes.security_groups)}],
        "blockDeviceMappings": [
            {
                "deviceName": _DISK[family],
                "ebs": {
                    "volumeSize": nodes.disk,
                    "volumeType": "gp3",
                    "encrypted": True,
                    "deleteOnTermination": True,
                },
            }
        ],
        "tags": {"ziggurat.dev/platform": app.platform, "ziggurat.dev/pool": name},
    }
    return _of_cluster(app, "karpenter.k8s.aws/v1", _NODE_CLASS, node_class_name(app.platform, name), spec)


def compute_class(app: App, name: str, pool: GpuPool) -> Manifest:
    """What nodes GKE makes for pods that select the class."""
    gke = pool.gke
    called = pools.selector(name, pool).get(pools.COMPUTE_CLASS, name)
    priority: Manifest = {"spot": pool.spot}
    if gke and gke.machine_type:
        priority["machineType"] = gke.machine_type
    if pool.accelerator:
        priority["gpu"] = {
            "type": gke_type(pool.accelerator),
            "count": pool.gpus_per_node,
            **({"gpuSharing": shared} if (shared := _gpu_sharing(pool)) else {}),
        }
    if gke:
        priority["storage"] = {"bootDiskSize": gke.disk}
    labels = {key: value for key, value in pools.selector(name, pool).items() if key != pools.COMPUTE_CLASS}
    config: Manifest = {
        **({"nodeLabels": labels} if labels else {}),
        **({"serviceAccount": gke.service_account} if gke and gke.service_account else {}),
    }
    spec: Manifest = {
        "priorities": [priority],
        "nodePoolAutoCreation": {"enabled": True},
        # Other machines would have no GPUs, or other ones.
        "whenUnsatisfiable": "DoNotScaleUp",
        **({"nodePoolConfig": config} if config else {}),
        **({"priorityDefaults": {"location": {"zones": list(gke.zones)}}} if gke and gke.zones else {}),
    }
    return _of_cluster(app, "cloud.google.com/v1", "ComputeClass", called, spec)


def gke_type(accelerator: str) -> str:
    """What Google Cloud calls a kind of GPU; one that Ziggurat does not know goes by its own name."""
    known = ACCELERATORS.get(accelerator)
    return (known.gke if known else None) or accelerator


def _gpu_sharing(pool: GpuPool) -> Manifest:
    """How pods share GPUs, which GKE does itself (from 1.35.2-gke.1485000 on)."""
    slices = (
        {"sharingStrategy": "TIME_SHARING", "maxSharedClientsPerGPU": pool.time_slicing}
        if pool.time_slicing
        else {}
    )
    return {**slices, **({"gpuPartitionSize": pool.mig} if pool.mig else {})}


def _of_cluster(app: App, api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "labels": app.labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
