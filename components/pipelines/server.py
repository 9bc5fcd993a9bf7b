"""The API server of Kubeflow Pipelines, and the metadata store that it cannot be without until version 3."""

from __future__ import annotations

from collections.abc import Sequence

from components.manifests import workloads
from components.manifests.metadata import App, Manifest, digest
from components.pipelines.configuration import METADATA_DATABASE
from components.pipelines.database import Connection
from components.pipelines.parts import GRPC, HTTP, METADATA, USER
from components.pipelines.pods import with_token
from components.scripts import script
from components.versions import KFP_API_SERVER, KFP_DRIVER, KFP_LAUNCHER, ML_METADATA, ImageSource

CONFIG = "config.json"
_FOLDER = "/etc/pipelines"
_METADATA_SCRIPT = "metadata.sh"
_RESOURCES = workloads.Resources(cpu="250m", memory="500Mi", memory_limit="2Gi")
_METADATA_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="512Mi")


def api_pod(
    app: App,
    images: ImageSource,
    database: Connection,
    store_env: Sequence[Manifest],
    configuration: str,
    fingerprint: str,
) -> Manifest:
    """The API server. Samples, which it would load for everybody, are left out. `fingerprint`: of its key of
    the bucket."""
    volumes = [
        workloads.config_files("config", app.name, _FOLDER),
        workloads.scratch("tmp", "/tmp", "1Gi"),  # noqa: S108  # a mount inside a container
    ]
    keys = {
        "DBCONFIG_MYSQLCONFIG_USER": database.api.user_key,
        "DBCONFIG_MYSQLCONFIG_PASSWORD": database.api.password_key,
    }
    env = [
        *workloads.plain(
            {
                "POD_NAMESPACE": app.namespace,  # drivers look for the engine in it
                "V2_DRIVER_IMAGE": images.reference(KFP_DRIVER),
                "V2_LAUNCHER_IMAGE": images.reference(KFP_LAUNCHER),
                "PUBLISH_LOGS": "true",  # the logs of tasks are artifacts
                "PIPELINE_LOG_LEVEL": "1",
            }
        ),
        *workloads.from_secret(database.api.secret, keys),
        *store_env,
    ]
    health = workloads.http_probe("/apis/v1beta1/healthz", HTTP, periodSeconds=5)
    main = workloads.container(
        app.name,
        images.reference(KFP_API_SERVER),
        resources=_RESOURCES,
        command=["/bin/apiserver"],
        args=[f"--config={_FOLDER}", "-logtostderr=true", "--logLevel=info"],
        env=env,
        ports={"http": HTTP, "grpc": GRPC},
        volumes=volumes,
        probes={
            # On an empty database, and after an upgrade, it migrates before it answers.
            "startupProbe": {**health, "failureThreshold": 120},
            "readinessProbe": health,
            "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
    template = workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=digest(configuration, database.api.fingerprint, list(store_env), fingerprint),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
    return with_token(template)


def metadata_files() -> dict[str, str]:
    """The metadata store's ConfigMap."""
    return {_METADATA_SCRIPT: script(_METADATA_SCRIPT)}


def metadata_pod(app: App, images: ImageSource, database: Connection) -> Manifest:
    """The metadata store."""
    access = database.metadata
    volumes = [
        workloads.config_files("scripts", app.name, "/opt/ziggurat"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]
    where = {
        "DATABASE_HOST": database.host,
        "DATABASE_PORT": str(database.port),
        "DATABASE_NAME": METADATA_DATABASE,
    }
    keys = {"DATABASE_USER": access.user_key, "DATABASE_PASSWORD": access.password_key}
    alive: Manifest = {"tcpSocket": {"port": METADATA}, "timeoutSeconds": 5}
    main = workloads.container(
        app.name,
        images.reference(ML_METADATA),
        resources=_METADATA_RESOURCES,
        command=["sh", f"/opt/ziggurat/{_METADATA_SCRIPT}"],
        args=[str(METADATA)],
        env=[*workloads.plain(where), *workloads.from_secret(access.secret, keys)],
        ports={"grpc": METADATA},
        volumes=volumes,
        probes={
            "startupProbe": {**alive, "periodSeconds": 5, "failureThreshold": 60},
            "readinessProbe": {**alive, "periodSeconds": 5},
            "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
    return workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=digest(metadata_files(), where, access.fingerprint),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
