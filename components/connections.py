"""Who speaks to whom on a platform: the one table that its network policies are made of.

A capability adds its own: a function `edges` of its module, named in `edges` here.
"""

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, ExternalDatabase, HighlyAvailableDatabase
from components import (
    artifacts,
    backup,
    certificates,
    database,
    external_secrets,
    gateway,
    kubeflow,
    queues,
    tracking,
)
from components.apps import Apps
from components.database import archive, cluster
from components.manifests.metadata import App
from components.manifests.network import Edge, Outside, Teams
from components.monitoring import login
from components.monitoring import parts as monitoring
from components.pipelines.edges import pipeline_edges
from components.projects import project_edges
from components.signon import dex, issuer, proxies


def edges(blueprint: Blueprint, apps: Apps, *, sets_passwords: bool = False) -> tuple[Edge, ...]:
    """Every connection of the platform. The network policies allow these and no other.

    `sets_passwords`: a password of the database was rotated, so there is a Job that sets it.
    """
    return (
        Edge(Teams(blueprint.name), apps.mlflow, tracking.PORT),
        Edge(apps.accounts, apps.mlflow, tracking.PORT),
        *_database_edges(blueprint, apps, sets_passwords=sets_passwords),
        *archive.edges(blueprint, apps),
        *_artifact_edges(blueprint, apps),
        *(backup.destination_edges(apps.backup, blueprint.backup) if blueprint.backup else ()),
        *_access_edges(blueprint, apps),
        *(queues.edges(apps.kueue) if queues.runs_kueue(blueprint.queues) else ()),
        *certificates.edges(blueprint, gateway.entrance(blueprint)),
        *external_secrets.edges(blueprint),
        *project_edges(blueprint.name, blueprint.projects),
        *pipeline_edges(blueprint, apps.mlflow, apps.seaweedfs, apps.backup),
        *kubeflow.edges(blueprint, apps),
        *monitoring.edges(blueprint),
        *login.edges(blueprint),
    )


def _database_edges(blueprint: Blueprint, apps: Apps, *, sets_passwords: bool) -> list[Edge]:
    clients = (apps.upgrade, apps.mlflow, *_backup(blueprint, apps))
    chosen = blueprint.database
    if isinstance(chosen, ExternalDatabase):
        return [Edge(client, Outside(chosen.host), chosen.port) for client in clients]
    job = (apps.passwords,) if sets_passwords else ()
    if isinstance(chosen, HighlyAvailableDatabase):
        return _cluster_edges(chosen, apps, (*job, *clients))
    return [Edge(client, apps.postgresql, database.PORT) for client in (*job, *clients)]


def _cluster_edges(chosen: HighlyAvailableDatabase, apps: Apps, clients: tuple[App, ...]) -> list[Edge]:
    """Past a pooler, the servers are reached by what changes the schema, dumps and sets passwords; and by
    reads, where any server may answer them."""
    pooled = chosen.pooler is not None
    direct = [app for app in clients if app != apps.mlflow or not pooled or chosen.read_replica]
    return [
        *([Edge(apps.mlflow, apps.pooler, database.PORT)] if pooled else []),
        *(Edge(client, apps.servers, database.PORT) for client in direct),
        *cluster.edges(apps, chosen),
    ]


def _artifact_edges(blueprint: Blueprint, apps: Apps) -> list[Edge]:
    clients = (apps.mlflow, *_backup(blueprint, apps))
    chosen = blueprint.artifacts
    if isinstance(chosen, EmbeddedArtifacts):
        return [Edge(client, apps.seaweedfs, artifacts.PORT) for client in (apps.bucket, *clients)]
    ways = artifacts.brought(chosen).egress
    return [Edge(client, Outside(host), port) for client in clients for host, port in ways]


def _backup(blueprint: Blueprint, apps: Apps) -> tuple[App, ...]:
    return (apps.backup,) if blueprint.backup else ()


def _access_edges(blueprint: Blueprint, apps: Apps) -> list[Edge]:
    """Browsers reach each page by what logs them in, and the embedded issuer; MLflow fetches its keys."""
    return [
        *gateway.edges(blueprint),
        *proxies.edges(blueprint),
        *issuer.client_edges(blueprint, apps.mlflow),
        *dex.edges(blueprint),
    ]
