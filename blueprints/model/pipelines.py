"""Kubeflow Pipelines."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import GROW_ONLY, IMMUTABLE, Part
from blueprints.model.scalars import HostName, Label, ObjectName, Port, Server, Storage
from blueprints.model.storage import GoogleServiceAccount, RoleArn, SecretRef

Engine = Literal["mysql", "postgresql"]


class EmbeddedMySql(Part):
    """MySQL 8.4 run by Ziggurat: one instance on one volume."""

    mode: Literal["embedded"] = Field(default="embedded", json_schema_extra=IMMUTABLE)
    """Ziggurat runs MySQL."""
    engine: Engine = "mysql"
    """MySQL; `postgresql` is refused until version 3 of Kubeflow Pipelines."""
    storage: Storage = Field(default="20Gi", json_schema_extra=GROW_ONLY)
    """The size of its volume; it may grow later, never shrink."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of its volume; left out, the cluster's default."""


class ExternalMySql(Part):
    """A MySQL server that you bring; version 8.4 at most, as the metadata store logs in by
    `mysql_native_password`, which later versions do not know."""

    mode: Literal["external"] = Field(json_schema_extra=IMMUTABLE)
    """You bring a MySQL server."""
    engine: Engine = "mysql"
    """MySQL; `postgresql` is refused until version 3 of Kubeflow Pipelines."""
    host: Server
    """The server's host name or address."""
    port: Port = 3306
    """The server's port."""
    secret: SecretRef
    """The Secret with the keys `username` and `password`. The user needs all rights on the databases
    `mlpipeline` and `metadb`, which are made where they are missing, and logs in by
    `mysql_native_password`; nothing is encrypted on the way. To restore a backup it needs them on databases
    whose names begin with `mlpipeline_` and `metadb_`, too: what is restored is loaded beside first."""


PipelinesDatabase = Annotated[EmbeddedMySql | ExternalMySql, Field(discriminator="mode")]


class Pipelines(Part):
    """Kubeflow Pipelines. Runs execute in their team's namespace, and each is an MLflow run of its team."""

    host: HostName | None = None
    """The name under which people open its page, which needs a single sign-on (`auth.mode: oidc` or
    `embedded`); left out, there is no page, and programs use it inside the cluster."""
    database: PipelinesDatabase = Field(default_factory=EmbeddedMySql)
    """Where pipelines, runs and their metadata are kept; left out, a MySQL run by Ziggurat."""
    experiment: str = Field(default="pipelines", min_length=1, max_length=250)
    """The MLflow experiment of each team that its runs belong to, unless a run names another
    (`plugins_input.mlflow.experiment_name`)."""
    keep_finished_hours: int = Field(default=24, ge=1, le=8760)
    """For how many hours the cluster keeps the pods of a finished run, and their events and logs. The run's
    record, its artifacts with the logs of its tasks, and its MLflow run stay."""
    parallelism: int | None = Field(default=None, ge=1)
    """How many runs of a team may execute at a time, others wait; left out, as many as its quota lets."""
    identities: dict[Label, RoleArn | GoogleServiceAccount] = Field(
        default_factory=dict[str, RoleArn | GoogleServiceAccount]
    )
    """With `artifacts.roleArn` or `artifacts.serviceAccount`: the IAM role or Google service account that the
    runs of each team take on; it needs no more than the bucket's prefix `kfp/<team>/`."""
