"""The registry database: PostgreSQL that Ziggurat runs, one server or a cluster, or one that is brought."""

from __future__ import annotations

import pulumi

from blueprints.model.storage import EmbeddedDatabase, HighlyAvailableDatabase
from components.database.arguments import RegistryDatabaseArgs
from components.database.cluster import highly_available
from components.database.connection import Connection, external
from components.database.embedded import embedded
from components.objects import component_token


class RegistryDatabase(pulumi.ComponentResource):
    """PostgreSQL for experiments, runs, models and accounts."""

    uri: pulumi.Output[str]
    """SQLAlchemy's URI, without user and password."""

    def __init__(
        self, name: str, args: RegistryDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(RegistryDatabase), name, {"mode": args.database.mode}, opts)
        self.connection: Connection = self._connection(name, args)
        self.uri = pulumi.Output.from_input(self.connection.uri)
        self.register_outputs({"uri": self.uri})

    def _connection(self, name: str, args: RegistryDatabaseArgs) -> Connection:
        match args.database:
            case EmbeddedDatabase():
                return embedded(self, name, args, args.database)
            case HighlyAvailableDatabase():
                return highly_available(self, name, args, args.database)
            case _:
                return external(args.database)
