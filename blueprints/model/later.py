"""The parts of the language whose capabilities this version does not provision yet.

Their names and shapes are settled, so that editors complete them and a misspelt key is found; the rules
refuse each one with the capability named (blueprints/phases.py says which are built).
"""

from typing import Annotated

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Cron, HostName, Label, ObjectName, Storage, text


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


class Project(Part):
    """An MLflow Project that runs on a schedule or on request."""

    team: Label
    """The team whose experiment it writes to."""
    uri: str = Field(min_length=1)
    """The project's URI, as `mlflow run` takes it."""
    entry_point: str = "main"
    """The entry point."""
    parameters: dict[str, str] = Field(default_factory=dict[str, str])
    """Parameters of the entry point."""
    schedule: Cron | None = None
    """When, as five cron fields in UTC; left out, only on request."""
    gpu_pool: Label | None = None
    """The GPU pool it runs on; left out, CPU nodes."""


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
