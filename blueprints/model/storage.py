"""Where data is kept: the registry database and the artifact bucket, owned or brought."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import GROW_ONLY, IMMUTABLE, Part
from blueprints.model.resources import Resources
from blueprints.model.scalars import Cron, Label, ObjectName, Port, Server, Storage, text

BucketName = Annotated[
    str,
    text(
        r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket's name: 3 to 63 lower case letters, digits, dashes and dots",
    ),
]
GcsBucketName = Annotated[
    str,
    text(
        r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$",
        "a bucket's name: 3 to 222 lower case letters, digits, dashes, dots and underscores",
    ),
]
StoreUrl = Annotated[str, text(r"^https?://[^\s/]+$", "an http or https URL without a path")]
RoleArn = Annotated[
    str,
    text(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", "the ARN of a role: arn:aws:iam::<account>:role/<name>"),
]
GoogleServiceAccount = Annotated[
    str,
    text(
        r"^[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com$",
        "the address of a service account: <name>@<project>.iam.gserviceaccount.com",
    ),
]
StorageAccount = Annotated[str, text(r"^[a-z0-9]{3,24}$", "3 to 24 lower case letters and digits")]
ContainerName = Annotated[
    str,
    text(r"^[a-z0-9](-?[a-z0-9]){2,62}$", "3 to 63 lower case letters, digits and single dashes"),
]
ClientId = Annotated[
    str,
    text(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "a UUID, as Microsoft Entra shows it"),
]


class SecretRef(Part):
    """A Secret that exists already, in the platform's namespace; Ziggurat never reads its values."""

    secret_name: ObjectName
    """The Secret's name."""


class BackupDestination(Part):
    """A bucket that speaks S3, which you bring: best one that the platform's own keys cannot reach."""

    bucket: BucketName
    """The bucket's name; it must exist."""
    prefix: Label | None = None
    """Where in the bucket they lie; left out, the platform's name."""
    region: str = Field(default="us-east-1", min_length=1)
    """The bucket's region; stores other than AWS mostly take any."""
    endpoint: StoreUrl | None = None
    """The store's URL where it is not AWS; left out, AWS."""
    secret: SecretRef
    """The Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`."""


class EmbeddedDatabase(Part):
    """PostgreSQL run by Ziggurat: one instance on one volume."""

    mode: Literal["embedded"] = Field(default="embedded", json_schema_extra=IMMUTABLE)
    """Ziggurat runs PostgreSQL."""
    storage: Storage = Field(default="10Gi", json_schema_extra=GROW_ONLY)
    """The size of its volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of its volume; left out, the cluster's default."""


class Pooler(Part):
    """PgBouncer between the tracking servers and the database.

    It pools by transaction, which MLflow is fit for: so hundreds of connections of servers share a few dozen
    of the database, and survive that its primary changes.
    """

    instances: int = Field(default=2, ge=1, le=5)
    """PgBouncers behind one Service."""


Retention = Annotated[
    str, text(r"^[1-9][0-9]*[dwm]$", "a number of days, weeks or months: 30d, 4w, 1m", max_length=10)
]
Moment = Annotated[
    str,
    text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
        "a time with its zone (RFC 3339): 2026-11-26T09:30:00Z",
    ),
]


class Archive(Part):
    """Every change of the database in a bucket, so that any moment of the past can be recovered.

    Base backups on a schedule, and between them PostgreSQL's log of changes (WAL), at most five minutes late.
    While the bucket cannot be reached, the log stays on the primary's volume and fills it.
    """

    schedule: Cron = "0 1 * * *"
    """When base backups are made, as five cron fields in UTC."""
    retention: Retention = "30d"
    """How far back the database can be recovered: what only earlier moments need is deleted."""
    destination: BackupDestination | None = None
    """Where to; left out, the platform's own bucket, below `archive/`, or in a bucket of its own beside the
    artifacts where the store is embedded. Never the same place as another platform's."""
    server_name: Label = "postgresql"
    """The folder there, empty when the cluster is made: one that was recovered, or made anew, writes to
    another one than its predecessor."""


class Recovery(Part):
    """Where a cluster gets its data from when it is made: an archive, not an empty database.

    It says how the cluster begins, and nothing about one that is there already (docs/operations.md).
    """

    server_name: Label = "postgresql"
    """The folder of the archive: `archive.serverName` of the cluster that is recovered."""
    target_time: Moment | None = None
    """The moment that is recovered; left out, the last one that the archive has."""
    destination: BackupDestination | None = None
    """Where the archive is; left out, where `archive` writes to."""


class HighlyAvailableDatabase(Part):
    """PostgreSQL as a CloudNativePG cluster.

    Each commit is on a second instance before it is acknowledged, as long as a second one is well. When the
    primary fails, another instance takes its place.
    """

    mode: Literal["highlyAvailable"] = Field(json_schema_extra=IMMUTABLE)
    """Ziggurat runs a PostgreSQL cluster."""
    storage: Storage = Field(default="20Gi", json_schema_extra=GROW_ONLY)
    """The size of each instance's volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of the volumes; left out, the cluster's default."""
    instances: int = Field(default=3, ge=2, le=9)
    """PostgreSQL instances, one of them primary."""
    resources: Resources = Field(
        default_factory=lambda: Resources(cpu="500m", memory="1Gi", memory_limit="2Gi")
    )
    """What each instance asks for; left out, 500m CPU, 1Gi and a limit of 2Gi. PostgreSQL's shared buffers
    are a quarter of the memory."""
    operator: Literal["embedded", "existing"] = "embedded"
    """Who runs CloudNativePG: `embedded`, the platform, for itself alone; `existing`, the cluster has it
    already (1.30 or newer)."""
    operator_namespace: ObjectName = "cnpg-system"
    """Where an existing operator runs: it has to reach the instances."""
    pooler: Pooler | None = None
    """Connection pooling; left out, the tracking servers connect to the primary themselves."""
    read_replica: bool = False
    """Whether MLflow reads from every instance, not from the primary alone. Each commit then waits until all
    instances that are well show it, so that nobody misses what he has just written."""
    archive: Archive | None = None
    """Recovery to any moment, beside `backup`; left out, there is none. It wants `certificates`, or with
    `operator: existing` the Barman Cloud plugin (0.13 or newer) beside the operator. The servers start anew
    when it comes or goes, one after the other."""
    recover: Recovery | None = None
    """What a cluster begins with when it is made; left out, with an empty database."""


class ExternalDatabase(Part):
    """A PostgreSQL server that you bring."""

    mode: Literal["external"] = Field(json_schema_extra=IMMUTABLE)
    """You bring a PostgreSQL server."""
    host: Server
    """The server's host name or address."""
    port: Port = 5432
    """The server's port."""
    database: str = Field(default="mlflow", min_length=1, max_length=63, json_schema_extra=IMMUTABLE)
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

    mode: Literal["embedded"] = Field(default="embedded", json_schema_extra=IMMUTABLE)
    """Ziggurat runs a bucket."""
    bucket: Label = Field(default="artifacts", json_schema_extra=IMMUTABLE)
    """The name of the bucket."""
    storage: Storage = Field(default="20Gi", json_schema_extra=GROW_ONLY)
    """The size of its volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of its volume; left out, the cluster's default."""


class S3Artifacts(Part):
    """A bucket that speaks S3, which you bring."""

    mode: Literal["s3"] = Field(json_schema_extra=IMMUTABLE)
    """You bring a bucket that speaks S3."""
    bucket: BucketName = Field(json_schema_extra=IMMUTABLE)
    """The bucket's name; it must exist."""
    region: str = Field(default="us-east-1", min_length=1)
    """The bucket's region; stores other than AWS mostly take any."""
    endpoint: StoreUrl | None = None
    """The store's URL where it is not AWS; left out, AWS."""
    secret: SecretRef | None = None
    """The Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; left out, `roleArn` or
    EKS Pod Identity gives the pods their identity."""
    role_arn: RoleArn | None = None
    """The IAM role that the tracking server's ServiceAccount takes on (IRSA)."""


class GcsArtifacts(Part):
    """A Google Cloud Storage bucket, which you bring."""

    mode: Literal["gcs"] = Field(json_schema_extra=IMMUTABLE)
    """You bring a Google Cloud Storage bucket."""
    bucket: GcsBucketName = Field(json_schema_extra=IMMUTABLE)
    """The bucket's name; it must exist."""
    service_account: GoogleServiceAccount | None = None
    """The Google service account of Workload Identity; left out, the Secret or a direct principal binding."""
    secret: SecretRef | None = None
    """The Secret with the key `key.json` (a service account key); left out, Workload Identity."""


class AzureArtifacts(Part):
    """An Azure Blob Storage container, which you bring."""

    mode: Literal["azure"] = Field(json_schema_extra=IMMUTABLE)
    """You bring an Azure Blob Storage container."""
    storage_account: StorageAccount = Field(json_schema_extra=IMMUTABLE)
    """The storage account's name."""
    container: ContainerName = Field(json_schema_extra=IMMUTABLE)
    """The container's name; it must exist."""
    client_id: ClientId | None = None
    """The client id of the workload identity; left out, the Secret."""
    secret: SecretRef | None = None
    """The Secret with the key `AZURE_STORAGE_CONNECTION_STRING` or `AZURE_STORAGE_ACCESS_KEY`."""


Artifacts = Annotated[
    EmbeddedArtifacts | S3Artifacts | GcsArtifacts | AzureArtifacts, Field(discriminator="mode")
]
