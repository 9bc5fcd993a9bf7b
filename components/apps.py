"""The parts of a platform that every other part may speak of."""

from dataclasses import dataclass, replace

from blueprints.names import system_namespace
from components import artifacts, queues
from components.manifests import cnpg
from components.manifests.metadata import App
from components.versions import CLOUDNATIVE_PG, PLUGIN_BARMAN_CLOUD

CLUSTER = "postgresql"
"""The name of the cluster of PostgreSQL servers, which their Services' names begin with."""
POOLER = "postgresql-pooler"
"""The name of its pooler and of that one's Service."""


def system_app(platform: str, name: str, component: str) -> App:
    """A part of the platform `platform` that runs in its own namespace."""
    return App(platform, system_namespace(platform), name, component)


@dataclass(frozen=True)
class Apps:
    """The parts of a platform, by what they are called in its namespace."""

    platform: App
    postgresql: App
    passwords: App
    servers: App
    """The pods of a cluster of PostgreSQL servers, and of the Jobs that prepare them."""
    pooler: App
    cnpg: App
    """CloudNativePG's operator."""
    barman: App
    """Its plugin for archives."""
    seaweedfs: App
    bucket: App
    mlflow: App
    upgrade: App
    accounts: App
    proxy: App
    backup: App
    kueue: App
    admission: App

    @staticmethod
    def of(platform: str) -> "Apps":
        """Those of the platform called so."""

        def app(name: str, component: str) -> App:
            return system_app(platform, name, component)

        return Apps(
            platform=app("platform", "namespace"),
            postgresql=app("postgresql", "database"),
            passwords=app("postgresql-passwords", "database"),
            servers=replace(app(CLUSTER, "database"), pods=cnpg.server_pods(CLUSTER)),
            pooler=replace(app(POOLER, "database"), pods=cnpg.pooler_pods(POOLER)),
            cnpg=replace(app(CLOUDNATIVE_PG.name, "database"), release=CLOUDNATIVE_PG.name),
            barman=replace(app(PLUGIN_BARMAN_CLOUD.name, "database"), release=PLUGIN_BARMAN_CLOUD.name),
            seaweedfs=app(artifacts.SERVER, "artifacts"),
            bucket=app("seaweedfs-bucket", "artifacts"),
            mlflow=app("mlflow", "tracking"),
            upgrade=app("mlflow-upgrade", "tracking"),
            accounts=app("mlflow-accounts", "auth"),
            proxy=app("oauth2-proxy", "auth"),
            backup=app("backup", "backup"),
            kueue=replace(app("kueue", "queues"), release=queues.RELEASE),
            admission=app("admission", "admission"),
        )
