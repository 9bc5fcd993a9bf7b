"""The artifact bucket: SeaweedFS that Ziggurat runs, or a bucket that the user brings.

Whatever the store, MLflow's artifacts lie below the prefix `mlflow/`, so that others can share the bucket.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pulumi

from blueprints.model.backup import Backup
from blueprints.model.storage import AzureArtifacts, EmbeddedArtifacts, GcsArtifacts, S3Artifacts
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.objects import component_token, register
from components.scripts import script
from components.versions import MLFLOW, SEAWEEDFS, ImageSource

SERVER = "seaweedfs"
"""The name of the embedded store's Service."""
PORT = 8333
METRICS = 9327
"""Where it shows metrics, if it is measured: without authentication, so Prometheus alone gets there."""
CLAIM = "seaweedfs-data"
"""The volume claim with the artifacts in it."""
PREFIX = "mlflow"
"""Where in the bucket MLflow's artifacts lie."""
RUNS_PREFIX = "kfp"
"""Where in the bucket runs of pipelines keep theirs: below it, each team has a folder of its own."""
_USER = 1000
REGION = "us-east-1"
"""What S3 clients are told for the embedded store: they want a region, SeaweedFS takes any."""
_RESOURCES = workloads.Resources(cpu="100m", memory="256Mi", memory_limit="1Gi")
_SETTINGS = {"GOMEMLIMIT": "768MiB", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
"""Go collects its garbage in time to stay below the first; else SeaweedFS grows to its limit by large files.
By the second a bucket takes one volume of SeaweedFS's at a time (they are 1 GiB, and one bucket's alone). By
itself it takes seven: on a disk of 12 GiB the third bucket could store nothing."""
_JOB_RESOURCES = workloads.Resources(cpu="50m", memory="128Mi", memory_limit="512Mi")
KEYS = {"AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"}
"""The keys of a Secret for an S3 store, and the variables that S3 clients read them from."""
BACKUP_BUCKET = "backups"
"""The embedded store's second bucket; there if backups go into it."""
BACKUP_KEYS = "seaweedfs-backup"
"""The Secret with the embedded store's credentials for backups."""
ARCHIVE_BUCKET = "archive"
"""The embedded store's bucket of the database's archive; there if that goes into it."""
ARCHIVE_KEYS = "seaweedfs-archive"
"""The Secret with the embedded store's credentials of the database's servers."""
PIPELINES_KEYS = "seaweedfs-pipelines"
"""The Secret with the embedded store's credentials of the engine of pipelines."""
_SECRETS = {
    "mlflow": "seaweedfs-mlflow",
    "provisioner": "seaweedfs-provisioner",
    "backup": BACKUP_KEYS,
    "archive": ARCHIVE_KEYS,
    "pipelines": PIPELINES_KEYS,
}

Artifacts = EmbeddedArtifacts | S3Artifacts | GcsArtifacts | AzureArtifacts


@dataclass(frozen=True)
class Store:
    """How a pod reaches the store. It holds no secret."""

    uri: str
    """Where MLflow's artifacts are."""
    env: tuple[Manifest, ...] = ()
    fingerprint: str = "brought"
    """Changes with the credential where Ziggurat derives it."""
    volumes: tuple[workloads.Volume, ...] = ()
    account_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the pod's ServiceAccount needs for a cloud's workload identity."""
    pod_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the pod needs for a cloud's workload identity."""
    egress: tuple[tuple[str | None, int], ...] = ()
    """Where its pod has to get: host (None: anywhere) and port."""
    ready: tuple[pulumi.Resource, ...] = field(default=(), compare=False)


def client_settings(region: str, endpoint: str | None) -> dict[str, str]:
    """What an S3 client built on boto3 is told by its environment."""
    settings = {"AWS_DEFAULT_REGION": region}
    if endpoint:
        # boto3 1.36 and newer sends checksums that other stores than AWS do not all know.
        settings["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
        settings["AWS_RESPONSE_CHECKSUM_VALIDATION"] = "when_required"
    return settings


def s3_settings(region: str, endpoint: str | None) -> dict[str, str]:
    """What MLflow is told of an S3 store by its environment, but for who it is."""
    told = {"MLFLOW_S3_ENDPOINT_URL": endpoint} if endpoint else {}
    return {**client_settings(region, endpoint), **told}


def s3(artifacts: S3Artifacts) -> Store:
    """A bucket that speaks S3: keys from a Secret, an IAM role, or the node's Pod Identity agent."""
    env = workloads.plain(s3_settings(artifacts.region, artifacts.endpoint))
    endpoint = urlsplit(artifacts.endpoint or "https://s3.amazonaws.com")
    port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
    host = endpoint.hostname if artifacts.endpoint else None
    egress: list[tuple[str | None, int]] = [(host, port)]
    annotations: dict[str, str] = {}
    if artifacts.secret:
        env += workloads.from_secret(artifacts.secret.secret_name, KEYS)
    elif artifacts.role_arn:
        annotations["eks.amazonaws.com/role-arn"] = artifacts.role_arn
        egress.append((None, 443))  # the token service
    else:
        egress += [("169.254.170.23", 80), ("fd00:ec2::23", 80)]  # the EKS Pod Identity agent
    return Store(
        f"s3://{artifacts.bucket}/{PREFIX}",
        tuple(env),
        account_annotations=annotations,
        egress=tuple(dict.fromkeys(egress)),
    )


def gcs(artifacts: GcsArtifacts) -> Store:
    """A Google Cloud Storage bucket: a key from a Secret, or Workload Identity."""
    uri = f"gs://{artifacts.bucket}/{PREFIX}"
    if artifacts.secret:
        key = workloads.secret_files(
            "gcs", artifacts.secret.secret_name, "/etc/gcs", {"key.json": "key.json"}
        )
        env = workloads.plain({"GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcs/key.json"})
        return Store(uri, tuple(env), volumes=(key,), egress=((None, 443),))
    account = artifacts.service_account
    return Store(
        uri,
        account_annotations={"iam.gke.io/gcp-service-account": account} if account else {},
        # GKE's metadata server: the second address is that of clusters without Dataplane V2.
        egress=((None, 443), ("169.254.169.254", 80), ("169.254.169.252", 988)),
    )


def azure(artifacts: AzureArtifacts) -> Store:
    """An Azure Blob Storage container: a key from a Secret, or workload identity."""
    host = f"{artifacts.storage_account}.blob.core.windows.net"
    uri = f"wasbs://{artifacts.container}@{host}/{PREFIX}"
    if artifacts.secret:
        # The Secret has one of the two; MLflow takes the connection string first.
        names = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCESS_KEY")
        env = workloads.from_secret(artifacts.secret.secret_name, {name: name for name in names})
        for variable in env:
            variable["valueFrom"]["secretKeyRef"]["optional"] = True
        return Store(uri, tuple(env), egress=((None, 443),))
    client = artifacts.client_id
    return Store(
        uri,
        account_annotations={"azure.workload.identity/client-id": client} if client else {},
        pod_labels={"azure.workload.identity/use": "true"},
        egress=((None, 443),),
    )


def brought(artifacts: S3Artifacts | GcsArtifacts | AzureArtifacts) -> Store:
    """How pods reach a store that the user brings."""
    match artifacts:
        case S3Artifacts():
            return s3(artifacts)
        case GcsArtifacts():
            return gcs(artifacts)
        case AzureArtifacts():
            return azure(artifacts)


@dataclass(frozen=True)
class ArtifactBucketArgs:
    """What an ArtifactBucket is made of."""

    app: App
    job: App
    """The Job that makes the bucket."""
    artifacts: Artifacts
    images: ImageSource
    credentials: Credentials = field(repr=False)
    backup: Backup | None = None
    """What reads the artifacts, too, and may need a bucket of its own here."""
    archived: bool = False
    """Whether the database keeps its archive here, in a bucket of its own."""
    measured: bool = False
    """Whether Prometheus measures it."""
    runs: tuple[str, ...] = ()
    """The teams whose runs of pipelines keep artifacts here; empty means that there are no pipelines."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""


class ArtifactBucket(pulumi.ComponentResource):
    """One bucket for the artifacts of every run and model."""

    uri: pulumi.Output[str]
    """Where MLflow's artifacts are, such as `s3://artifacts/mlflow`."""

    def __init__(
        self, name: str, args: ArtifactBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(ArtifactBucket), name, {"mode": args.artifacts.mode}, opts)
        self.store: Store = (
            self._embedded(name, args, args.artifacts)
            if isinstance(args.artifacts, EmbeddedArtifacts)
            else brought(args.artifacts)
        )
        self.uri = pulumi.Output.from_input(self.store.uri)
        self.register_outputs({"uri": self.uri})

    def _embedded(self, name: str, args: ArtifactBucketArgs, artifacts: EmbeddedArtifacts) -> Store:
        app, credentials = args.app, args.credentials
        labels = {"provisioner": Label.BUCKET_PROVISIONER, "mlflow": Label.BUCKET_MLFLOW}
        if args.backup:
            labels["backup"] = Label.BUCKET_BACKUP
        if args.archived:
            labels["archive"] = Label.BUCKET_ARCHIVE
        if args.runs:
            labels["pipelines"] = Label.BUCKET_PIPELINES
            labels |= {run_user(team): Label.bucket_runs(team) for team in args.runs}
        secrets = {user: credentials.password(label) for user, label in labels.items()}
        fingerprints = [credentials.fingerprint(label) for label in labels.values()]
        buckets = _buckets(artifacts.bucket, args.backup, archived=args.archived)
        config = credentials.compose(lambda known: json.dumps(identities(buckets, known)), secrets)
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(app),
                configuration.secret(app, {"s3.json": config}),
                *(
                    configuration.secret(app, keys(user, secrets[user]), secret_name)
                    for user, secret_name in _SECRETS.items()
                    if user in secrets
                ),
                workloads.disruption_budget(app),
            )
        ]
        claim = register(
            self,
            configuration.volume_claim(app, CLAIM, artifacts.storage, artifacts.storage_class),
            depends_on=args.after,
            holds_data=True,
        )
        config_hash = digest(identities(buckets, dict.fromkeys(secrets, "")), fingerprints)
        server = register(
            self,
            workloads.stateful_set(app, server_pod(app, args.images, config_hash, measured=args.measured)),
            depends_on=[*before, claim],
        )
        # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"s3": PORT}), depends_on=args.after)
        bucket = self._bucket(name, args, buckets, (server, service))
        env = workloads.plain(s3_settings(REGION, endpoint())) + workloads.from_secret(
            _SECRETS["mlflow"], KEYS
        )
        return Store(
            f"s3://{artifacts.bucket}/{PREFIX}",
            tuple(env),
            fingerprint=fingerprints[1],
            ready=(server, service, bucket),
        )

    def _bucket(
        self,
        name: str,
        args: ArtifactBucketArgs,
        buckets: Sequence[str],
        ready: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        job = args.job
        scripts = {"bucket.py": script("bucket.py")}
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (configuration.service_account(job), configuration.config_map(job, scripts))
        ]
        config_hash = digest(scripts, args.credentials.fingerprint(Label.BUCKET_PROVISIONER))
        template = bucket_pod(job, args.images, buckets, config_hash)
        manifest = workloads.job(job, digest(template), template)
        return register(self, manifest, name=f"{name}-bucket", depends_on=[*before, *ready])


def run_user(team: str) -> str:
    """The embedded store's user of a team's runs."""
    return f"{RUNS_PREFIX}-{team}"


def keys(user: str, secret: pulumi.Output[str]) -> dict[str, object]:
    """The Secret of a user of the store."""
    return {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": secret}


def endpoint() -> str:
    """The embedded store's URL inside the platform's namespace."""
    return f"http://{SERVER}:{PORT}"


def _buckets(bucket: str, backup: Backup | None, *, archived: bool) -> tuple[str, ...]:
    backups = (BACKUP_BUCKET,) if backup and backup.destination is None else ()
    return (bucket, *backups, *((ARCHIVE_BUCKET,) if archived else ()))


def identities(buckets: Sequence[str], secrets: Mapping[str, object]) -> Manifest:
    """SeaweedFS's users and what each may do: MLflow below its own prefix, the provisioner the buckets alone,
    runs of pipelines in their team's folder.

    The first bucket is that of the artifacts. With any identity in it, nobody gets in without one.
    """
    artifacts, runs = f"{buckets[0]}/{PREFIX}/*", f"{buckets[0]}/{RUNS_PREFIX}/*"
    others = [bucket for bucket in buckets[1:] if bucket != ARCHIVE_BUCKET]
    saved = (artifacts, *((runs,) if "pipelines" in secrets else ()), *others)
    actions = {
        "provisioner": [f"Admin:{bucket}" for bucket in buckets],
        "mlflow": [f"{action}:{artifacts}" for action in ("Read", "Write", "List", "Tagging")],
        "backup": [f"{action}:{where}" for where in saved for action in ("Read", "Write", "List")],
        "archive": [f"{action}:{ARCHIVE_BUCKET}" for action in ("Read", "Write", "List")],
        "pipelines": [f"{action}:{runs}" for action in ("Read", "List")],
    }
    for user in secrets:
        if user not in actions:
            folder = f"{buckets[0]}/{RUNS_PREFIX}/{user.removeprefix(run_user(''))}/*"
            actions[user] = [f"{action}:{folder}" for action in ("Read", "Write", "List", "Tagging")]
    return {
        "identities": [
            {
                "name": user,
                "credentials": [{"accessKey": user, "secretKey": secrets[user]}],
                "actions": granted,
            }
            for user, granted in actions.items()
            if user in secrets
        ]
    }


def server_pod(app: App, images: ImageSource, config_hash: str, *, measured: bool = False) -> Manifest:
    """SeaweedFS, whole, in one process.

    Its own master, volume and filer ports have no authentication: they listen on the loopback address, and
    only S3 can be reached. Its volumes are small and as many as the disk holds.
    It is alone: by default it would wait 10 s at each start for other masters to vote, and at each stop for
    clients to find other volumes.
    """
    volumes = [
        workloads.claimed("data", CLAIM, "/data"),
        workloads.secret_files("config", app.name, "/etc/seaweedfs"),
        workloads.scratch("tmp", "/tmp"),  # noqa: S108  # a mount inside a container
    ]
    metrics = ("-metricsIp=0.0.0.0", f"-metricsPort={METRICS}") if measured else ()
    main = workloads.container(
        app.name,
        images.reference(SEAWEEDFS),
        resources=_RESOURCES,
        command=["weed"],
        args=[
            "-logtostderr=true",
            "server",
            "-dir=/data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-master.volumePreallocate=false",
            "-master.volumeSizeLimitMB=1024",
            "-master.electionTimeout=1s",
            "-volume.max=0",
            "-volume.preStopSeconds=0",
            "-filer",
            "-s3",
            "-s3.ip.bind=0.0.0.0",
            f"-s3.port={PORT}",
            "-s3.config=/etc/seaweedfs/s3.json",
            "-s3.autoCreateBucket=false",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *metrics,
        ],
        env=workloads.plain(_SETTINGS),
        ports={"s3": PORT, **({"metrics": METRICS} if measured else {})},
        volumes=volumes,
        probes=workloads.storage_probes(workloads.http_probe("/status", PORT)),
    )
    return workloads.pod_template(
        app, main, user=_USER, config_hash=config_hash, volumes=volumes, pull_secret=images.pull_secret
    )


def bucket_pod(app: App, images: ImageSource, buckets: Sequence[str], config_hash: str) -> Manifest:
    """Makes the buckets where they are missing, with the S3 client that is in MLflow's image."""
    volumes = [
        workloads.config_files("scripts", app.name, "/opt/ziggurat"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]
    settings = s3_settings(REGION, endpoint())
    main = workloads.container(
        "bucket",
        images.reference(MLFLOW),
        resources=_JOB_RESOURCES,
        command=["python", "/opt/ziggurat/bucket.py", *buckets],
        env=workloads.plain(settings) + workloads.from_secret(_SECRETS["provisioner"], KEYS),
        volumes=volumes,
    )
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=images.pull_secret,
        once=True,
    )
