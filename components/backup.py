"""Backups of the database and the artifacts, and the template by which they are restored.

Each is one restic snapshot, encrypted, of a pg_dump and of the artifacts as rclone copies them. The dump
comes first, and MLflow writes an artifact before it notes it: so the artifacts of everything that the dump
knows are in the copy, which may hold some minutes more.

With pipelines their databases are in it, too, and the bucket's `kfp/`. They are dumped before MLflow's, as a
run of theirs notes its MLflow run once that is there. To be restored they are loaded beside what is in use
first, and exchanged for it when everything else has been checked.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pulumi

from blueprints.model.backup import Backup, BackupDestination
from blueprints.model.storage import EmbeddedArtifacts, S3Artifacts
from components import artifacts
from components.artifacts import BACKUP_BUCKET, BACKUP_KEYS, Store
from components.credentials import Credentials, Label
from components.database import Connection
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import Edge, Outside
from components.objects import component_token, register
from components.pipelines import saved
from components.pipelines.database import Connection as PipelinesConnection
from components.scripts import script
from components.versions import MYSQL, POSTGRESQL, RCLONE, RESTIC, Image, ImageSource

BACKUP = "backup"
"""The CronJob that makes backups."""
RESTORE = "restore"
"""The CronJob, suspended, that is the template of restores."""
REPOSITORY = "backup-repository"
"""The Secret with the repository's password."""
FETCH = "fetch"
"""The restore's first container: it works on the repository alone."""
_USER = 1000
_SCRATCH = "/scratch"
_SCRIPTS = "/opt/ziggurat"
_DUMP = f"{_SCRATCH}/database.dump"
_PIPELINES = f"{_SCRATCH}/pipelines"
_RESOURCES = workloads.Resources(cpu="100m", memory="256Mi", memory_limit="2Gi")
"""restic keeps the index of its repository in memory: about 1 GiB for 10 million files."""

Source = EmbeddedArtifacts | S3Artifacts


@dataclass(frozen=True)
class PlatformBackupArgs:
    """What a PlatformBackup is made of."""

    app: App
    backup: Backup
    database: Connection
    source: Source
    store: Store
    images: ImageSource
    credentials: Credentials = field(repr=False)
    pipelines: PipelinesConnection | None = None
    """The databases of pipelines; None where there are no pipelines."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""


class PlatformBackup(pulumi.ComponentResource):
    """A CronJob that makes backups, and one, suspended, that is the template of restores."""

    def __init__(
        self, name: str, args: PlatformBackupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        shown = {"schedule": args.backup.schedule, "keep": args.backup.keep}
        super().__init__(component_token(PlatformBackup), name, shown, opts)
        app = args.app
        password = {"password": args.credentials.password(Label.BACKUP_REPOSITORY)}
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(app, args.store.account_annotations),
                configuration.secret(app, password, REPOSITORY),
                configuration.config_map(app, _scripts(args)),
            )
        ]
        for manifest in (
            workloads.cron_job(app, BACKUP, args.backup.schedule, backup_pod(args)),
            workloads.cron_job(app, RESTORE, workloads.NEVER, restore_pod(args), suspended=True),
        ):
            register(self, manifest, depends_on=[*before, *args.database.ready, *args.store.ready])
        self.register_outputs({})


def destination_edges(app: App, backup: Backup) -> list[Edge]:
    """The way to a destination that you bring."""
    if backup.destination is None:
        return []
    host, port = _address(backup.destination)
    return [Edge(app, Outside(host), port)]


def _address(destination: BackupDestination) -> tuple[str | None, int]:
    if destination.endpoint is None:
        return None, 443
    url = urlsplit(destination.endpoint)
    return url.hostname, url.port or (443 if url.scheme == "https" else 80)


def repository(app: App, destination: BackupDestination | None) -> str:
    """restic's name of the repository; its last part is the prefix, by default the platform's name."""
    if destination is None:
        return f"s3:{artifacts.endpoint()}/{BACKUP_BUCKET}/{app.platform}"
    endpoint = destination.endpoint or f"https://s3.{destination.region}.amazonaws.com"
    return f"s3:{endpoint}/{destination.bucket}/{destination.prefix or app.platform}"


def _scripts(args: PlatformBackupArgs) -> dict[str, str]:
    more = (saved.SCRIPT,) if args.pipelines else ()
    return {name: script(name) for name in ("repository.sh", "load.sh", *more)}


def _repository_env(args: PlatformBackupArgs) -> list[Manifest]:
    destination = args.backup.destination
    keys = destination.secret.secret_name if destination else BACKUP_KEYS
    return [
        *workloads.plain(
            {
                "PLATFORM": args.app.platform,
                "KEEP": str(args.backup.keep),
                "TAG": "scheduled",
                "SNAPSHOT": "latest",
                "RESTIC_REPOSITORY": repository(args.app, destination),
                "RESTIC_CACHE_DIR": "/tmp/cache",  # noqa: S108  # a mount inside a container
                "AWS_DEFAULT_REGION": destination.region if destination else artifacts.REGION,
                "HOME": "/tmp",  # noqa: S108
                **({"PIPELINES": args.app.platform} if args.pipelines else {}),
            }
        ),
        *workloads.from_secret(REPOSITORY, {"RESTIC_PASSWORD": "password"}),
        *workloads.from_secret(keys, artifacts.KEYS),
    ]


def _store_env(args: PlatformBackupArgs) -> list[Manifest]:
    """rclone's remote `store`, by environment: the artifacts' bucket."""
    source = args.source
    if isinstance(source, EmbeddedArtifacts):
        endpoint, region, keys = artifacts.endpoint(), artifacts.REGION, BACKUP_KEYS
    else:
        endpoint, region = source.endpoint, source.region
        keys = source.secret.secret_name if source.secret else None
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other" if endpoint else "AWS",
        "ENV_AUTH": "true",
        "REGION": region,
        "NO_CHECK_BUCKET": "true",  # it may not make buckets, and shall not
        **({"ENDPOINT": endpoint} if endpoint else {}),
    }
    env = {f"RCLONE_CONFIG_STORE_{key}": value for key, value in settings.items()}
    env |= {"RCLONE_CONFIG": "/dev/null", "HOME": "/tmp"}  # noqa: S108  # a mount inside a container
    return workloads.plain(env) + (workloads.from_secret(keys, artifacts.KEYS) if keys else [])


def _remote(args: PlatformBackupArgs) -> str:
    """With a slash at its end: else rclone asks whether it is a file, for which it has no right."""
    return f"store:{args.store.uri.removeprefix('s3://')}/"


def _runs(args: PlatformBackupArgs) -> str:
    """Where runs of pipelines keep their artifacts, as rclone names it."""
    return f"store:{args.source.bucket}/{artifacts.RUNS_PREFIX}/"


@dataclass(frozen=True)
class _Containers:
    """Makes the containers of a pod, all of which see the same volumes."""

    args: PlatformBackupArgs
    volumes: tuple[workloads.Volume, ...]

    def postgresql(self, name: str, *command: str) -> Manifest:
        database = self.args.database
        env = [*workloads.plain({**database.address, "HOME": "/tmp"}), *database.env]  # noqa: S108
        return self._container(name, POSTGRESQL, command, env)

    def rclone(self, name: str, *command: str) -> Manifest:
        return self._container(name, RCLONE, ("rclone", *command), _store_env(self.args))

    def restic(self, name: str, verb: str) -> Manifest:
        command = ("sh", f"{_SCRIPTS}/repository.sh", verb)
        return self._container(name, RESTIC, command, _repository_env(self.args))

    def mysql(self, name: str, verb: str) -> Manifest:
        assert self.args.pipelines is not None  # noqa: S101  # for the type checker: it is asked for
        command = ("sh", f"{_SCRIPTS}/{saved.SCRIPT}", verb, _PIPELINES)
        return self._container(name, MYSQL, command, saved.environment(self.args.pipelines))

    def _container(self, name: str, image: Image, command: tuple[str, ...], env: list[Manifest]) -> Manifest:
        return workloads.container(
            name,
            self.args.images.reference(image),
            resources=_RESOURCES,
            command=command,
            env=env,
            volumes=self.volumes,
        )


def _pod(args: PlatformBackupArgs, volumes: tuple[workloads.Volume, ...], *steps: Manifest) -> Manifest:
    *first, main = steps
    databases = args.pipelines
    pipelines = (databases.api.fingerprint, databases.metadata.fingerprint) if databases else ()
    return workloads.pod_template(
        args.app,
        main,
        user=_USER,
        config_hash=digest(_scripts(args), args.database.fingerprint, args.store.fingerprint, *pipelines),
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        labels=args.store.pod_labels,
        once=True,
        first=first,
    )


def _volumes(args: PlatformBackupArgs) -> tuple[workloads.Volume, ...]:
    backup = args.backup
    return (
        workloads.ephemeral("scratch", _SCRATCH, backup.scratch, args.app.labels, backup.storage_class),
        workloads.config_files("scripts", args.app.name, _SCRIPTS),
        workloads.scratch("tmp", "/tmp", "2Gi"),  # noqa: S108  # restic's cache
        *args.database.volumes,
    )


def backup_pod(args: PlatformBackupArgs) -> Manifest:
    """Dumps, copies, saves. The dump is not compressed: restic does that, and finds what did not change."""
    volumes = _volumes(args)
    make = _Containers(args, volumes)
    dump = ("pg_dump", "--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--file={_DUMP}")
    with_pipelines = args.pipelines is not None
    runs = ("copy", _runs(args), f"{_PIPELINES}/artifacts", "--create-empty-src-dirs")
    return _pod(
        args,
        volumes,
        *([make.mysql("pipelines-dump", "dump")] if with_pipelines else []),
        make.postgresql("dump", *dump),
        make.rclone("copy", "copy", _remote(args), f"{_SCRATCH}/artifacts", "--create-empty-src-dirs"),
        *([make.rclone("pipelines-copy", *runs)] if with_pipelines else []),
        make.restic("save", "save"),
    )


def restore_pod(args: PlatformBackupArgs) -> Manifest:
    """Fetches and checks everything before it overwrites anything; the database comes last, as a whole."""
    volumes = _volumes(args)
    make = _Containers(args, volumes)
    with_pipelines = args.pipelines is not None
    runs = ("copy", f"{_PIPELINES}/artifacts", _runs(args), "--ignore-times")
    return _pod(
        args,
        volumes,
        make.restic(FETCH, "fetch"),
        make.postgresql("inspect", "pg_restore", "--list", "--file=/dev/null", _DUMP),
        *([make.mysql("pipelines-stage", "stage")] if with_pipelines else []),
        make.rclone("artifacts", "copy", f"{_SCRATCH}/artifacts", _remote(args), "--ignore-times"),
        *([make.rclone("pipelines-artifacts", *runs)] if with_pipelines else []),
        *([make.mysql("pipelines-database", "swap")] if with_pipelines else []),
        make.postgresql("database", "sh", f"{_SCRIPTS}/load.sh", _DUMP),
    )
