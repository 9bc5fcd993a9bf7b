"""PostgreSQL that Ziggurat runs: one server on one volume."""

from __future__ import annotations

import pulumi

from blueprints.model.storage import EmbeddedDatabase
from components.credentials import Label
from components.database.arguments import RegistryDatabaseArgs
from components.database.connection import DATABASE, PORT, Connection, address, connection_uri
from components.database.passwords import ROLES, set_passwords
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.objects import register
from components.versions import POSTGRESQL, ImageSource

CLAIM = "postgresql-data"
"""The volume claim with the database in it."""
_USER = 999  # uid and gid of the image's `postgres`
_RESOURCES = workloads.Resources(cpu="100m", memory="256Mi", memory_limit="1Gi")
_INIT = "postgresql-init"

# Run once, by the image, on an empty volume. MLflow's role owns one database and is no superuser.
INIT_SCRIPT = """\
psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres --set password="$MLFLOW_PASSWORD" <<'SQL'
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
SQL
"""


def embedded(
    parent: pulumi.Resource, name: str, args: RegistryDatabaseArgs, database: EmbeddedDatabase
) -> Connection:
    """Registers the server; how pods reach it."""
    app, credentials = args.apps.postgresql, args.credentials
    passwords = {role: credentials.password(label) for role, label in ROLES.items()}
    before = [
        register(parent, manifest, depends_on=args.after)
        for manifest in (
            configuration.service_account(app),
            configuration.secret(app, passwords),
            configuration.config_map(app, {"mlflow.sh": INIT_SCRIPT}, _INIT),
            workloads.disruption_budget(app),
        )
    ]
    claim = register(
        parent,
        configuration.volume_claim(app, CLAIM, database.storage, database.storage_class),
        depends_on=args.after,
        holds_data=True,
    )
    server = register(
        parent, workloads.stateful_set(app, server_pod(app, args.images)), depends_on=[*before, claim]
    )
    # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
    service = register(parent, workloads.service(app, {"postgresql": PORT}), depends_on=args.after)
    reached = {**address(app.name, PORT, DATABASE), "PGSSLMODE": "disable"}  # inside one namespace
    user = workloads.plain({"PGUSER": DATABASE, "PGSSLMODE": "disable"})
    password = workloads.from_secret(app.name, {"PGPASSWORD": "mlflow"})
    there = (server, service)
    return Connection(
        connection_uri(app.name, PORT, DATABASE),
        address(app.name, PORT, DATABASE),
        (*user, *password),
        fingerprint=credentials.fingerprint(Label.DATABASE_MLFLOW),
        ready=(*there, *set_passwords(parent, name, args, ROLES, reached, there)),
    )


def server_pod(app: App, images: ImageSource) -> Manifest:
    """PostgreSQL on its volume.

    PGDATA is a folder inside the mount, as the volume's own root may hold `lost+found`. The passwords are
    read on an empty volume only, so they are no part of the hash: a restart would not change them.
    """
    volumes = [
        workloads.claimed("data", CLAIM, "/var/lib/postgresql/data"),
        workloads.config_files("init", _INIT, "/docker-entrypoint-initdb.d"),
        workloads.scratch("run", "/var/run/postgresql", "16Mi"),
        workloads.scratch("tmp", "/tmp"),  # noqa: S108  # a mount inside a container
    ]
    env = workloads.plain(
        {
            "PGDATA": "/var/lib/postgresql/data/pgdata",
            "POSTGRES_USER": "postgres",
            "POSTGRES_INITDB_ARGS": "--data-checksums --auth-host=scram-sha-256",
        }
    )
    env += workloads.from_secret(app.name, {"POSTGRES_PASSWORD": "postgres", "MLFLOW_PASSWORD": "mlflow"})
    # By TCP: while the image prepares an empty volume, its server answers on the socket only.
    alive = ("pg_isready", "--host", "127.0.0.1", "--username", DATABASE, "--dbname", DATABASE)
    main = workloads.container(
        app.name,
        images.reference(POSTGRESQL),
        resources=_RESOURCES,
        env=env,
        ports={"postgresql": PORT},
        volumes=volumes,
        probes=workloads.storage_probes(workloads.exec_probe(*alive)),
    )
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(INIT_SCRIPT),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
