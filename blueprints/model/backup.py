"""Backups: when, how many, and where to."""

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Cron, Label, Storage
from blueprints.model.storage import BucketName, SecretRef, StoreUrl


class BackupDestination(Part):
    """A bucket that speaks S3, which you bring: best one that the platform's own keys cannot reach."""

    bucket: BucketName
    """The bucket's name; it must exist."""
    prefix: Label | None = None
    """Where in the bucket the backups lie; left out, the platform's name."""
    region: str = Field(default="us-east-1", min_length=1)
    """The bucket's region; stores other than AWS mostly take any."""
    endpoint: StoreUrl | None = None
    """The store's URL where it is not AWS; left out, AWS."""
    secret: SecretRef
    """The Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`."""


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
