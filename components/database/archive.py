"""The archive of a cluster of PostgreSQL servers: base backups and the log of changes (WAL) in a bucket.

CloudNativePG's Barman Cloud plugin does it, in a container beside each server. The operator asks the plugin
before it does anything with the Cluster: so both are there before it, and stay as long as it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from blueprints.model import Blueprint
from blueprints.model.storage import (
    Archive,
    Artifacts,
    AzureArtifacts,
    BackupDestination,
    EmbeddedArtifacts,
    GcsArtifacts,
    HighlyAvailableDatabase,
    S3Artifacts,
)
from components import artifacts as store
from components.apps import CLUSTER, Apps
from components.charts import release
from components.database.arguments import RegistryDatabaseArgs
from components.manifests import barman, cnpg, workloads
from components.manifests.network import API_PORTS, Edge, Outside
from components.objects import register
from components.versions import PLUGIN_BARMAN_CLOUD, ImageSource

PORT = 9090
"""Where the plugin answers the operator."""
NAME = f"{CLUSTER}-archive"
"""The ObjectStore that the cluster writes to, and the ScheduledBackup."""
RECOVERY = f"{CLUSTER}-recovery"
"""The ObjectStore that a recovered cluster was read from, where that is another."""
_FOLDER = "archive"
"""Where in a bucket of the platform's that others share."""
_SIDECAR = workloads.Resources(cpu="50m", memory="128Mi", memory_limit="1Gi")
_AWAY_SECONDS = 30


@dataclass(frozen=True)
class Place:
    """Where an archive lies, and how pods enter it. It holds no secret."""

    configuration: Mapping[str, Any]
    """Of the ObjectStore: path and credentials."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables of the container that writes and reads it."""
    account_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the servers' ServiceAccount needs for a cloud's workload identity."""
    pod_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """What their pods need for it."""
    egress: tuple[tuple[str | None, int], ...] = ()
    """Where they have to get, outside: host (None: anywhere) and port."""


def place(platform: str, artifacts: Artifacts, destination: BackupDestination | None) -> Place:
    """`destination`, or where the platform's bucket has room for an archive."""
    if destination is not None:
        brought = S3Artifacts(
            mode="s3",
            bucket=destination.bucket,
            region=destination.region,
            endpoint=destination.endpoint,
            secret=destination.secret,
        )
        return _s3(brought, destination.prefix or platform)
    match artifacts:
        case EmbeddedArtifacts():
            return _embedded()
        case S3Artifacts():
            return _s3(artifacts, _FOLDER)
        case GcsArtifacts():
            return _gcs(artifacts)
        case AzureArtifacts():
            return _azure(artifacts)


def _keys(secret: str) -> dict[str, Any]:
    return {
        "accessKeyId": {"name": secret, "key": "AWS_ACCESS_KEY_ID"},
        "secretAccessKey": {"name": secret, "key": "AWS_SECRET_ACCESS_KEY"},
    }


def _embedded() -> Place:
    configuration = {
        "destinationPath": f"s3://{store.ARCHIVE_BUCKET}/",
        "endpointURL": store.endpoint(),
        "s3Credentials": _keys(store.ARCHIVE_KEYS),
    }
    return Place(configuration, store.client_settings(store.REGION, store.endpoint()))


def _s3(bucket: S3Artifacts, prefix: str) -> Place:
    entered = store.s3(bucket)
    configuration = {
        "destinationPath": f"s3://{bucket.bucket}/{prefix}",
        **({"endpointURL": bucket.endpoint} if bucket.endpoint else {}),
        "s3Credentials": _keys(bucket.secret.secret_name) if bucket.secret else {"inheritFromIAMRole": True},
    }
    return Place(
        configuration,
        store.client_settings(bucket.region, bucket.endpoint),
        account_annotations=entered.account_annotations,
        egress=entered.egress,
    )


def _gcs(bucket: GcsArtifacts) -> Place:
    entered = store.gcs(bucket)
    credentials: dict[str, Any] = {"gkeEnvironment": True}
    if bucket.secret:
        credentials = {"applicationCredentials": {"name": bucket.secret.secret_name, "key": "key.json"}}
    configuration = {
        "destinationPath": f"gs://{bucket.bucket}/{_FOLDER}",
        "googleCredentials": credentials,
    }
    return Place(configuration, account_annotations=entered.account_annotations, egress=entered.egress)


def _azure(container: AzureArtifacts) -> Place:
    """By workload identity alone: which of two keys a Secret has, the rules of blueprints cannot know."""
    entered = store.azure(container)
    host = f"{container.storage_account}.blob.core.windows.net"
    configuration = {
        "destinationPath": f"https://{host}/{container.container}/{_FOLDER}",
        "azureCredentials": {"useDefaultAzureCredentials": True},
    }
    return Place(
        configuration,
        account_annotations=entered.account_annotations,
        pod_labels=entered.pod_labels,
        egress=entered.egress,
    )


def in_embedded_bucket(blueprint: Blueprint) -> bool:
    """Whether the embedded store has a bucket for the archive."""
    database = blueprint.database
    if not isinstance(database, HighlyAvailableDatabase) or database.archive is None:
        return False
    return database.archive.destination is None and isinstance(blueprint.artifacts, EmbeddedArtifacts)


def _recovered(database: HighlyAvailableDatabase) -> BackupDestination | None:
    """Where a cluster is recovered from, if that is another place than it writes to."""
    found = database.recover.destination if database.recover else None
    return None if database.archive and found == database.archive.destination else found


@dataclass(frozen=True)
class Archived:
    """What the archive is to the Cluster."""

    archiver: cnpg.Archiver
    before: tuple[pulumi.Resource, ...]
    """What there has to be before it."""


def register_archive(
    parent: pulumi.Resource,
    args: RegistryDatabaseArgs,
    database: HighlyAvailableDatabase,
    operator: list[pulumi.Resource],
) -> Archived | None:
    """Registers the plugin and where the archive lies; None where the blueprint asks for no archive."""
    chosen = database.archive
    if chosen is None:
        return None
    platform, servers = args.apps.platform.platform, args.apps.servers
    plugin = _plugin(parent, args, database, operator)
    to = place(platform, args.artifacts, chosen.destination)
    before = [
        *plugin,
        register(
            parent,
            barman.object_store(
                servers,
                NAME,
                to.configuration,
                settings=to.settings,
                resources=_SIDECAR,
                retention=chosen.retention,
            ),
            depends_on=[*args.after, *args.archive_after, *plugin],
        ),
    ]
    source = None
    if database.recover:
        elsewhere = _recovered(database)
        if elsewhere:
            read = place(platform, args.artifacts, elsewhere)
            manifest = barman.object_store(
                servers, RECOVERY, read.configuration, settings=read.settings, resources=_SIDECAR
            )
            before.append(register(parent, manifest, depends_on=[*args.after, *plugin]))
        source = cnpg.Source(
            RECOVERY if elsewhere else NAME, database.recover.server_name, database.recover.target_time
        )
    archiver = cnpg.Archiver(NAME, chosen.server_name, source, to.account_annotations, to.pod_labels)
    return Archived(archiver, (*args.archive_after, *before))


def register_schedule(
    parent: pulumi.Resource, args: RegistryDatabaseArgs, chosen: Archive, servers: pulumi.Resource
) -> None:
    """Registers the schedule of base backups, the first of which is made at once."""
    manifest = cnpg.scheduled_backup(args.apps.servers, NAME, CLUSTER, chosen.schedule)
    register(parent, manifest, depends_on=[*args.after, servers])


def _plugin(
    parent: pulumi.Resource,
    args: RegistryDatabaseArgs,
    database: HighlyAvailableDatabase,
    operator: list[pulumi.Resource],
) -> list[pulumi.Resource]:
    if database.operator == "existing":
        return []
    chart = release(
        parent,
        PLUGIN_BARMAN_CLOUD,
        values(args.images),
        namespace=args.apps.barman.namespace,
        images=args.images,
        depends_on=[*args.after, *args.archive_after, *operator],
    )
    return [chart]


def values(images: ImageSource) -> dict[str, Any]:
    """The values of the plugin's chart.

    One pod: only the one that leads answers, and the Service asks each. While it is away, the operator does
    nothing, so it does not wait five minutes for a node that is lost.
    """
    plugin, sidecar = PLUGIN_BARMAN_CLOUD.images
    return {
        "image": {
            "registry": images.registry or plugin.registry,
            "repository": plugin.repository,
            "tag": plugin.tag,
        },
        "sidecarImage": {
            "registry": images.registry or sidecar.registry,
            "repository": sidecar.repository,
            "tag": sidecar.tag,
        },
        "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{condition}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _AWAY_SECONDS,
            }
            for condition in ("not-ready", "unreachable")
        ],
    }


def edges(blueprint: Blueprint, apps: Apps) -> tuple[Edge, ...]:
    """The operator asks the plugin, which asks the API server; the servers reach the bucket."""
    database = blueprint.database
    if not isinstance(database, HighlyAvailableDatabase) or database.archive is None:
        return ()
    own = (
        Edge(apps.cnpg, apps.barman, PORT),
        *(Edge(apps.barman, Outside(), port) for port in API_PORTS),
    )
    elsewhere = _recovered(database)
    places = [
        place(blueprint.name, blueprint.artifacts, destination)
        for destination in (database.archive.destination, *((elsewhere,) if elsewhere else ()))
    ]
    ways = dict.fromkeys(way for each in places for way in each.egress)
    return (
        *(own if database.operator == "embedded" else ()),
        *((Edge(apps.servers, apps.seaweedfs, store.PORT),) if in_embedded_bucket(blueprint) else ()),
        *(Edge(apps.servers, Outside(host), port) for host, port in ways),
    )
