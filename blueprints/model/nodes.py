"""Who makes the nodes of a GPU pool, and what they have to be told: one part for each provider."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import ObjectName, text
from blueprints.model.storage import RoleArn

Tags = dict[
    Annotated[str, text(r"^[A-Za-z0-9 _.:/=+@-]+$", "a tag's key: letters, digits and _.:/=+@-", 128)],
    Annotated[str, Field(min_length=1, max_length=256)],
]
"""Tags of cloud resources: all of them are to fit."""
MachineName = Annotated[
    str, text(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a type of machine, such as g5.xlarge", max_length=63)
]
Duration = Annotated[
    str, text(r"^(([0-9]+(s|m|h))+|Never)$", "a duration such as 720h or 5m, or Never", max_length=32)
]
CloudName = Annotated[
    str,
    text(r"^[A-Za-z0-9][A-Za-z0-9._()-]*$", "a name: letters, digits, dashes, dots, underscores", 100),
]


class NodeClassRef(Part):
    """A node class that is there already: how Karpenter's nodes are made on some cloud."""

    group: ObjectName
    """Its API group, such as `karpenter.k8s.aws`."""
    kind: Annotated[str, text(r"^[A-Z][A-Za-z0-9]*$", "a kind, such as EC2NodeClass")]
    """Its kind."""
    name: ObjectName
    """Its name."""


class KarpenterNodes(Part):
    """What Karpenter, which the cluster runs, makes nodes of: with AWS' part an EC2NodeClass is made for the
    pool; with `nodeClassRef`, on any cloud, one that is there is taken."""

    node_class_ref: NodeClassRef | None = None
    """A node class that is there; left out, an EC2NodeClass is made of the keys below."""
    role: Annotated[str, text(r"^[A-Za-z0-9+=,.@_-]+$", "the name of an IAM role", 64)] | None = None
    """The name of the nodes' IAM role; Karpenter makes an instance profile of it."""
    instance_profile: CloudName | None = None
    """The nodes' instance profile, instead of `role`."""
    subnets: Tags = Field(default_factory=dict[str, str])
    """Tags of the subnets that nodes are made in."""
    security_groups: Tags = Field(default_factory=dict[str, str])
    """Tags of the nodes' security groups."""
    ami_alias: Annotated[
        str,
        text(r"^(al2023|bottlerocket)@[A-Za-z0-9.]+$", "al2023@<version> or bottlerocket@<version>", 30),
    ] = "al2023@latest"
    """The nodes' image; with `latest`, nodes are replaced when AWS brings out another."""
    disk: Annotated[str, text(r"^[1-9][0-9]{0,4}Gi$", "a size in Gi, such as 200Gi")] = "200Gi"
    """The size of each node's disk: images for GPUs have several gigabytes."""
    instance_types: list[MachineName] = Field(default_factory=list[str], max_length=60)
    """Types of machines to choose from; left out, those that have `gpusPerNode` of `accelerator`."""
    consolidate_after: Duration = "5m"
    """How long a node stays without pods."""
    expire_after: Duration = "720h"
    """How old a node gets; then it is drained and replaced, if it is needed."""


class GkeNodes(Part):
    """What GKE makes nodes of: a ComputeClass in the cluster, by which GKE makes node pools as it needs
    them, or a node pool that the cluster program makes."""

    mode: Literal["computeClass", "nodePool"] = "computeClass"
    """`computeClass`: the platform makes one; `nodePool`: `stacks/nodes` makes a node pool."""
    cluster: CloudName | None = None
    """The cluster's name; for a node pool."""
    location: CloudName | None = None
    """The cluster's region or zone; for a node pool."""
    project: CloudName | None = None
    """The Google Cloud project; left out, the one of Pulumi's configuration."""
    zones: list[CloudName] = Field(default_factory=list[str], max_length=8)
    """Zones that nodes are made in; left out, the cluster's."""
    service_account: (
        Annotated[str, text(r"^[a-z0-9-]+@[a-z0-9.-]+$", "the address of a service account")] | None
    ) = None
    """The nodes' Google service account; left out, the cluster's default."""
    machine_type: MachineName | None = None
    """The machine type; left out, GKE chooses one that fits (ComputeClass), or the smallest (node pool)."""
    disk: Annotated[int, Field(ge=20, le=60000)] = 200
    """The size of each node's boot disk, in GB."""


class EksNodes(Part):
    """What the cluster program makes a managed node group of EKS of."""

    cluster: CloudName
    """The cluster's name."""
    node_role_arn: RoleArn
    """The nodes' IAM role."""
    subnet_ids: list[Annotated[str, text(r"^subnet-[0-9a-f]+$", "a subnet's id: subnet-<hex>")]] = Field(
        min_length=1, max_length=16
    )
    """The subnets that nodes are made in."""
    ami_type: Literal["AL2023_x86_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA"] = "AL2023_x86_64_NVIDIA"
    """The nodes' image; both have the driver, Bottlerocket a device plugin as well."""
    instance_types: list[MachineName] = Field(default_factory=list[str], max_length=20)
    """Instance types; left out, the smallest that has `gpusPerNode` of `accelerator`."""
    disk: Annotated[int, Field(ge=20, le=16000)] = 200
    """The size of each node's disk, in GiB."""


class AksNodes(Part):
    """What the cluster program makes an agent pool of AKS of."""

    cluster: CloudName
    """The cluster's name."""
    resource_group: CloudName
    """The resource group that the cluster is in."""
    pool_name: (
        Annotated[str, text(r"^[a-z][a-z0-9]{0,11}$", "1 to 12 lower case letters and digits")] | None
    ) = None
    """What Azure calls the pool; left out, the pool's own name without dashes, shortened to 12 characters."""
    vm_size: MachineName | None = None
    """The VM size; left out, the smallest that has `gpusPerNode` of `accelerator`."""
    zones: list[Literal["1", "2", "3"]] = Field(default_factory=list[Literal["1", "2", "3"]], max_length=3)
    """Availability zones; left out, Azure chooses."""
    subnet_id: str | None = Field(default=None, min_length=1)
    """The subnet's resource id; left out, the cluster's own network."""
    disk: Annotated[int, Field(ge=30, le=2048)] = 200
    """The size of each node's OS disk, in GB."""
