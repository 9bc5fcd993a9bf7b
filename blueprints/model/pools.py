"""GPU pools: nodes with GPUs of one kind."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.nodes import AksNodes, EksNodes, GkeNodes, KarpenterNodes
from blueprints.model.scalars import text


class Nodes(Part):
    """How many nodes a pool has."""

    min: int = Field(default=0, ge=0)
    """The fewest."""
    max: int = Field(ge=1)
    """The most; with it, the teams' quotas of GPUs are held against what there is."""


LabelKey = Annotated[
    str,
    text(
        r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "a label's key, such as acme.example/gpu",
        max_length=317,
    ),
]
LabelValue = Annotated[
    str,
    text(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "a label's value: letters, digits, dashes, dots and underscores",
        max_length=63,
    ),
]
MigProfile = Annotated[
    str, text(r"^[1-9]g\.[1-9][0-9]{0,2}gb$", "a MIG profile of NVIDIA's, such as 1g.10gb")
]


class GpuPool(Part):
    """Nodes with GPUs of one kind. They carry the taint `nvidia.com/gpu`, which keeps everything else off."""

    provider: Literal["existing", "karpenter", "gke", "eks", "aks"] = "existing"
    """Who makes the nodes. `existing`: they are there. `karpenter`, `gke`: made as pods ask for them, by what
    the platform puts into the cluster. `eks`, `aks` (and `gke` with `mode: nodePool`): a node pool that the
    program `stacks/nodes` makes of this same blueprint."""
    accelerator: str | None = None
    """The kind of GPU, such as `nvidia-a100-80gb`; left out, it is not told, and nodes that are made need the
    names of their machines."""
    gpus_per_node: int = Field(default=1, ge=1, le=16)
    """GPUs in each node."""
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict[str, str])
    """Labels that the nodes of this pool carry, and no others: existing ones have them, made ones get them.
    Left out, `ziggurat.dev/pool: <pool>`, for made ones with `ziggurat.dev/platform: <name>`; with GKE's
    ComputeClass, `cloud.google.com/compute-class: <name>-<pool>`."""
    nodes: Nodes | None = None
    """How many nodes; left out, as many as there are, or as pods ask for."""
    spot: bool = False
    """Whether interruptible nodes are asked for."""
    device_plugin: Literal["none", "devicePlugin", "operator"] | None = None
    """What makes GPUs known to Kubernetes: `none`, the cluster or the nodes' image does; `devicePlugin`,
    NVIDIA's device plugin on these nodes, which have driver and container toolkit; `operator`, NVIDIA's GPU
    operator on all GPU nodes of the cluster, which have the driver. Left out, what nodes of this kind lack:
    `devicePlugin` for Amazon Linux and AKS, `none` for the others."""
    time_slicing: int | None = Field(default=None, ge=2, le=64)
    """How many pods share each GPU by turns, with no protection of memory; left out, one pod has it."""
    mig: MigProfile | None = None
    """The MIG profile that each GPU is divided into, each part counting as one GPU; left out, none is."""
    karpenter: KarpenterNodes | None = None
    """What Karpenter makes the nodes of; with `provider: karpenter`."""
    gke: GkeNodes | None = None
    """What GKE makes the nodes of; with `provider: gke`, left out, a ComputeClass is."""
    eks: EksNodes | None = None
    """What EKS makes the nodes of; with `provider: eks`."""
    aks: AksNodes | None = None
    """What AKS makes the nodes of; with `provider: aks`."""
