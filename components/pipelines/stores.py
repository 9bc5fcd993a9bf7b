"""How the engine, the page and the runs of each team reach the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from blueprints.model.storage import AzureArtifacts, EmbeddedArtifacts, GcsArtifacts, S3Artifacts
from components import artifacts
from components.artifacts import Artifacts
from components.manifests import workloads
from components.manifests.metadata import App, Manifest
from components.pipelines.parts import STORE_SECRET, address

_GCS_KEY = "key.json"


@dataclass(frozen=True)
class RunStore:
    """What the runs of all teams have in common."""

    root: str
    """Where they keep their artifacts, but for the team's folder."""
    providers: Manifest
    """`providers` of the ConfigMap kfp-launcher. Without it, runs look for a MinIO in `kubeflow`."""
    account_annotation: str | None = None
    """The ServiceAccount's annotation that names the identity which a team's runs take on."""
    egress: tuple[tuple[str | None, int], ...] = ()
    """Where their pods have to get: host (None: anywhere) and port; empty means the embedded store."""
    reads_secret: bool = True
    """Whether they enter by the Secret of the team's namespace."""


@dataclass(frozen=True)
class EngineStore:
    """How the API server and the page reach the bucket."""

    config: Manifest
    """`ObjectStoreConfig` of config.json."""
    env: tuple[Manifest, ...] = ()
    page_env: tuple[Manifest, ...] = ()
    account_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    egress: tuple[tuple[str | None, int], ...] = ()
    """Where both have to get: host (None: anywhere) and port; empty means the embedded store."""


def run_store(chosen: Artifacts, seaweedfs: App) -> RunStore:
    """How runs reach the bucket."""
    match chosen:
        case EmbeddedArtifacts():
            where = f"http://{address(seaweedfs)}:{artifacts.PORT}"
            providers = _s3(where, artifacts.REGION, secret=True)
            return RunStore(f"s3://{chosen.bucket}/{artifacts.RUNS_PREFIX}", providers)
        case S3Artifacts():
            where = chosen.endpoint or f"https://s3.{chosen.region}.amazonaws.com"
            brought = artifacts.s3(chosen)
            return RunStore(
                f"s3://{chosen.bucket}/{artifacts.RUNS_PREFIX}",
                _s3(where, chosen.region, secret=chosen.secret is not None),
                "eks.amazonaws.com/role-arn" if chosen.role_arn else None,
                brought.egress,
                reads_secret=chosen.secret is not None,
            )
        case GcsArtifacts():
            by_secret = chosen.secret is not None
            credentials: Manifest = (
                {"secretRef": {"secretName": STORE_SECRET, "tokenKey": _GCS_KEY}}
                if by_secret
                else {"fromEnv": True}
            )
            return RunStore(
                f"gs://{chosen.bucket}/{artifacts.RUNS_PREFIX}",
                {"gs": {"default": {"credentials": credentials}}},
                "iam.gke.io/gcp-service-account" if chosen.service_account else None,
                artifacts.gcs(chosen).egress,
                reads_secret=by_secret,
            )
        case AzureArtifacts():
            # The rules of blueprints refuse it.
            raise ValueError("Kubeflow Pipelines knows no Azure Blob Storage")


def _s3(endpoint: str, region: str, *, secret: bool) -> Manifest:
    credentials: Manifest = (
        {
            "fromEnv": False,
            "secretRef": {
                "secretName": STORE_SECRET,
                "accessKeyKey": "AWS_ACCESS_KEY_ID",
                "secretKeyKey": "AWS_SECRET_ACCESS_KEY",
            },
        }
        if secret
        else {"fromEnv": True}
    )
    return {
        "s3": {
            "default": {
                "endpoint": endpoint,
                "region": region,
                "disableSSL": endpoint.startswith("http://"),
                "forcePathStyle": True,
                "credentials": credentials,
            }
        }
    }


def engine_store(chosen: Artifacts, seaweedfs: App) -> EngineStore:
    """How the API server and the page reach the bucket. The API server speaks S3 alone: of Google Cloud
    Storage it reads nothing, and what it would read there, runs and the page read by themselves."""
    match chosen:
        case EmbeddedArtifacts():
            where = f"http://{address(seaweedfs)}:{artifacts.PORT}"
            return EngineStore(
                _object_store(chosen.bucket, where, artifacts.REGION),
                (*_keys(artifacts.PIPELINES_KEYS),),
                (*workloads.plain({"AWS_REGION": artifacts.REGION}),),
            )
        case S3Artifacts():
            brought = artifacts.s3(chosen)
            where = chosen.endpoint or f"https://s3.{chosen.region}.amazonaws.com"
            keys = _keys(chosen.secret.secret_name) if chosen.secret else _no_keys()
            page = workloads.plain({"AWS_REGION": chosen.region, "AWS_S3_ENDPOINT": _host(where)})
            return EngineStore(
                _object_store(chosen.bucket, where, chosen.region),
                tuple(keys),
                tuple(page),
                brought.account_annotations,
                brought.egress,
            )
        case GcsArtifacts():
            brought = artifacts.gcs(chosen)
            # Keys that open nothing: without any, its S3 client would look for AWS' metadata server.
            keys = workloads.plain(dict.fromkeys(_KEYS, "none"))
            return EngineStore(
                _object_store(chosen.bucket, "https://storage.googleapis.com", "auto"),
                tuple(keys),
                account_annotations=brought.account_annotations,
                egress=brought.egress,
            )
        case AzureArtifacts():
            # The rules of blueprints refuse it.
            raise ValueError("Kubeflow Pipelines knows no Azure Blob Storage")


_KEYS = {
    "OBJECTSTORECONFIG_ACCESSKEY": "AWS_ACCESS_KEY_ID",
    "OBJECTSTORECONFIG_SECRETACCESSKEY": "AWS_SECRET_ACCESS_KEY",
}


def _keys(secret: str) -> list[Manifest]:
    return workloads.from_secret(secret, _KEYS)


def _no_keys() -> list[Manifest]:
    # Empty, not left out: the image's own defaults are MinIO's.
    return workloads.plain(dict.fromkeys(_KEYS, ""))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _object_store(bucket: str, url: str, region: str) -> Manifest:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return {
        "BucketName": bucket,
        "Host": parts.hostname,
        "Port": str(parts.port or (443 if secure else 80)),
        "Secure": "true" if secure else "false",
        "Region": region,
        "PipelinePath": f"{artifacts.RUNS_PREFIX}/pipelines",
        "AccessKey": "",
        "SecretAccessKey": "",
    }


def team_root(store: RunStore, team: str) -> str:
    """Where the runs of a team keep their artifacts."""
    return f"{store.root}/{team}"
