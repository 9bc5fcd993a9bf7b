"""Backups: when, how many, and where to."""

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Cron, Label, Storage
from blueprints.model.storage import BackupDestination


class Backup(Part):
    """Regular backups of the databases and the artifacts, those of pipelines included, encrypted."""

    schedule: Cron = "0 2 * * *"
    """When, as five cron fields in UTC."""
    keep: int = Field(default=14, ge=1)
    """How many backups are kept; what only older ones hold is deleted."""
    destination: BackupDestination | None = None
    """Where to; left out, a second bucket of the embedded store, which is lost with the store's volume."""
    scratch: Storage = "30Gi"
    """Room for one copy of the databases and the artifacts, on a volume that lasts as long as each run."""
    storage_class: Label | None = None
    """The StorageClass of that volume; left out, the cluster's default."""
