"""The parts of the language whose capabilities this version does not provision yet.

Their names and shapes are settled, so that editors complete them and a misspelt key is found; the rules
refuse each one with the capability named (blueprints/phases.py says which are built).
"""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import HostName, ObjectName, Storage, text


class Tls(Part):
    """Certificates of the host names."""

    issuer: ObjectName | None = None
    """The cert-manager ClusterIssuer; left out, `secretName`."""
    secret_name: ObjectName | None = None
    """A brought certificate, in the platform's namespace; left out, `issuer`."""


class Gateway(Part):
    """The Gateway API gateway in front of every host name."""

    class_name: ObjectName
    """The GatewayClass."""
    tls: Tls | None = None
    """Certificates; left out, plain HTTP."""


Duration = Annotated[str, text("^[1-9][0-9]*[hdwy]$", "a number of hours, days, weeks or years, such as 15d")]


class Monitoring(Part):
    """Metrics, alerts and dashboards."""

    retention: Duration = "15d"
    """How long metrics are kept."""


class Queues(Part):
    """Kueue queues, one for each team."""


class Nodes(Part):
    """How many nodes a pool has."""

    min: int = Field(default=0, ge=0)
    """The fewest."""
    max: int = Field(ge=1)
    """The most."""


class GpuPool(Part):
    """Nodes with GPUs."""

    provider: Literal["existing", "karpenter", "gke", "eks", "aks"] = "existing"
    """Who makes the nodes."""
    accelerator: str | None = None
    """The kind of GPU, such as `nvidia-a100-80gb`."""
    gpus_per_node: int = Field(default=1, ge=1, le=16)
    """GPUs in each node."""
    node_selector: dict[str, str] = Field(default_factory=dict[str, str])
    """Labels of existing nodes."""
    nodes: Nodes | None = None
    """How many nodes; left out, as many as there are."""
    spot: bool = False
    """Whether interruptible nodes are asked for."""


class Pipelines(Part):
    """Kubeflow Pipelines."""

    host: HostName | None = None
    """The name under which people reach the UI."""
    storage: Storage = "20Gi"
    """The size of its database's volume."""


class Training(Part):
    """Kubeflow Trainer."""


class Tuning(Part):
    """Katib."""


class Serving(Part):
    """KServe."""


class Notebooks(Part):
    """Notebooks."""


class Admission(Part):
    """Admission policies."""
