"""PostgreSQL as a CloudNativePG cluster: several servers, the primary's place taken by another when it fails.

The operator makes everything of it: pods, claims, Services, certificates. What Ziggurat registers is the
operator, the Cluster and, where it is asked for, the Pooler; each is ready before what needs it begins.
"""

from __future__ import annotations

from typing import Any

import pulumi

from blueprints.databases import MAX_CONNECTIONS, POOLER_CLIENTS
from blueprints.model.storage import Database, HighlyAvailableDatabase
from blueprints.quantities import amount
from components.apps import CLUSTER, Apps
from components.charts import release
from components.credentials import Label
from components.database.archive import Archived, register_archive, register_schedule
from components.database.arguments import RegistryDatabaseArgs
from components.database.connection import DATABASE, PORT, Connection, address, connection_uri, verified
from components.database.passwords import OWNER, set_passwords
from components.manifests import cnpg, workloads
from components.manifests.metadata import App
from components.manifests.network import Edge, Namespace, Outside
from components.objects import register
from components.versions import (
    CLOUDNATIVE_PG,
    CNPG_POSTGRESQL,
    PGBOUNCER,
    PLUGIN_BARMAN_CLOUD,
    Chart,
    ImageSource,
)

WRITES = f"{CLUSTER}-rw"
"""The Service of the primary."""
READS = f"{CLUSTER}-r"
"""The Service of every server that is well, the primary too."""
SECRET = f"{CLUSTER}-{DATABASE}"
"""The Secret with the owner's `username` and `password`."""
CA_SECRET = f"{CLUSTER}-ca"
"""The operator's own Secret; its `ca.crt` signs the servers' certificate, which the poolers show too."""
STATUS = 8000
"""Where the operator asks an instance how it is, and instances each other whether they are cut off."""
WEBHOOK = 9443
METRICS = 9187
"""Metrics of each server, in clear inside the cluster's network."""
POOLER_METRICS = 9127
OPERATOR_METRICS = 8080
_API_PORTS = (443, 6443)
_OPERATOR_REPLICAS = 2
"""It is the operator that promotes another primary: one that died with it must not be waited for."""
_POOLER_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="256Mi")
_POOL = {"max_client_conn": str(POOLER_CLIENTS), "default_pool_size": "25"}
"""For each PgBouncer. Five of them, the most that there are, leave room for Jobs and the operator."""


def highly_available(
    parent: pulumi.Resource, name: str, args: RegistryDatabaseArgs, database: HighlyAvailableDatabase
) -> Connection:
    """Registers operator, cluster and pooler; how pods reach them."""
    apps, credentials = args.apps, args.credentials
    operator = _operator(parent, args, database)
    archived = register_archive(parent, args, database, operator)
    secret = cnpg.owner_secret(apps.servers, SECRET, DATABASE, credentials.password(Label.DATABASE_MLFLOW))
    owner = register(parent, secret, depends_on=args.after)
    servers = register(
        parent,
        cnpg.cluster(apps.servers, _servers(apps, database, args.images, archived)),
        depends_on=[*args.after, *operator, *(archived.before if archived else ()), owner],
        holds_data=True,
    )
    if database.archive:
        register_schedule(parent, args, database.archive, servers)
    settings, volumes = verified("verify-full", CA_SECRET)
    reached = {**address(WRITES, PORT, DATABASE), **settings}
    passwords = set_passwords(parent, name, args, OWNER, reached, [servers], volumes)
    pooler = _pooler(parent, args, database, servers)
    direct = connection_uri(WRITES, PORT, DATABASE)
    return Connection(
        connection_uri(apps.pooler.name, PORT, DATABASE) if pooler else direct,
        address(WRITES, PORT, DATABASE),
        (
            *workloads.plain({"PGUSER": DATABASE, **settings}),
            *workloads.from_secret(SECRET, {"PGPASSWORD": "password"}),
        ),
        fingerprint=credentials.fingerprint(Label.DATABASE_MLFLOW),
        volumes=volumes,
        migration_uri=direct,
        read_uri=connection_uri(READS, PORT, DATABASE) if database.read_replica else None,
        ready=(servers, *pooler, *passwords),
    )


def charts(database: Database) -> tuple[Chart, ...]:
    """CloudNativePG's and its plugin's, where the platform runs them."""
    if not isinstance(database, HighlyAvailableDatabase) or database.operator == "existing":
        return ()
    return (CLOUDNATIVE_PG, *((PLUGIN_BARMAN_CLOUD,) if database.archive else ()))


def _operator(
    parent: pulumi.Resource, args: RegistryDatabaseArgs, database: HighlyAvailableDatabase
) -> list[pulumi.Resource]:
    if database.operator == "existing":
        return []
    chart = release(
        parent,
        CLOUDNATIVE_PG,
        values(args.apps.cnpg, args.images),
        namespace=args.apps.cnpg.namespace,
        images=args.images,
        depends_on=args.after,
    )
    return [chart]


def _pooler(
    parent: pulumi.Resource,
    args: RegistryDatabaseArgs,
    database: HighlyAvailableDatabase,
    servers: pulumi.Resource,
) -> list[pulumi.Resource]:
    if database.pooler is None:
        return []
    app = args.apps.pooler
    pool = cnpg.Pool(
        database.pooler.instances,
        args.images.reference(PGBOUNCER),
        _POOLER_RESOURCES,
        _POOL,
        args.images.pull_secret,
    )
    budget = register(parent, workloads.disruption_budget(app), depends_on=args.after)
    made = register(parent, cnpg.pooler(app, CLUSTER, pool), depends_on=[*args.after, servers])
    return [budget, made]


def _servers(
    apps: Apps, database: HighlyAvailableDatabase, images: ImageSource, archived: Archived | None
) -> cnpg.Servers:
    resources = database.resources
    standbys = database.instances - 1
    return cnpg.Servers(
        database.instances,
        images.reference(CNPG_POSTGRESQL),
        database.storage,
        database.storage_class,
        workloads.Resources(resources.cpu, resources.memory, resources.memory_limit),
        parameters(database),
        # A read may be answered by any server, so every server that is well has to have what was written.
        standbys if database.read_replica else 1,
        DATABASE,
        DATABASE,
        SECRET,
        _names(apps.pooler),
        images.pull_secret,
        archived.archiver if archived else None,
    )


def _names(pooler: App) -> tuple[str, ...]:
    """What the poolers are called, whether there are any: the certificate is not made anew when some come."""
    short = f"{pooler.name}.{pooler.namespace}"
    return (pooler.name, short, f"{short}.svc", f"{short}.svc.cluster.local")


def parameters(database: HighlyAvailableDatabase) -> dict[str, str]:
    """postgresql.conf, where PostgreSQL's own defaults or the operator's do not do."""
    mebibyte = 1024**2
    buffers = int(amount(database.resources.memory) / 4 / mebibyte)
    kept = int(amount(database.storage) / 4 / mebibyte)
    return {
        "max_connections": str(MAX_CONNECTIONS),
        "shared_buffers": f"{buffers}MB",
        # A standby that is gone for days must not fill the primary's disk: it is made anew instead.
        "max_slot_wal_keep_size": f"{kept}MB",
        # What was written can be read from every standby at once, not only be promoted there.
        **({"synchronous_commit": "remote_apply"} if database.read_replica else {}),
    }


def values(app: App, images: ImageSource) -> dict[str, Any]:
    """The values of CloudNativePG's chart. It looks after the platform's namespace alone."""
    (image,) = CLOUDNATIVE_PG.images
    return {
        "replicaCount": _OPERATOR_REPLICAS,
        "image": {
            "repository": images.repository(image),
            "tag": image.tag,
            "pullPolicy": "IfNotPresent",
        },
        "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
        "config": {"clusterWide": False},
        "monitoring": {"podMonitorEnabled": False},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "256Mi"},
        },
        "topologySpreadConstraints": workloads.spread_over(app.selector),
    }


def edges(apps: Apps, database: HighlyAvailableDatabase) -> tuple[Edge, ...]:
    """The operator, the servers and the poolers, among themselves and with the API server."""
    servers, cluster_wide = apps.servers, database.operator == "existing"
    operator = Namespace(database.operator_namespace) if cluster_wide else apps.cnpg
    mine = [] if cluster_wide else [apps.cnpg]
    pooler = [apps.pooler] if database.pooler else []
    return (
        *(Edge(Outside(), app, WEBHOOK) for app in mine),
        *(Edge(operator, servers, port) for port in (STATUS, PORT)),
        *(Edge(servers, servers, port) for port in (STATUS, PORT)),
        *(Edge(app, servers, PORT) for app in pooler),
        # Each has the operator's own instance manager in it, which watches the Cluster or the Pooler.
        *(Edge(app, Outside(), port) for app in (*mine, servers, *pooler) for port in _API_PORTS),
    )
