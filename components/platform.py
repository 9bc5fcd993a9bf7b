"""The platform: every component of a blueprint, put together."""

from dataclasses import dataclass, field, replace

import pulumi

from blueprints.model import Blueprint
from blueprints.model.access import BasicAuth, OidcAuth
from blueprints.model.admission import Admission
from blueprints.model.storage import EmbeddedArtifacts, EmbeddedDatabase, ExternalDatabase, S3Artifacts
from blueprints.model.teams import Team
from blueprints.names import system_namespace
from components import artifacts, auth, backup, database, pools, queues, tracking, versions
from components.admission import AdmissionPolicies, AdmissionPoliciesArgs
from components.artifacts import ArtifactBucket, ArtifactBucketArgs
from components.auth import Auth, AuthArgs
from components.backup import PlatformBackup, PlatformBackupArgs
from components.credentials import Credentials
from components.database import RegistryDatabase, RegistryDatabaseArgs
from components.manifests.metadata import App
from components.manifests.network import Edge, Entrance, Outside, Teams
from components.manifests.queues import bounds
from components.namespaces import TeamNamespaces, TeamNamespacesArgs
from components.objects import component_token
from components.pools import GpuNodePools, GpuNodePoolsArgs
from components.projects import (
    ScheduledProjects,
    ScheduledProjectsArgs,
    brought_images,
    fetches,
    project_edges,
)
from components.queues import PlatformQueues, PlatformQueuesArgs
from components.system import SystemNamespace, SystemNamespaceArgs
from components.tracking import Authorization, TrackingServer, TrackingServerArgs
from components.versions import Chart, Image, ImageSource


@dataclass(frozen=True)
class Apps:
    """The parts of a platform, by what they are called in its namespace."""

    platform: App
    postgresql: App
    passwords: App
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
            return App(platform, system_namespace(platform), name, component)

        return Apps(
            platform=app("platform", "namespace"),
            postgresql=app("postgresql", "database"),
            passwords=app("postgresql-passwords", "database"),
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


def edges(blueprint: Blueprint, apps: Apps, *, sets_passwords: bool = False) -> tuple[Edge, ...]:
    """Every connection of the platform. The network policies allow these and no other.

    `sets_passwords`: a password of the database was rotated, so there is a Job that sets it.
    """
    return (
        Edge(Teams(blueprint.name), apps.mlflow, tracking.PORT),
        Edge(apps.accounts, apps.mlflow, tracking.PORT),
        *_database_edges(blueprint, apps, sets_passwords=sets_passwords),
        *_artifact_edges(blueprint, apps),
        *(backup.destination_edges(apps.backup, blueprint.backup) if blueprint.backup else ()),
        *_access_edges(blueprint, apps),
        *(queues.edges(apps.kueue) if _runs_kueue(blueprint) else ()),
        *project_edges(blueprint.name, blueprint.projects),
    )


def _runs_kueue(blueprint: Blueprint) -> bool:
    return blueprint.queues is not None and blueprint.queues.controller == "embedded"


def _database_edges(blueprint: Blueprint, apps: Apps, *, sets_passwords: bool) -> list[Edge]:
    clients = (apps.upgrade, apps.mlflow, *_backup(blueprint, apps))
    chosen = blueprint.database
    if isinstance(chosen, ExternalDatabase):
        return [Edge(client, Outside(chosen.host), chosen.port) for client in clients]
    job = (apps.passwords,) if sets_passwords else ()
    return [Edge(client, apps.postgresql, database.PORT) for client in (*job, *clients)]


def _artifact_edges(blueprint: Blueprint, apps: Apps) -> list[Edge]:
    clients = (apps.mlflow, *_backup(blueprint, apps))
    chosen = blueprint.artifacts
    if isinstance(chosen, EmbeddedArtifacts):
        return [Edge(client, apps.seaweedfs, artifacts.PORT) for client in (apps.bucket, *clients)]
    ways = artifacts.brought(chosen).egress
    return [Edge(client, Outside(host), port) for client in clients for host, port in ways]


def _backup(blueprint: Blueprint, apps: Apps) -> tuple[App, ...]:
    return (apps.backup,) if blueprint.backup else ()


def _access_edges(blueprint: Blueprint, apps: Apps) -> list[Edge]:
    entrance = Entrance(blueprint.name)
    if isinstance(blueprint.auth, OidcAuth):
        port = auth.issuer_port(blueprint.auth)
        return [
            Edge(entrance, apps.proxy, auth.PROXY_PORT),
            Edge(apps.proxy, apps.mlflow, tracking.PORT),
            Edge(apps.proxy, Outside(), port),
            Edge(apps.mlflow, Outside(), port),
        ]
    return [Edge(entrance, apps.mlflow, tracking.PORT)] if blueprint.tracking.host else []


@dataclass(frozen=True)
class MLPlatformArgs:
    """What an MLPlatform is made of."""

    blueprint: Blueprint
    """Resolved: phase defaults are filled in, and nothing here asks for the phase."""
    credentials: Credentials = field(repr=False)


class MLPlatform(pulumi.ComponentResource):
    """A machine-learning platform on Kubernetes."""

    namespace: pulumi.Output[str]
    """The namespace of what the platform itself runs."""
    tracking_uri: pulumi.Output[str]
    """The tracking server's URL inside the cluster."""
    artifacts_uri: pulumi.Output[str]
    """Where MLflow's artifacts are."""

    def __init__(self, name: str, args: MLPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_token(MLPlatform), name, {"name": args.blueprint.name}, opts)
        blueprint, credentials = args.blueprint, args.credentials
        apps, child = Apps.of(blueprint.name), pulumi.ResourceOptions(parent=self)
        images = ImageSource(blueprint.images.registry, blueprint.images.pull_secret)
        connections = edges(blueprint, apps, sets_passwords=bool(database.rotated_roles(credentials)))

        system = SystemNamespace(f"{name}-system", SystemNamespaceArgs(apps.platform, connections), child)
        teams = TeamNamespaces(
            f"{name}-teams",
            TeamNamespacesArgs(blueprint.name, _bounded(blueprint), connections, images.pull_secret),
            child,
        )
        registry = RegistryDatabase(
            f"{name}-database",
            RegistryDatabaseArgs(
                apps.postgresql,
                apps.passwords,
                _database(blueprint),
                images,
                credentials,
                after=system.ready,
            ),
            child,
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
            child,
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
            child,
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
            child,
        )
        if blueprint.backup:
            PlatformBackup(
                f"{name}-backup",
                PlatformBackupArgs(
                    apps.backup,
                    blueprint.backup,
                    registry.connection,
                    _source(blueprint),
                    bucket.store,
                    images,
                    credentials,
                    after=system.ready,
                ),
                child,
            )
        if blueprint.gpu_pools:
            GpuNodePools(
                f"{name}-gpu-pools",
                GpuNodePoolsArgs(pools.app(blueprint.name), blueprint.gpu_pools, images),
                child,
            )
        if blueprint.queues:
            PlatformQueues(
                f"{name}-queues",
                PlatformQueuesArgs(
                    apps.kueue,
                    blueprint.queues,
                    blueprint.teams,
                    teams.namespaces,
                    blueprint.gpu_pools,
                    images,
                    after=system.ready,
                ),
                child,
            )
        if blueprint.admission:
            policies = admission_args(blueprint, apps, blueprint.admission)
            AdmissionPolicies(f"{name}-admission", policies, child)
        if blueprint.projects:
            ScheduledProjects(
                f"{name}-projects",
                ScheduledProjectsArgs(
                    blueprint.name,
                    blueprint.projects,
                    blueprint.teams,
                    blueprint.gpu_pools,
                    connections,
                    images,
                    teams.namespaces,
                    queued=blueprint.queues is not None,
                    accounts=access.ready,
                ),
                child,
            )
        self.namespace = system.namespace
        self.tracking_uri = server.uri
        self.artifacts_uri = bucket.uri
        self.register_outputs(
            {
                "namespace": self.namespace,
                "tracking_uri": self.tracking_uri,
                "artifacts_uri": self.artifacts_uri,
            }
        )


def images(blueprint: Blueprint) -> list[str]:
    """Every image of the platform as its pods name it: what a mirror has to hold, and users' own."""
    source = ImageSource(blueprint.images.registry, blueprint.images.pull_secret)
    own = {source.reference(image) for image in used_images(blueprint)}
    return sorted(own | brought_images(blueprint.projects))


def used_images(blueprint: Blueprint) -> tuple[Image, ...]:
    """Every image that the platform runs, as its maker names it: what a mirror has to hold."""
    used = {
        versions.MLFLOW: True,
        versions.POSTGRESQL: isinstance(blueprint.database, EmbeddedDatabase) or bool(blueprint.backup),
        versions.SEAWEEDFS: isinstance(blueprint.artifacts, EmbeddedArtifacts),
        versions.OAUTH2_PROXY: isinstance(blueprint.auth, OidcAuth),
        versions.RESTIC: bool(blueprint.backup),
        versions.RCLONE: bool(blueprint.backup),
        versions.GIT: fetches(blueprint.projects),
    }
    own = {image for image, is_used in used.items() if is_used}
    return tuple(own.union(*(chart.images for chart in charts(blueprint))))


def charts(blueprint: Blueprint) -> tuple[Chart, ...]:
    """Every chart that the platform is made with: what a mirror has to hold beside the images."""
    kueue = (versions.KUEUE,) if _runs_kueue(blueprint) else ()
    return (*kueue, *pools.charts(blueprint.gpu_pools))


def _bounded(blueprint: Blueprint) -> dict[str, Team]:
    """The teams, each with the quota of its namespace, which queues may raise."""
    quotas = {name: team.quota for name, team in blueprint.teams.items()}
    bounded = bounds(quotas, blueprint.queues, blueprint.gpu_pools)
    return {name: team.model_copy(update={"quota": bounded[name]}) for name, team in blueprint.teams.items()}


def admission_args(blueprint: Blueprint, apps: Apps, chosen: Admission) -> AdmissionPoliciesArgs:
    """What the admission policies are made of."""
    return AdmissionPoliciesArgs(
        apps.admission,
        chosen,
        images(blueprint),
        mirror=blueprint.images.registry,
        queues=blueprint.queues is not None,
    )


def _database(blueprint: Blueprint) -> EmbeddedDatabase | ExternalDatabase:
    if isinstance(blueprint.database, EmbeddedDatabase | ExternalDatabase):
        return blueprint.database
    # The rules of blueprints refuse the others until they are built.
    raise ValueError(f"database mode {blueprint.database.mode!r} is not provisioned by this version")


def _source(blueprint: Blueprint) -> EmbeddedArtifacts | S3Artifacts:
    if isinstance(blueprint.artifacts, EmbeddedArtifacts | S3Artifacts):
        return blueprint.artifacts
    # The rules of blueprints refuse a backup of the others.
    raise ValueError(f"artifacts of mode {blueprint.artifacts.mode!r} are not backed up")


def _authorization(blueprint: Blueprint) -> Authorization:
    match blueprint.auth:
        case BasicAuth():
            return Authorization(blueprint.auth.admin)
        case OidcAuth():
            return auth.oidc_authorization(blueprint.auth, blueprint.teams)
        case _:
            raise ValueError(f"auth mode {blueprint.auth.mode!r} is not provisioned by this version")
