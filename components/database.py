"""The registry database: PostgreSQL that Ziggurat runs, or one that the user brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pulumi

from blueprints.model.storage import EmbeddedDatabase, ExternalDatabase
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.objects import component_token, register
from components.scripts import script
from components.versions import MLFLOW, POSTGRESQL, ImageSource

PORT = 5432
CLAIM = "postgresql-data"
"""The volume claim with the database in it."""
DATABASE = "mlflow"
"""The name of the database, and of the role that owns it."""
ROLES = {"postgres": Label.DATABASE_OWNER, "mlflow": Label.DATABASE_MLFLOW}
"""The roles that can log in, and what their passwords are derived from."""
_USER = 999  # uid and gid of the image's `postgres`
_JOB_USER = 1000
_RESOURCES = workloads.Resources(cpu="100m", memory="256Mi", memory_limit="1Gi")
_JOB_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="256Mi")
_INIT = "postgresql-init"
_LIVELINESS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds, and milliseconds for the last: after ten without an answer a connection is taken for broken."""
_CA = "/etc/postgresql-ca"

# Run once, by the image, on an empty volume. MLflow's role owns one database and is no superuser.
_INIT_SCRIPT = """\
psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres --set password="$MLFLOW_PASSWORD" <<'SQL'
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
SQL
"""


@dataclass(frozen=True)
class Connection:
    """How a pod reaches the database. It holds no secret: passwords come by environment, never in a URI."""

    uri: str
    """SQLAlchemy's URI without user and password: libpq reads both from PGUSER and PGPASSWORD."""
    address: Mapping[str, str]
    """libpq's variables for host, port and database: for PostgreSQL's own programs, which take no URI."""
    env: tuple[Manifest, ...]
    fingerprint: str
    """Changes with the credential where Ziggurat derives it."""
    volumes: tuple[workloads.Volume, ...] = ()
    ready: tuple[pulumi.Resource, ...] = field(default=(), compare=False)
    """What has to be there before a pod connects."""


def connection_uri(host: str, port: int, database: str) -> str:
    """SQLAlchemy's URI, without user and password.

    The driver is named: SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3. The settings are libpq's: a
    pod that is gone answers nothing, not even that it is gone, and a connection to it would hang for minutes.
    """
    return f"postgresql+psycopg2://{host}:{port}/{database}?{urlencode(_LIVELINESS)}"


def _address(host: str, port: int, database: str) -> dict[str, str]:
    return {"PGHOST": host, "PGPORT": str(port), "PGDATABASE": database}


def external(database: ExternalDatabase) -> Connection:
    """How pods reach a database that the user brings."""
    secret = database.secret.secret_name
    env = workloads.from_secret(secret, {"PGUSER": "username", "PGPASSWORD": "password"})
    settings = {"PGSSLMODE": database.ssl_mode}
    volumes: tuple[workloads.Volume, ...] = ()
    if database.ssl_mode.startswith("verify"):
        settings["PGSSLROOTCERT"] = f"{_CA}/ca.crt"
        volumes = (workloads.secret_files("postgresql-ca", secret, _CA, {"ca.crt": "ca.crt"}),)
    return Connection(
        connection_uri(database.host, database.port, database.database),
        _address(database.host, database.port, database.database),
        (*env, *workloads.plain(settings)),
        fingerprint="brought",
        volumes=volumes,
    )


@dataclass(frozen=True)
class RegistryDatabaseArgs:
    """What a RegistryDatabase is made of."""

    app: App
    job: App
    """The Job that sets passwords which were rotated."""
    database: EmbeddedDatabase | ExternalDatabase
    images: ImageSource
    credentials: Credentials = field(repr=False)
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""


class RegistryDatabase(pulumi.ComponentResource):
    """PostgreSQL for experiments, runs, models and accounts."""

    uri: pulumi.Output[str]
    """SQLAlchemy's URI, without user and password."""

    def __init__(
        self, name: str, args: RegistryDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(RegistryDatabase), name, {"mode": args.database.mode}, opts)
        self.connection: Connection = (
            self._embedded(name, args, args.database)
            if isinstance(args.database, EmbeddedDatabase)
            else external(args.database)
        )
        self.uri = pulumi.Output.from_input(self.connection.uri)
        self.register_outputs({"uri": self.uri})

    def _embedded(self, name: str, args: RegistryDatabaseArgs, database: EmbeddedDatabase) -> Connection:
        app, credentials = args.app, args.credentials
        passwords = {role: credentials.password(label) for role, label in ROLES.items()}
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(app),
                configuration.secret(app, passwords),
                configuration.config_map(app, {"mlflow.sh": _INIT_SCRIPT}, _INIT),
                workloads.disruption_budget(app),
            )
        ]
        claim = register(
            self,
            configuration.volume_claim(app, CLAIM, database.storage, database.storage_class),
            depends_on=args.after,
            holds_data=True,
        )
        server = register(
            self, workloads.stateful_set(app, server_pod(app, args.images)), depends_on=[*before, claim]
        )
        # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"postgresql": PORT}), depends_on=args.after)
        user = workloads.plain({"PGUSER": DATABASE, "PGSSLMODE": "disable"})  # inside one namespace
        password = workloads.from_secret(app.name, {"PGPASSWORD": "mlflow"})
        return Connection(
            connection_uri(app.name, PORT, DATABASE),
            _address(app.name, PORT, DATABASE),
            (*user, *password),
            fingerprint=credentials.fingerprint(Label.DATABASE_MLFLOW),
            ready=(server, service, *self._passwords(name, args, (server, service))),
        )

    def _passwords(
        self, name: str, args: RegistryDatabaseArgs, server: tuple[pulumi.Resource, ...]
    ) -> list[pulumi.Resource]:
        """Sets what was rotated: the server itself reads passwords on an empty volume only."""
        job, credentials = args.job, args.credentials
        rotated = rotated_roles(credentials)
        if not rotated:
            return []
        passwords = {
            role: {
                "present": credentials.password(label),
                "earlier": credentials.earlier_passwords(label),
            }
            for role, label in rotated.items()
        }
        files = {"passwords.py": script("passwords.py")}
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(job),
                configuration.config_map(job, files),
                configuration.secret(job, {"passwords.json": pulumi.Output.json_dumps(passwords)}),
            )
        ]
        fingerprints = [credentials.fingerprint(label) for label in rotated.values()]
        template = passwords_pod(args, digest(files, fingerprints))
        manifest = workloads.job(job, digest(template), template)
        return [register(self, manifest, name=f"{name}-passwords", depends_on=[*before, *server])]


def rotated_roles(credentials: Credentials) -> dict[str, str]:
    """Those of ROLES whose passwords are no longer the ones that an empty volume was given."""
    return {role: label for role, label in ROLES.items() if credentials.rotation(label)}


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
        probes={
            "startupProbe": workloads.exec_probe(*alive, periodSeconds=2, failureThreshold=150),
            "readinessProbe": workloads.exec_probe(*alive, periodSeconds=5),
            "livenessProbe": workloads.exec_probe(*alive, periodSeconds=10, failureThreshold=6),
        },
    )
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(_INIT_SCRIPT),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )


def passwords_pod(args: RegistryDatabaseArgs, config_hash: str) -> Manifest:
    """Gives roles their passwords, with the driver that is in MLflow's image.

    Not psql: it would have the password on a command line or in a statement that the server may log.
    """
    job = args.job
    volumes = [
        workloads.config_files("scripts", job.name, "/opt/ziggurat"),
        workloads.secret_files("passwords", job.name, "/etc/ziggurat"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]
    settings = {"PGHOST": args.app.name, "PGPORT": str(PORT), "PGDATABASE": DATABASE}
    settings |= {"PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "5"}  # inside one namespace
    main = workloads.container(
        "passwords",
        args.images.reference(MLFLOW),
        resources=_JOB_RESOURCES,
        command=["python", "/opt/ziggurat/passwords.py"],
        args=["/etc/ziggurat/passwords.json"],
        env=workloads.plain(settings),
        volumes=volumes,
    )
    return workloads.pod_template(
        job,
        main,
        user=_JOB_USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        once=True,
    )
