"""How pods reach the database, whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pulumi

from blueprints.model.storage import ExternalDatabase
from components.manifests import workloads
from components.manifests.metadata import Manifest

PORT = 5432
DATABASE = "mlflow"
"""The name of the database, and of the role that owns it."""
_LIVELINESS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds, and milliseconds for the last: after ten without an answer a connection is taken for broken."""
_CA = "/etc/postgresql-ca"


@dataclass(frozen=True)
class Connection:
    """How a pod reaches the database. It holds no secret: passwords come by environment, never in a URI."""

    uri: str
    """SQLAlchemy's URI without user and password: libpq reads both from PGUSER and PGPASSWORD."""
    address: Mapping[str, str]
    """libpq's variables for host, port and database: for PostgreSQL's own programs, which take no URI. They
    lead to the primary server itself, past a pooler."""
    env: tuple[Manifest, ...]
    fingerprint: str
    """Changes with the credential where Ziggurat derives it."""
    volumes: tuple[workloads.Volume, ...] = ()
    migration_uri: str = ""
    """The URI for changes of the schema, past a pooler; empty if there is none."""
    read_uri: str | None = None
    """The URI for reads that any server may answer; None sends them where writes go."""
    ready: tuple[pulumi.Resource, ...] = field(default=(), compare=False)
    """What has to be there before a pod connects."""


def connection_uri(host: str, port: int, database: str) -> str:
    """SQLAlchemy's URI, without user and password.

    The driver is named: SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3. The settings are libpq's: a
    pod that is gone answers nothing, not even that it is gone, and a connection to it would hang for minutes.
    """
    return f"postgresql+psycopg2://{host}:{port}/{database}?{urlencode(_LIVELINESS)}"


def address(host: str, port: int, database: str) -> dict[str, str]:
    """Where the database is, as libpq's variables."""
    return {"PGHOST": host, "PGPORT": str(port), "PGDATABASE": database}


def verified(ssl_mode: str, ca_secret: str) -> tuple[dict[str, str], tuple[workloads.Volume, ...]]:
    """libpq's variables and the volume for TLS whose server is verified against `ca.crt` of a Secret.

    The volume is a folder, not a single file: so a certificate that is renewed reaches pods that run, and
    libpq reads it at each connection.
    """
    volume = workloads.secret_files("postgresql-ca", ca_secret, _CA, {"ca.crt": "ca.crt"})
    return {"PGSSLMODE": ssl_mode, "PGSSLROOTCERT": f"{_CA}/ca.crt"}, (volume,)


def external(database: ExternalDatabase) -> Connection:
    """How pods reach a database that the user brings."""
    secret = database.secret.secret_name
    env = workloads.from_secret(secret, {"PGUSER": "username", "PGPASSWORD": "password"})
    settings, volumes = {"PGSSLMODE": database.ssl_mode}, ()
    if database.ssl_mode.startswith("verify"):
        settings, volumes = verified(database.ssl_mode, secret)
    return Connection(
        connection_uri(database.host, database.port, database.database),
        address(database.host, database.port, database.database),
        (*env, *workloads.plain(settings)),
        fingerprint="brought",
        volumes=volumes,
    )
