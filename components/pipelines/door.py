"""The door: the one way to the API server, and the one place where a person's name is believed.

The API server believes whoever names a person in a header, and asks Kubernetes what that person may. So
nobody reaches it but this proxy (Envoy), which has a port for each kind of caller:

- programs (8888, 8887; the well-known `ml-pipeline`) are rid of the header and known by the token of a
  ServiceAccount alone;
- the page (8889), which only the login proxy reaches, keeps it, unless it names one of Kubernetes' own;
- the page reads metadata (9090), and only reads: the metadata store knows no users;
- monitoring (8890) sees the API server's metrics, and no more of it;
- MLflow (5000) is called by a path that says the team's workspace, as Kubeflow Pipelines cannot say it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from components import tracking
from components.manifests import envoy, workloads
from components.manifests.metadata import App, Manifest, digest
from components.pipelines.parts import (
    GRPC,
    HTTP,
    IDENTITY,
    METADATA,
    METADATA_WEB,
    METRICS,
    PEOPLE,
    TRACKING,
    USER,
    Parts,
    address,
    tracking_path,
)
from components.versions import ENVOY, ImageSource

_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="512Mi")
_WORKSPACE = "x-mlflow-workspace"
_SERVED = ("/apis/v1beta1/", "/apis/v2beta1/")
"""What the door passes on. Not `/apis/v1alpha1/`: logs and cached tasks of any team, without a question."""
_WEB = envoy.http_filter("grpc_web", "grpc_web.v3.GrpcWeb")
"""gRPC as browsers speak it."""


def config(parts: Parts, mlflow: App, teams: Sequence[str]) -> Manifest:
    """Envoy's configuration, in whole."""
    listeners = [
        envoy.listener("programs", HTTP, [envoy.ready(), *_api(forget=True)]),
        envoy.listener("programs-grpc", GRPC, [_grpc()]),
        envoy.listener("people", PEOPLE, [envoy.ready(), envoy.impostor(IDENTITY), *_api(forget=False)]),
        envoy.listener("metadata", METADATA_WEB, [_metadata()], filters=[_WEB]),
        envoy.listener("metrics", METRICS, [_metrics()]),
        # Paths of artifacts are passed on as they are spelt.
        envoy.listener("tracking", TRACKING, [_workspace(team, mlflow) for team in teams], meant={}),
    ]
    clusters = [
        envoy.cluster("api", address(parts.server), HTTP),
        envoy.cluster("api-grpc", address(parts.server), GRPC, http2=True),
        envoy.cluster("metadata", address(parts.metadata), METADATA, http2=True),
        envoy.cluster("tracking", address(mlflow), tracking.PORT),
    ]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _api(*, forget: bool) -> list[Manifest]:
    # Uploads and answers may be big and slow: no time is set.
    without = {"request_headers_to_remove": [IDENTITY]} if forget else {}
    return [
        {"match": {"prefix": prefix}, "route": {"cluster": "api", "timeout": "0s"}, **without}
        for prefix in _SERVED
    ]


def _metrics() -> Manifest:
    return {
        "match": {"path": "/metrics"},
        "route": {"cluster": "api"},
        "request_headers_to_remove": [IDENTITY],
    }


def _grpc() -> Manifest:
    return {
        "match": {"prefix": "/"},
        "route": {"cluster": "api-grpc", "timeout": "0s"},
        "request_headers_to_remove": [IDENTITY],
    }


def _metadata() -> Manifest:
    return {
        "match": {"prefix": "/ml_metadata.MetadataStoreService/Get"},
        "route": {"cluster": "metadata", "timeout": "0s"},
    }


def _workspace(team: str, mlflow: App) -> Manifest:
    return {
        "match": {"prefix": f"{tracking_path(team)}/"},
        "route": {
            "cluster": "tracking",
            "prefix_rewrite": "/",
            "host_rewrite_literal": f"{address(mlflow)}:{tracking.PORT}",  # MLflow answers no other names
            "timeout": "0s",
        },
        "request_headers_to_add": [
            {"header": {"key": _WORKSPACE, "value": team}, "append_action": "ADD_IF_ABSENT"}
        ],
    }


def files(parts: Parts, mlflow: App, teams: Sequence[str]) -> dict[str, str]:
    """The door's ConfigMap."""
    return {envoy.FILE: json.dumps(config(parts, mlflow, teams), indent=1, sort_keys=True)}


PORTS = {
    "http": HTTP,
    "grpc": GRPC,
    "people": PEOPLE,
    "metadata": METADATA_WEB,
    "metrics": METRICS,
    "tracking": TRACKING,
}


def pod(app: App, images: ImageSource, configuration: dict[str, str]) -> Manifest:
    """Envoy, which reads its configuration when it starts."""
    volumes = envoy.volumes(app.name)
    main = envoy.container(app.name, images.reference(ENVOY), _RESOURCES, PORTS, volumes)
    return workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=digest(configuration),
        volumes=volumes,
        pull_secret=images.pull_secret,
        spread=True,
    )
