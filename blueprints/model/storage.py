"""Where data is kept: the registry database and the artifact bucket, owned or brought."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Label, ObjectName, Port, Server, Storage


class SecretRef(Part):
    """A Secret that exists already, in the platform's namespace; Ziggurat never reads its values."""

    secret_name: ObjectName
    """The Secret's name."""


class EmbeddedDatabase(Part):
    """PostgreSQL run by Ziggurat: one instance on one volume."""

    mode: Literal["embedded"] = "embedded"
    storage: Storage = "10Gi"
    """The size of its volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = None
    """The StorageClass of its volume; left out, the cluster's default."""


class HighlyAvailableDatabase(Part):
    """PostgreSQL as a CloudNativePG cluster."""

    mode: Literal["highlyAvailable"]
    storage: Storage = "20Gi"
    """The size of each instance's volume."""
    storage_class: ObjectName | None = None
    """The StorageClass of the volumes; left out, the cluster's default."""
    instances: int = Field(default=3, ge=2, le=9)
    """PostgreSQL instances, one of them primary."""


class ExternalDatabase(Part):
    """A PostgreSQL server that you bring."""

    mode: Literal["external"]
    host: Server
    """The server's host name or address."""
    port: Port = 5432
    database: str = Field(default="mlflow", min_length=1, max_length=63)
    """The name of the database; it must exist, and its user must own it."""
    secret: SecretRef
    """The Secret with the keys `username` and `password` (type `kubernetes.io/basic-auth` fits)."""
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = "require"
    """libpq's sslmode; the verifying modes want the key `ca.crt` in the Secret."""


Database = Annotated[
    EmbeddedDatabase | HighlyAvailableDatabase | ExternalDatabase, Field(discriminator="mode")
]


class EmbeddedArtifacts(Part):
    """A SeaweedFS bucket run by Ziggurat: one server on one volume."""

    mode: Literal["embedded"] = "embedded"
    bucket: Label = "artifacts"
    """The name of the bucket."""
    storage: Storage = "20Gi"
    """The size of its volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = None
    """The StorageClass of its volume; left out, the cluster's default."""


class S3Artifacts(Part):
    """A bucket that speaks S3, which you bring."""

    mode: Literal["s3"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    region: str = Field(default="us-east-1", min_length=1)
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/]+$")
    """The store's URL where it is not AWS; left out, AWS."""
    secret: SecretRef | None = None
    """The Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; left out, `roleArn` or
    EKS Pod Identity gives the pods their identity."""
    role_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")
    """The IAM role that the tracking server's ServiceAccount takes on (IRSA)."""


class GcsArtifacts(Part):
    """A Google Cloud Storage bucket, which you bring."""

    mode: Literal["gcs"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
    service_account: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com$"
    )
    """The Google service account of Workload Identity; left out, the Secret or a direct principal binding."""
    secret: SecretRef | None = None
    """The Secret with the key `key.json` (a service account key); left out, Workload Identity."""


class AzureArtifacts(Part):
    """An Azure Blob Storage container, which you bring."""

    mode: Literal["azure"]
    storage_account: str = Field(pattern=r"^[a-z0-9]{3,24}$")
    container: str = Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")
    client_id: str | None = Field(default=None, pattern=r"^[0-9a-fA-F-]{36}$")
    """The client id of the workload identity; left out, the Secret."""
    secret: SecretRef | None = None
    """The Secret with the key `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_ACCESS_KEY`."""


Artifacts = Annotated[
    EmbeddedArtifacts | S3Artifacts | GcsArtifacts | AzureArtifacts, Field(discriminator="mode")
]
