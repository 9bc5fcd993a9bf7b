"""GPU pools: what makes their nodes in the cluster, and what makes the GPUs known to Kubernetes.

Nodes of `provider: existing` are there already, with the taint `nvidia.com/gpu`; those of Karpenter and of
GKE's ComputeClasses are made by objects of the platform; node pools of clouds are made by stacks/nodes.
Everything that runs on each of them tolerates its taints whatever their values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from blueprints import pools as facts
from blueprints.model.pools import GpuPool
from blueprints.names import fit, gpu_namespace
from components.charts import release
from components.manifests import namespaces, network, nodes
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge, Outside
from components.manifests.pools import GPU, every_toleration, placement
from components.objects import component_token, register
from components.versions import gpu as versions
from components.versions.gpu import NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR
from components.versions.model import Chart, Image, ImageSource

_API_PORTS = (443, 6443)
_PRIVILEGED = "device plugins and drivers of GPUs reach the devices and files of their node"
_CONFIG = "default"
"""The one configuration of a device plugin, which every node of it uses."""


def app(platform: str) -> App:
    """Whose the objects of GPU software are."""
    return App(platform, gpu_namespace(platform), "gpu", "gpu-pools")


def charts(pools: Mapping[str, GpuPool]) -> tuple[Chart, ...]:
    """The charts that the pools ask for."""
    asked = {facts.device_plugin(pool) for pool in pools.values()}
    wanted = {"devicePlugin": NVIDIA_DEVICE_PLUGIN, "operator": NVIDIA_GPU_OPERATOR}
    return tuple(chart for name, chart in wanted.items() if name in asked)


@dataclass(frozen=True)
class GpuNodePoolsArgs:
    """What GpuNodePools are made of."""

    app: App
    pools: Mapping[str, GpuPool]
    images: ImageSource


class GpuNodePools(pulumi.ComponentResource):
    """What makes the nodes of pools that somebody in the cluster makes; NVIDIA's device plugin for each pool
    whose nodes lack one, or its GPU operator for all of them."""

    selectors: pulumi.Output[dict[str, dict[str, str]]]
    """The labels of the nodes of each pool."""

    def __init__(self, name: str, args: GpuNodePoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_token(GpuNodePools), name, {"pools": sorted(args.pools)}, opts)
        for pool in sorted(args.pools):
            self._nodes(args.app, pool, args.pools[pool])
        if charts(args.pools):
            self._software(args)
        self.selectors = pulumi.Output.from_input(
            {pool: placement(pool, args.pools[pool])["nodeSelector"] for pool in sorted(args.pools)}
        )
        self.register_outputs({"selectors": self.selectors})

    def _nodes(self, app: App, name: str, pool: GpuPool) -> None:
        before: list[pulumi.Resource] = []
        for manifest in node_objects(app, name, pool):
            # A node class outlives the nodes that are made of it, on `destroy` too.
            before.append(register(self, manifest, depends_on=before))

    def _software(self, args: GpuNodePoolsArgs) -> None:
        namespace = register(self, namespaces.namespace(args.app, privileged=_PRIVILEGED), holds_data=True)
        api = tuple(Edge(args.app, Outside(), port) for port in _API_PORTS)
        fences = [
            register(self, policy, depends_on=[namespace])
            for policy in (network.deny_all(args.app), network.namespace_policy(args.app, api))
        ]
        for release_name, chart, values in _releases(args):
            release(
                self,
                chart,
                values,
                namespace=args.app.namespace,
                name=release_name,
                images=args.images,
                depends_on=[namespace, *fences],
            )


def node_objects(app: App, name: str, pool: GpuPool) -> list[Manifest]:
    """What makes the pool's nodes, in order; nothing where they are there or are a resource of the cloud."""
    if facts.has_compute_class(pool):
        return [nodes.compute_class(app, name, pool)]
    if pool.provider != "karpenter":
        return []
    made_of = facts.karpenter_nodes(pool)
    own = [nodes.ec2_node_class(app, name, made_of)] if facts.makes_node_class(made_of) else []
    return [*own, nodes.node_pool(app, name, pool)]


def _releases(args: GpuNodePoolsArgs) -> list[tuple[str, Chart, dict[str, Any]]]:
    if NVIDIA_GPU_OPERATOR in charts(args.pools):
        values = operator_values(args.pools, args.images)
        return [(NVIDIA_GPU_OPERATOR.name, NVIDIA_GPU_OPERATOR, values)]
    return [
        (
            fit(f"{NVIDIA_DEVICE_PLUGIN.name}-{name}", 53),  # Helm's own limit
            NVIDIA_DEVICE_PLUGIN,
            plugin_values(name, pool, args.images),
        )
        for name, pool in sorted(args.pools.items())
        if facts.device_plugin(pool) == "devicePlugin"
    ]


def plugin_values(name: str, pool: GpuPool, images: ImageSource) -> dict[str, Any]:
    """The values of the device plugin's chart: one release for each pool, on its nodes alone."""
    (image,) = NVIDIA_DEVICE_PLUGIN.images
    place = placement(name, pool)
    shared = sharing(pool)
    return {
        "fullnameOverride": fit(f"{NVIDIA_DEVICE_PLUGIN.name}-{name}", 40),
        "image": {
            "repository": images.repository(image),
            "tag": image.tag,
            "pullPolicy": "IfNotPresent",
        },
        "imagePullSecrets": _pull(images),
        "affinity": _on(place["nodeSelector"]),
        "tolerations": place["tolerations"],
        # Parts of a divided GPU go by the name of whole ones.
        **({"migStrategy": "single"} if pool.mig else {}),
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        **({"config": {"map": {_CONFIG: shared}, "default": _CONFIG}} if shared else {}),
    }


def _on(selector: Mapping[str, str]) -> dict[str, Any]:
    """The chart's affinity with other terms: its own ask for labels that only node feature discovery sets."""
    wanted = [{"key": key, "operator": "In", "values": [value]} for key, value in selector.items()]
    terms = {"nodeSelectorTerms": [{"matchExpressions": wanted}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def sharing(pool: GpuPool) -> str | None:
    """The device plugin's configuration by which pods share GPUs; None where they do not."""
    if pool.time_slicing is None:
        return None
    import json

    document = {
        "version": "v1",
        "sharing": {
            "timeSlicing": {
                # Two slices of one GPU are no more than one: who asks for two is wrong.
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": GPU, "replicas": pool.time_slicing}],
            }
        },
    }
    return json.dumps(document, indent=2)


def operator_values(pools: Mapping[str, GpuPool], images: ImageSource) -> dict[str, Any]:
    """The values of the GPU operator's chart; in what it asks of them, the pools are alike."""
    pool = next(iter(pools.values()))
    shared = sharing(pool)
    config = {"create": True, "name": "device-plugin", "default": _CONFIG, "data": {_CONFIG: shared}}
    plugin = _component(versions.NVIDIA_PLUGIN_IMAGE, images)
    operator = _component(versions.NVIDIA_OPERATOR_IMAGE, images)
    discovery = versions.NODE_FEATURE_DISCOVERY_IMAGE
    tolerations = every_toleration(pools)
    return {
        "daemonsets": {"tolerations": tolerations},
        "operator": operator,
        "validator": operator,
        # The nodes have the driver: its image is another one for each version of their kernel.
        "driver": {"enabled": False},
        "toolkit": _component(versions.NVIDIA_TOOLKIT_IMAGE, images),
        "devicePlugin": {**plugin, **({"config": config} if shared else {})},
        "gfd": plugin,
        "dcgmExporter": {
            **_component(versions.NVIDIA_DCGM_EXPORTER_IMAGE, images),
            "serviceMonitor": {"enabled": False},
        },
        "mig": {"strategy": "single"},
        "migManager": {
            **_component(versions.NVIDIA_MIG_MANAGER_IMAGE, images),
            "config": {"default": f"all-{pool.mig}" if pool.mig else "all-disabled"},
        },
        "node-feature-discovery": {
            "image": {"repository": images.repository(discovery), "tag": discovery.tag},
            "imagePullSecrets": _pull(images),
            "worker": {"tolerations": tolerations},
        },
    }


def _component(image: Image, images: ImageSource) -> dict[str, Any]:
    """An image as the operator's chart has it: in three parts."""
    repository, _, name = images.repository(image).rpartition("/")
    pull = [secret["name"] for secret in _pull(images)]
    return {"repository": repository, "image": name, "version": image.tag, "imagePullSecrets": pull}


def _pull(images: ImageSource) -> list[dict[str, str]]:
    return [{"name": images.pull_secret}] if images.pull_secret else []
