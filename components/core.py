"""The core of a platform, which every blueprint has, and what capabilities are built on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import pulumi

from blueprints import databases
from blueprints.model import Blueprint
from blueprints.model.secrets import ExternalSecrets
from blueprints.model.storage import HighlyAvailableDatabase
from blueprints.model.teams import Team
from blueprints.names import system_namespace
from components import auth, database, kubeflow
from components.apps import Apps
from components.artifacts import ArtifactBucket, ArtifactBucketArgs
from components.auth import Auth, AuthArgs
from components.connections import edges
from components.credentials import Credentials, StoredCredentials
from components.database import RegistryDatabase, RegistryDatabaseArgs, archive
from components.expressions import Source
from components.external_secrets import SecretsController, SecretsControllerArgs
from components.manifests.network import Edge
from components.manifests.queues import bounds
from components.namespaces import TeamNamespaces, TeamNamespacesArgs
from components.signon.dex import EmbeddedIssuer, issuer_args
from components.signon.issuer import client, issuer
from components.signon.proxies import login_proxy, proxied
from components.sites import Site, sites
from components.system import SystemNamespace, SystemNamespaceArgs
from components.tracking import Authorization, TrackingServer, TrackingServerArgs
from components.versions import ImageSource

Resources = tuple[pulumi.Resource, ...]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What comes before everything else: namespaces, policies, where credentials come from."""

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
    credentials: Credentials = field(repr=False)
    made: dict[str, tuple[pulumi.Resource, ...]] = field(
        default_factory=dict[str, tuple[pulumi.Resource, ...]]
    )
    """What each capability that is there already has registered, by its key in the blueprint; a part that is
    awaited by itself has its own key, such as `certificates.controller`."""

    def after(self, keys: Iterable[str]) -> Resources:
        """What has to be ready before something that uses the capabilities `keys`; nothing of those that are
        not there."""
        return tuple(resource for key in keys for resource in self.made.get(key, ()))


@dataclass(frozen=True, kw_only=True)
class Core(Ground):
    """What capabilities are built on: the ground, database, bucket, tracking server, access."""

    registry: RegistryDatabase
    bucket: ArtifactBucket
    server: TrackingServer
    access: Auth
    issuer: EmbeddedIssuer | None = None
    """The issuer that the platform runs; None where it runs none."""


def ground(
    name: str, blueprint: Blueprint, credentials: Credentials, options: pulumi.ResourceOptions
) -> Ground:
    """Registers what comes before everything else."""
    apps = Apps.of(blueprint.name)
    images = ImageSource(blueprint.images.registry, blueprint.images.pull_secret)
    connections = edges(blueprint, apps, sets_passwords=_sets_passwords(blueprint, credentials))
    system = SystemNamespace(f"{name}-system", SystemNamespaceArgs(apps.platform, connections), options)
    teams = TeamNamespaces(
        f"{name}-teams",
        TeamNamespacesArgs(
            blueprint.name,
            _bounded(blueprint),
            connections,
            images.pull_secret,
            kubeflow.namespace_labels(blueprint),
        ),
        options,
    )
    if blueprint.external_secrets:
        credentials = _stored(name, blueprint, blueprint.external_secrets, images, system, options)
    return Ground(
        name=name,
        blueprint=blueprint,
        apps=apps,
        images=images,
        connections=connections,
        options=options,
        system=system,
        teams=teams,
        credentials=credentials,
    )


def core(on: Ground) -> Core:
    """Registers the core of the platform."""
    name, blueprint, options = on.name, on.blueprint, on.options
    apps, images, credentials, system = on.apps, on.images, on.credentials, on.system
    embedded = _issuer(name, blueprint, images, credentials, system.ready, options)
    page = _page(blueprint)
    archived = archive.in_embedded_bucket(blueprint)
    bucket = ArtifactBucket(
        f"{name}-artifacts",
        ArtifactBucketArgs(
            apps.seaweedfs,
            apps.bucket,
            blueprint.artifacts,
            images,
            credentials,
            backup=blueprint.backup,
            archived=archived,
            measured=blueprint.monitoring is not None,
            runs=tuple(sorted(blueprint.teams)) if blueprint.pipelines else (),
            after=system.ready,
        ),
        options,
    )
    registry = RegistryDatabase(
        f"{name}-database",
        RegistryDatabaseArgs(
            apps,
            blueprint.database,
            images,
            credentials,
            blueprint.artifacts,
            after=system.ready,
            archive_after=(
                *on.after(["certificates.controller"]),
                *(bucket.store.ready if archived else ()),
            ),
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
            measured=blueprint.monitoring is not None,
            pool=databases.pool(blueprint),
            after=system.ready,
        ),
        options,
    )
    access = Auth(
        f"{name}-auth",
        AuthArgs(
            apps.accounts,
            apps.mlflow,
            blueprint.auth.mode,
            blueprint.auth.admin,
            blueprint.teams,
            on.teams.namespaces,
            images,
            server.ready,
            credentials,
            proxy=login_proxy(blueprint, page, images, credentials) if page in proxied(blueprint) else None,
            after=(*system.ready, *(embedded.secrets if embedded else ())),
        ),
        options,
    )
    return Core(
        **{each.name: getattr(on, each.name) for each in fields(Ground)},
        registry=registry,
        bucket=bucket,
        server=server,
        access=access,
        issuer=embedded,
    )


def _bounded(blueprint: Blueprint) -> dict[str, Team]:
    """The teams, each with the quota of its namespace, which queues may raise."""
    quotas = {name: team.quota for name, team in blueprint.teams.items()}
    bounded = bounds(quotas, blueprint.queues, blueprint.gpu_pools)
    return {name: team.model_copy(update={"quota": bounded[name]}) for name, team in blueprint.teams.items()}


def _sets_passwords(blueprint: Blueprint, credentials: Credentials) -> bool:
    """Whether there is a Job that sets rotated passwords of the database."""
    if blueprint.external_secrets:
        return False
    is_cluster = isinstance(blueprint.database, HighlyAvailableDatabase)
    return bool(database.rotated_roles(credentials, database.OWNER if is_cluster else database.ROLES))


def _stored(
    name: str,
    blueprint: Blueprint,
    chosen: ExternalSecrets,
    images: ImageSource,
    system: SystemNamespace,
    options: pulumi.ResourceOptions,
) -> StoredCredentials:
    """The credentials that a store holds, and before them what fetches them."""
    args = SecretsControllerArgs(system_namespace(blueprint.name), chosen, images, after=system.ready)
    controller = SecretsController(f"{name}-external-secrets", args, options)
    return StoredCredentials(Source(chosen.store, chosen.prefix or blueprint.name, controller.ready))


def _issuer(
    name: str,
    blueprint: Blueprint,
    images: ImageSource,
    credentials: Credentials,
    after: Resources,
    options: pulumi.ResourceOptions,
) -> EmbeddedIssuer | None:
    args = issuer_args(blueprint, images, credentials, after)
    return EmbeddedIssuer(f"{name}-issuer", args, options) if args else None


def _page(blueprint: Blueprint) -> Site | None:
    """MLflow's page."""
    return next((site for site in sites(blueprint) if site.name == "mlflow"), None)


def _authorization(blueprint: Blueprint) -> Authorization:
    found, page, admin = issuer(blueprint), _page(blueprint), blueprint.auth.admin
    if found is None or page is None:
        return Authorization(admin)
    return auth.oidc_authorization(found, client(blueprint, page).id, admin, blueprint.teams)
