"""Envoy as a door of the platform's own: its configuration as data, and the container that runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.manifests import workloads
from components.manifests.metadata import Manifest

READY = "/ziggurat/ready"
"""Where a door answers by itself."""
TYPE = "type.googleapis.com/envoy"
FILE = "envoy.json"
"""JSON is a form of configuration that Envoy reads."""
MEANT: Manifest = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
}
"""A path is judged as it is meant, not as it is spelt."""


def extension(name: str, type_name: str, **fields: object) -> Manifest:
    """A filter, or another part that Envoy knows by the type of its configuration."""
    return {"name": name, "typed_config": {"@type": f"{TYPE}.extensions.{type_name}", **fields}}


def http_filter(short: str, kind: str, **fields: object) -> Manifest:
    """A filter of HTTP requests."""
    return extension(f"envoy.filters.http.{short}", f"filters.http.{kind}", **fields)


ROUTER = http_filter("router", "router.v3.Router")
"""The last of every chain of filters."""


def ready() -> Manifest:
    """The route by which a door says that it is there."""
    return {"match": {"path": READY}, "direct_response": {"status": 200}}


def impostor(header: str) -> Manifest:
    """The route of a person who calls themselves like a ServiceAccount: they would have what it may."""
    named = {"name": header, "string_match": {"prefix": "system:", "ignore_case": True}}
    return {"match": {"prefix": "/", "headers": [named]}, "direct_response": {"status": 403}}


def listener(
    name: str,
    port: int,
    routes: Sequence[Manifest],
    *,
    filters: Sequence[Manifest] = (),
    meant: Manifest = MEANT,
    idle: str = "900s",
    routing: Mapping[str, object] | None = None,
    **manager_fields: object,
) -> Manifest:
    """HTTP on a port of the pod. `filters` come before the router; `meant`: how paths are taken, as MEANT;
    `idle`: after how long without a byte a request ends; `routing`: more of the table of routes."""
    manager = {
        "stat_prefix": name,
        "codec_type": "AUTO",
        **meant,
        "stream_idle_timeout": idle,
        "route_config": {
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": list(routes)}],
            **(routing or {}),
        },
        "http_filters": [*filters, ROUTER],
        **manager_fields,
    }
    network = "envoy.filters.network.http_connection_manager"
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104  # its pod
        "filter_chains": [{"filters": [extension(network, kind, **manager)]}],
    }


def cluster(name: str, host: str, port: int, *, http2: bool = False) -> Manifest:
    """Somebody that a door calls, by name."""
    options: Manifest = {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
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


def volumes(config_map: str) -> list[workloads.Volume]:
    """What Envoy needs beside its image: its configuration, and a folder to write to."""
    return [
        workloads.config_files("config", config_map, "/etc/envoy"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]


def container(
    name: str,
    image: str,
    resources: workloads.Resources,
    ports: Mapping[str, int],
    mounted: Sequence[workloads.Volume],
) -> Manifest:
    """Envoy, which reads its configuration when it starts; it is asked for READY at the first of `ports`."""
    alive = workloads.http_probe(READY, next(iter(ports.values())), periodSeconds=5)
    return workloads.container(
        name,
        image,
        resources=resources,
        command=["envoy"],
        args=[
            "--config-path",
            f"/etc/envoy/{FILE}",
            "--log-level",
            "warning",
            "--concurrency",
            "2",
            "--disable-hot-restart",  # it would want shared memory
        ],
        ports=dict(ports),
        volumes=list(mounted),
        probes={
            "readinessProbe": alive,
            "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
