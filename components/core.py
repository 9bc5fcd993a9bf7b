"""The core of a platform, which every blueprint has, and what capabilities are built on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pulumi

from blueprints.model import Blueprint
from blueprints.model.access import BasicAuth, OidcAuth
from blueprints.model.storage import HighlyAvailableDatabase
from blueprints.model.teams import Team
from components import auth, database
from components.apps import Apps
from components.artifacts import ArtifactBucket, ArtifactBucketArgs
from components.auth import Auth, AuthArgs
from components.connections import edges
from components.credentials import Credentials
from components.database import RegistryDatabase, RegistryDatabaseArgs
from components.manifests.network import Edge
from components.manifests.queues import bounds
from components.namespaces import TeamNamespaces, TeamNamespacesArgs
from components.system import SystemNamespace, SystemNamespaceArgs
from components.tracking import Authorization, TrackingServer, TrackingServerArgs
from components.versions import ImageSource

Resources = tuple[pulumi.Resource, ...]


@dataclass(frozen=True)
class Core:
    """What capabilities are built on: namespaces, database, bucket, tracking server, access."""

    name: str
    """The logical name of the platform; those of its components begin with it."""
    blueprint: Blueprint
    """Resolved; nothing here asks for its phase."""
    apps: Apps
    images: ImageSource
    connections: tuple[Edge, ...]
    options: pulumi.ResourceOptions
    """Those of the platform's components: it is their parent."""
    system: SystemNamespace
    teams: TeamNamespaces
    registry: RegistryDatabase
    bucket: ArtifactBucket
    server: TrackingServer
    access: Auth
    credentials: Credentials = field(repr=False)
    made: dict[str, tuple[pulumi.Resource, ...]] = field(
        default_factory=dict[str, tuple[pulumi.Resource, ...]]
    )
    """What each capability that is there already has registered, by its key in the blueprint."""

    def after(self, keys: Iterable[str]) -> Resources:
        """What has to be ready before something that uses the capabilities `keys`; nothing of those that are
        not there."""
        return tuple(resource for key in keys for resource in self.made.get(key, ()))


def core(name: str, blueprint: Blueprint, credentials: Credentials, options: pulumi.ResourceOptions) -> Core:
    """Registers the core of the platform."""
    apps = Apps.of(blueprint.name)
    images = ImageSource(blueprint.images.registry, blueprint.images.pull_secret)
    connections = edges(blueprint, apps, sets_passwords=_sets_passwords(blueprint, credentials))
    system = SystemNamespace(f"{name}-system", SystemNamespaceArgs(apps.platform, connections), options)
    teams = TeamNamespaces(
        f"{name}-teams",
        TeamNamespacesArgs(blueprint.name, _bounded(blueprint), connections, images.pull_secret),
        options,
    )
    registry = RegistryDatabase(
        f"{name}-database",
        RegistryDatabaseArgs(
            apps,
            blueprint.database,
            images,
            credentials,
            after=system.ready,
        ),
        options,
    )
    bucket = ArtifactBucket(
        f"{name}-artifacts",
        ArtifactBucketArgs(
            apps.seaweedfs,
            apps.bucket,
            blueprint.artifacts,
            images,
            credentials,
            backup=blueprint.backup,
            after=system.ready,
        ),
        options,
    )
    server = TrackingServer(
        f"{name}-tracking",
        TrackingServerArgs(
            apps.mlflow,
            apps.upgrade,
            blueprint.tracking,
            _authorization(blueprint),
            registry.connection,
            bucket.store,
            images,
            credentials,
            after=system.ready,
        ),
        options,
    )
    access = Auth(
        f"{name}-auth",
        AuthArgs(
            apps.accounts,
            apps.proxy,
            apps.mlflow,
            _authorization(blueprint).admin,
            blueprint.teams,
            teams.namespaces,
            images,
            server.ready,
            credentials,
            oidc=blueprint.auth if isinstance(blueprint.auth, OidcAuth) else None,
            host=blueprint.tracking.host,
            after=system.ready,
        ),
        options,
    )
    return Core(
        name,
        blueprint,
        apps,
        images,
        connections,
        options,
        system,
        teams,
        registry,
        bucket,
        server,
        access,
        credentials,
    )


def _bounded(blueprint: Blueprint) -> dict[str, Team]:
    """The teams, each with the quota of its namespace, which queues may raise."""
    quotas = {name: team.quota for name, team in blueprint.teams.items()}
    bounded = bounds(quotas, blueprint.queues, blueprint.gpu_pools)
    return {name: team.model_copy(update={"quota": bounded[name]}) for name, team in blueprint.teams.items()}


def _sets_passwords(blueprint: Blueprint, credentials: Credentials) -> bool:
    """Whether there is a Job that sets rotated passwords of the database."""
    is_cluster = isinstance(blueprint.database, HighlyAvailableDatabase)
    return bool(database.rotated_roles(credentials, database.OWNER if is_cluster else database.ROLES))


def _authorization(blueprint: Blueprint) -> Authorization:
    match blueprint.auth:
        case BasicAuth():
            return Authorization(blueprint.auth.admin)
        case OidcAuth():
            return auth.oidc_authorization(blueprint.auth, blueprint.teams)
        case _:
            raise ValueError(f"auth mode {blueprint.auth.mode!r} is not provisioned by this version")
