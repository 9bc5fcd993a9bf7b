"""The database of pipelines: MySQL that Ziggurat runs, or one that the user brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from blueprints.model.pipelines import EmbeddedMySql, ExternalMySql
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.pipelines.configuration import API_DATABASE, METADATA_DATABASE
from components.scripts import script
from components.versions import MYSQL, ImageSource

PORT = 3306
CLAIM = "mysql-data"
"""The volume claim with the database in it."""
USERS = {
    "root": Label.MYSQL_ROOT,
    API_DATABASE: Label.MYSQL_PIPELINES,
    METADATA_DATABASE: Label.MYSQL_METADATA,
}
"""Who can log in, and what their passwords are derived from; the last two own the database of their name."""
_USER = 999  # uid and gid of the image's `mysql`
_RESOURCES = workloads.Resources(cpu="100m", memory="800Mi", memory_limit="1536Mi")
_INIT = "init.sql"
_SCRIPT = "mysql.sh"


@dataclass(frozen=True)
class Access:
    """How one program logs in to its database."""

    secret: str
    user_key: str
    password_key: str
    fingerprint: str
    """Changes with the password where Ziggurat derives it."""


@dataclass(frozen=True)
class Connection:
    """How pods reach the database. It holds no secret."""

    host: str
    port: int
    api: Access
    metadata: Access
    ready: tuple[pulumi.Resource, ...] = field(default=(), compare=False)


def external(database: ExternalMySql) -> Connection:
    """How pods reach a server that the user brings; one user has both databases."""
    access = Access(database.secret.secret_name, "username", "password", "brought")
    return Connection(database.host, database.port, access, access)


def embedded(mysql: App, credentials: Credentials) -> Connection:
    """How pods reach the server that Ziggurat runs."""

    def access(user: str) -> Access:
        return Access(mysql.name, f"{user}-user", user, credentials.fingerprint(USERS[user]))

    return Connection(mysql.name, PORT, access(API_DATABASE), access(METADATA_DATABASE))


def secrets(mysql: App, credentials: Credentials) -> list[Manifest]:
    """The passwords by user, and the statements that give them, which only MySQL reads."""
    passwords = {user: credentials.password(label) for user, label in USERS.items()}
    names = {f"{user}-user": user for user in (API_DATABASE, METADATA_DATABASE)}
    statements = credentials.compose(init_statements, passwords)
    return [
        configuration.secret(mysql, {**names, **passwords}),
        configuration.secret(mysql, {_INIT: statements}, f"{mysql.name}-init"),
    ]


def init_statements(passwords: Mapping[str, str]) -> str:
    """What makes the databases and their users as they should be, however often it is run."""
    root = passwords["root"]
    lines = [f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{root}';"]
    for user in (API_DATABASE, METADATA_DATABASE):
        login = f"IDENTIFIED WITH mysql_native_password BY '{passwords[user]}'"
        lines += [
            f"CREATE DATABASE IF NOT EXISTS {user};",
            f"CREATE USER IF NOT EXISTS '{user}'@'%' {login};",
            f"ALTER USER '{user}'@'%' {login};",
            f"GRANT ALL PRIVILEGES ON {user}.* TO '{user}'@'%';",
            # For those that a restore makes beside it; unescaped, the underscore were any character.
            rf"GRANT ALL PRIVILEGES ON `{user}\_%`.* TO '{user}'@'%';",
        ]
    return "\n".join([*lines, ""])


def manifests(
    mysql: App, database: EmbeddedMySql, images: ImageSource, credentials: Credentials
) -> tuple[list[Manifest], Manifest, Manifest, Manifest]:
    """The server's: what comes before it, its claim, itself, and its Service."""
    files = {_SCRIPT: script(_SCRIPT)}
    before = [
        configuration.service_account(mysql),
        *secrets(mysql, credentials),
        configuration.config_map(mysql, files),
        workloads.disruption_budget(mysql),
    ]
    claim = configuration.volume_claim(mysql, CLAIM, database.storage, database.storage_class)
    shown = init_statements(dict.fromkeys(USERS, ""))
    fingerprints = [credentials.fingerprint(label) for label in USERS.values()]
    server = workloads.stateful_set(mysql, pod(mysql, images, digest(files, shown, fingerprints)))
    return before, claim, server, workloads.service(mysql, {"mysql": PORT})


def pod(mysql: App, images: ImageSource, config_hash: str) -> Manifest:
    """MySQL on its volume. The data lie in a folder of it, as its root may hold `lost+found`."""
    volumes = [
        workloads.claimed("data", CLAIM, "/var/lib/mysql"),
        workloads.config_files("scripts", mysql.name, "/opt/ziggurat"),
        workloads.secret_files("init", f"{mysql.name}-init", "/etc/ziggurat"),
        workloads.scratch("run", "/var/run/mysqld", "16Mi"),
        workloads.scratch("tmp", "/tmp", "1Gi"),  # noqa: S108  # a mount inside a container
    ]
    # Answered without a password, and by TCP: while an empty volume is prepared, nothing listens there.
    alive = ("mysqladmin", "ping", "--protocol=tcp", "--host=127.0.0.1", "--connect-timeout=3")
    main = workloads.container(
        mysql.name,
        images.reference(MYSQL),
        resources=_RESOURCES,
        command=["sh", f"/opt/ziggurat/{_SCRIPT}"],
        args=["/var/lib/mysql", f"/etc/ziggurat/{_INIT}"],
        ports={"mysql": PORT},
        volumes=volumes,
        probes=workloads.storage_probes(workloads.exec_probe(*alive)),
    )
    return workloads.pod_template(
        mysql,
        main,
        user=_USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
