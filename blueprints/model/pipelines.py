"""Kubeflow Pipelines."""

from blueprints.model.base import Part
from blueprints.model.scalars import HostName, Storage


class Pipelines(Part):
    """Kubeflow Pipelines."""

    host: HostName | None = None
    """The name under which people reach the UI."""
    storage: Storage = "20Gi"
    """The size of its database's volume."""
