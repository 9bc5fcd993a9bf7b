"""The registry database: PostgreSQL for experiments, runs, models and accounts."""

from components.database.arguments import RegistryDatabaseArgs
from components.database.connection import DATABASE, PORT, Connection, connection_uri
from components.database.passwords import OWNER, ROLES, rotated_roles
from components.database.registry import RegistryDatabase

__all__ = [
    "DATABASE",
    "OWNER",
    "PORT",
    "ROLES",
    "Connection",
    "RegistryDatabase",
    "RegistryDatabaseArgs",
    "connection_uri",
    "rotated_roles",
]
