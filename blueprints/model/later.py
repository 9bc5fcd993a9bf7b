"""The parts of the language whose capabilities this version does not provision yet.

Their names and shapes are settled, so that editors complete them and a misspelt key is found; the rules
refuse each one with the capability named (blueprints/phases.py says which are built).
"""

from typing import Annotated

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
