"""The MLflow tracking server and model registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi

from blueprints.model.blueprint import Tracking
from components.artifacts import Store
from components.credentials import Credentials, Label
from components.database import Connection
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.objects import component_token, register
from components.scripts import script
from components.versions import MLFLOW, ImageSource

PORT = 5000
METRICS = 9464
"""Where its metrics are, if it is measured: without authentication, so Prometheus alone gets there."""
_USER = 1000
_JOB_RESOURCES = workloads.Resources(cpu="100m", memory="384Mi", memory_limit="1Gi")
_CONFIG = "/etc/mlflow"
_COUNTERS = "/var/lib/mlflow-metrics"
_EXPORTER = "ziggurat_metrics.py"
_PROBED = "/api/2.0/mlflow/users/current"
_EXPORTER_RESOURCES = workloads.Resources(cpu="10m", memory="48Mi", memory_limit="128Mi")
_MLFLOW_POOL = 15
"""SQLAlchemy's defaults: 5 connections that are kept, and 10 more."""
_READS = "MLFLOW_READ_REPLICA_BACKEND_STORE_URI"
"""Where MLflow sends reads of runs and models; those of accounts and permissions go where writes go."""
ADMIN_SECRET = "mlflow-admin"  # noqa: S105  # the name of a Secret
"""The Secret with the administrator's `username` and `password`."""
BASIC_AUTH = "mlflow.server.auth:authenticate_request_basic_auth"
"""MLflow's own authorization function: user name and password."""

# What of MLflow is on. Each is a Python-side default of MLflow 3.17 that the platform decides otherwise.
_SWITCHES = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven more processes, 1.3 GiB
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    "MLFLOW_RBAC_SEED_DEFAULT_ROLES": "true",
    "HOME": "/tmp",  # noqa: S108  # a mount inside the container
    "PYTHONDONTWRITEBYTECODE": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Authorization:
    """How requests are told who they are from."""

    admin: str
    """The administrator's account."""
    function: str = BASIC_AUTH
    """`module:function`, on the server's Python path."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Files beside the server's configuration: the function's module and its settings. None is secret."""
    volumes: Sequence[workloads.Volume] = ()
    """What else the function reads."""


def service_uri(app: App) -> str:
    """The server's URL inside the cluster."""
    return f"http://{app.name}.{app.namespace}.svc.cluster.local:{PORT}"


def allowed_hosts(app: App, host: str | None) -> list[str]:
    """Every name that the server is called by; MLflow answers 403 to others, its port included.

    `localhost` is for port forwarding. Addresses of pods are not in it: nothing calls the server by one.
    """
    inside = [app.name, f"{app.name}.{app.namespace}", f"{app.name}.{app.namespace}.svc"]
    inside.append(f"{inside[-1]}.cluster.local")
    outside = [host, f"{host}:443"] if host else []
    return [*(f"{name}:{PORT}" for name in inside), *outside, "localhost:*", "127.0.0.1:*"]


def auth_config(database_uri: str, function: str) -> str:
    """MLflow's basic-auth settings: nobody has what no role gives.

    Successful logins are remembered for half a minute, as hashing a password at each request costs tens of
    milliseconds of CPU; so long may a password that was changed still be taken.
    """
    settings = {
        "default_permission": "NO_PERMISSIONS",
        "grant_default_workspace_access": "false",
        "database_uri": database_uri,
        "authorization_function": function,
        "auth_cache_ttl_seconds": "30",
    }
    return "\n".join(["[mlflow]", *(f"{key} = {value}" for key, value in settings.items()), ""])


@dataclass(frozen=True)
class TrackingServerArgs:
    """What a TrackingServer is made of."""

    app: App
    job: App
    """The Job that brings the database to the server's schemas."""
    tracking: Tracking
    authorization: Authorization
    database: Connection
    store: Store
    images: ImageSource
    credentials: Credentials = field(repr=False)
    measured: bool = False
    """Whether Prometheus measures it."""
    pool: int | None = None
    """The most connections of each of the server's pools; None leaves MLflow's own default of 15."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""


class TrackingServer(pulumi.ComponentResource):
    """MLflow with workspaces and its own access control, on a database and an artifact store."""

    uri: pulumi.Output[str]
    """The server's URL inside the cluster."""

    def __init__(
        self, name: str, args: TrackingServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        shown = {"replicas": args.tracking.replicas, "host": args.tracking.host}
        super().__init__(component_token(TrackingServer), name, shown, opts)
        app, credentials = args.app, args.credentials
        admin = {
            "username": args.authorization.admin,
            "password": credentials.password(Label.account(args.authorization.admin)),
        }
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(app, args.store.account_annotations),
                configuration.secret(app, admin, ADMIN_SECRET),
                configuration.secret(app, server_secrets(credentials)),
                configuration.config_map(app, server_files(args)),
                workloads.disruption_budget(app),
            )
        ]
        upgrade = self._upgrade(name, args, before)
        server = register(
            self,
            workloads.deployment(app, server_pod(args), args.tracking.replicas),
            depends_on=[*before, upgrade, *args.store.ready],
        )
        # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"http": PORT}), depends_on=args.after)
        self.ready: tuple[pulumi.Resource, ...] = (server, service)
        self.uri = pulumi.Output.from_input(service_uri(app))
        self.register_outputs({"uri": self.uri})

    def _upgrade(
        self, name: str, args: TrackingServerArgs, before: list[pulumi.CustomResource]
    ) -> pulumi.Resource:
        job = args.job
        own = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(job),
                configuration.config_map(job, {"upgrade.py": script("upgrade.py")}),
            )
        ]
        template = upgrade_pod(args)
        return register(
            self,
            workloads.job(job, digest(template), template),
            name=f"{name}-upgrade",
            depends_on=[*before, *own, *args.database.ready],
        )


def server_secrets(credentials: Credentials) -> dict[str, object]:
    """What every replica has to share."""
    return {
        "MLFLOW_FLASK_SERVER_SECRET_KEY": credentials.password(Label.MLFLOW_FLASK),
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": credentials.password(Label.MLFLOW_KEK),
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": credentials.key(Label.MLFLOW_WEBHOOKS),
    }


def server_files(args: TrackingServerArgs) -> dict[str, str]:
    """The server's configuration folder."""
    config = auth_config(args.database.uri, args.authorization.function)
    exporter = {_EXPORTER: script(_EXPORTER)} if args.measured else {}
    return {"auth.ini": config, **args.authorization.files, **exporter}


def pool_settings(most: int | None) -> dict[str, str]:
    """MLflow's variables for pools that open `most` connections each: some are kept, the rest are closed when
    they are idle. It takes no overflow of 0."""
    if most is None or most >= _MLFLOW_POOL:
        return {}
    kept = min(5, most - 1)
    return {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(kept),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(most - kept),
    }


def _admin_env() -> list[Manifest]:
    return workloads.from_secret(
        ADMIN_SECRET,
        {"MLFLOW_AUTH_ADMIN_USERNAME": "username", "MLFLOW_AUTH_ADMIN_PASSWORD": "password"},
    )


def server_pod(args: TrackingServerArgs) -> Manifest:
    """MLflow's server."""
    app, tracking, credentials = args.app, args.tracking, args.credentials
    volumes = [
        workloads.config_files("config", app.name, _CONFIG),
        workloads.scratch("tmp", "/tmp", "4Gi"),  # noqa: S108  # uploads pass through it
        *args.database.volumes,
        *args.store.volumes,
        *args.authorization.volumes,
    ]
    counters = [workloads.scratch("counters", _COUNTERS, "64Mi")] if args.measured else []
    origins = [f"https://{tracking.host}"] if tracking.host else []
    env = [
        *workloads.plain(
            {
                "MLFLOW_BACKEND_STORE_URI": args.database.uri,
                **pool_settings(args.pool),
                **({_READS: args.database.read_uri} if args.database.read_uri else {}),
                "MLFLOW_ARTIFACTS_DESTINATION": args.store.uri,
                "MLFLOW_AUTH_CONFIG_PATH": f"{_CONFIG}/auth.ini",
                "PYTHONPATH": _CONFIG,
                **_SWITCHES,
            }
        ),
        *workloads.from_secret(app.name, {key: key for key in server_secrets(credentials)}),
        *_admin_env(),
        *args.database.env,
        *args.store.env,
    ]
    main = workloads.container(
        app.name,
        args.images.reference(MLFLOW),
        resources=workloads.Resources(
            tracking.resources.cpu, tracking.resources.memory, tracking.resources.memory_limit
        ),
        command=["mlflow", "server"],
        args=[
            "--host=0.0.0.0",
            f"--port={PORT}",
            f"--workers={tracking.workers}",
            "--app-name=basic-auth",
            "--enable-workspaces",
            "--serve-artifacts",
            f"--allowed-hosts={','.join(allowed_hosts(app, tracking.host))}",
            *(f"--cors-allowed-origins={origin}" for origin in origins),
            *(f"--expose-prometheus={volume.path}" for volume in counters),
        ],
        env=env,
        ports={"http": PORT},
        volumes=[*volumes, *counters],
        probes={
            "startupProbe": workloads.http_probe("/health", PORT, periodSeconds=3, failureThreshold=100),
            "readinessProbe": workloads.http_probe("/health", PORT, periodSeconds=5),
            "livenessProbe": workloads.http_probe("/health", PORT, periodSeconds=10, failureThreshold=6),
        },
    )
    labels = (Label.MLFLOW_FLASK, Label.MLFLOW_KEK, Label.MLFLOW_WEBHOOKS)
    fingerprints = [credentials.fingerprint(label) for label in labels]
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(
            server_files(args), fingerprints, args.database.fingerprint, args.store.fingerprint
        ),
        volumes=[*volumes, *counters],
        pull_secret=args.images.pull_secret,
        labels=args.store.pod_labels,
        spread=True,
        beside=[_exporter(args)] if args.measured else [],
    )


def _exporter(args: TrackingServerArgs) -> Manifest:
    """Shows the server's counters to Prometheus, and whether it works.

    The server would show its counters itself, at /metrics: to administrators alone, as it refuses what no
    rule of its own allows (MLFLOW_BASIC_AUTH_FAIL_CLOSED), and not to a caller that uses a pod's address.
    """
    return workloads.container(
        "metrics",
        args.images.reference(MLFLOW),
        resources=_EXPORTER_RESOURCES,
        command=["python", f"{_CONFIG}/{_EXPORTER}"],
        args=[_COUNTERS, str(METRICS), f"http://127.0.0.1:{PORT}{_PROBED}"],
        env=workloads.plain({"PYTHONDONTWRITEBYTECODE": "1"}),
        ports={"metrics": METRICS},
        volumes=[
            workloads.config_files("config", args.app.name, _CONFIG),
            replace(workloads.scratch("counters", _COUNTERS), read_only=True),
        ],
        probes={"livenessProbe": {"tcpSocket": {"port": METRICS}, "periodSeconds": 30, "timeoutSeconds": 5}},
    )


def upgrade_pod(args: TrackingServerArgs) -> Manifest:
    """Brings the database to the server's schemas, with the server's own image."""
    job = args.job
    volumes = [
        workloads.config_files("scripts", job.name, "/opt/ziggurat"),
        workloads.scratch("tmp", "/tmp"),  # noqa: S108  # a mount inside a container
        *args.database.volumes,
    ]
    uri = args.database.migration_uri or args.database.uri
    env = [
        *workloads.plain({"MLFLOW_BACKEND_STORE_URI": uri, **_SWITCHES}),
        *workloads.from_secret(
            args.app.name, {"MLFLOW_FLASK_SERVER_SECRET_KEY": "MLFLOW_FLASK_SERVER_SECRET_KEY"}
        ),
        *_admin_env(),
        *args.database.env,
    ]
    main = workloads.container(
        "upgrade",
        args.images.reference(MLFLOW),
        resources=_JOB_RESOURCES,
        command=["python", "/opt/ziggurat/upgrade.py"],
        env=env,
        volumes=volumes,
    )
    admin = args.credentials.fingerprint(Label.account(args.authorization.admin))
    return workloads.pod_template(
        job,
        main,
        user=_USER,
        config_hash=digest(script("upgrade.py"), admin, args.database.fingerprint),
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        once=True,
    )
