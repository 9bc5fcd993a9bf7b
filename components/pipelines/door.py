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
from components.manifests import workloads
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

READY = "/ziggurat/ready"
"""Where the door answers by itself."""
_FILE = "envoy.json"
_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="512Mi")
_TYPE = "type.googleapis.com/envoy"
_WORKSPACE = "x-mlflow-workspace"
_SERVED = ("/apis/v1beta1/", "/apis/v2beta1/")
"""What the door passes on. Not `/apis/v1alpha1/`: logs and cached tasks of any team, without a question."""

_MEANT: Manifest = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
}
"""A path is judged as it is meant, not as it is spelt."""


def config(parts: Parts, mlflow: App, teams: Sequence[str]) -> Manifest:
    """Envoy's configuration, in whole."""
    listeners = [
        _listener("programs", HTTP, [_ready(), *_api(forget=True)]),
        _listener("programs-grpc", GRPC, [_grpc()]),
        _listener("people", PEOPLE, [_ready(), _impostor(), *_api(forget=False)]),
        _listener("metadata", METADATA_WEB, [_metadata()], web=True),
        _listener("metrics", METRICS, [_metrics()]),
        _listener("tracking", TRACKING, [_workspace(team, mlflow) for team in teams], as_it_is=True),
    ]
    clusters = [
        _cluster("api", address(parts.server), HTTP),
        _cluster("api-grpc", address(parts.server), GRPC, http2=True),
        _cluster("metadata", address(parts.metadata), METADATA, http2=True),
        _cluster("tracking", address(mlflow), tracking.PORT),
    ]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _ready() -> Manifest:
    return {"match": {"path": READY}, "direct_response": {"status": 200}}


def _impostor() -> Manifest:
    """A person who calls themselves like a ServiceAccount would have what it may."""
    named = {"name": IDENTITY, "string_match": {"prefix": "system:", "ignore_case": True}}
    return {"match": {"prefix": "/", "headers": [named]}, "direct_response": {"status": 403}}


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


def _listener(
    name: str, port: int, routes: Sequence[Manifest], *, web: bool = False, as_it_is: bool = False
) -> Manifest:
    """`web`: it speaks gRPC to browsers. `as_it_is`: paths are passed on as they are spelt."""
    filters = [("router.v3.Router", "router"), *([("grpc_web.v3.GrpcWeb", "grpc_web")] if web else [])]
    manager: Manifest = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        **({} if as_it_is else _MEANT),
        "stream_idle_timeout": "900s",
        "route_config": {
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": list(routes)}],
        },
        "http_filters": [
            {
                "name": f"envoy.filters.http.{short}",
                "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.{kind}"},
            }
            for kind, short in reversed(filters)
        ],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104  # its pod
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _cluster(name: str, host: str, port: int, *, http2: bool = False) -> Manifest:
    options: Manifest = {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    }
    endpoint = {"address": {"socket_address": {"address": host, "port_value": port}}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        **(options if http2 else {}),
    }


def files(parts: Parts, mlflow: App, teams: Sequence[str]) -> dict[str, str]:
    """The door's ConfigMap; JSON is a form of configuration that Envoy reads."""
    return {_FILE: json.dumps(config(parts, mlflow, teams), indent=1, sort_keys=True)}


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
    volumes = [
        workloads.config_files("config", app.name, "/etc/envoy"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]
    ready = workloads.http_probe(READY, HTTP, periodSeconds=5)
    main = workloads.container(
        app.name,
        images.reference(ENVOY),
        resources=_RESOURCES,
        command=["envoy"],
        args=[
            "--config-path",
            f"/etc/envoy/{_FILE}",
            "--log-level",
            "warning",
            "--concurrency",
            "2",
            "--disable-hot-restart",  # it would want shared memory
        ],
        ports=PORTS,
        volumes=volumes,
        probes={
            "readinessProbe": ready,
            "livenessProbe": {**ready, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
    return workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=digest(configuration),
        volumes=volumes,
        pull_secret=images.pull_secret,
        spread=True,
    )
