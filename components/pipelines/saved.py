"""How backups enter the databases of pipelines, by the script that dumps them and puts them back."""

from __future__ import annotations

from blueprints.model import Blueprint
from blueprints.model.pipelines import EmbeddedMySql
from components.credentials import Credentials
from components.manifests import workloads
from components.manifests.metadata import Manifest
from components.pipelines import database
from components.pipelines.configuration import API_DATABASE, METADATA_DATABASE
from components.pipelines.database import Connection
from components.pipelines.parts import Parts

SCRIPT = "pipelines.sh"


def connection(blueprint: Blueprint, credentials: Credentials) -> Connection | None:
    """How to reach what is to be saved; None where there are no pipelines."""
    if blueprint.pipelines is None:
        return None
    chosen = blueprint.pipelines.database
    if isinstance(chosen, EmbeddedMySql):
        return database.embedded(Parts.of(blueprint.name).mysql, credentials)
    return database.external(chosen)


def environment(connection: Connection) -> list[Manifest]:
    """The script's variables. Each database is dumped by the user that owns it: so no user can read both."""
    api, metadata = connection.api, connection.metadata
    return [
        *workloads.plain(
            {
                "DATABASE_HOST": connection.host,
                "DATABASE_PORT": str(connection.port),
                "API_DATABASE": API_DATABASE,
                "METADATA_DATABASE": METADATA_DATABASE,
                "HOME": "/tmp",  # noqa: S108  # a mount inside a container
            }
        ),
        *workloads.from_secret(api.secret, {"API_USER": api.user_key, "API_PASSWORD": api.password_key}),
        *workloads.from_secret(
            metadata.secret,
            {"METADATA_USER": metadata.user_key, "METADATA_PASSWORD": metadata.password_key},
        ),
    ]
