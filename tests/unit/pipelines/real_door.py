"""The door as it is configured, in a real Envoy of PyPI, and servers that note what they get."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from envoys import running
from servers import free_port

from components.manifests.envoy import READY
from components.manifests.metadata import App
from components.pipelines import door
from components.pipelines.parts import GRPC, HTTP, METADATA_WEB, METRICS, PEOPLE, TRACKING, Parts

LISTENERS = (HTTP, GRPC, PEOPLE, METADATA_WEB, METRICS, TRACKING)
TEAMS = ("pricing", "vision")
PASSWORD = "the-password-of-vision"
"""Of the account `vision` in MLflow."""


@dataclass
class Seen:
    """A request as it reached a server."""

    path: str
    headers: dict[str, str]


@dataclass
class Door:
    """A running door; `port` is where a listener of the configuration is here."""

    port: dict[int, int]
    seen: list[Seen] = field(default_factory=list)

    def get(self, listener: int, path: str, **headers: str) -> int:
        """The status of a GET; headers are written with `_` for `-`."""
        return self.send("GET", listener, path, **headers)

    def send(self, method: str, listener: int, path: str, body: bytes | None = None, **headers: str) -> int:
        """The status of a request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port[listener]}{path}",
            body,
            {name.replace("_", "-"): value for name, value in headers.items()},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def call(self, method: str, *metadata: tuple[str, str]) -> None:
        """A gRPC call through the programs' port."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port[GRPC]}") as channel:
            channel.unary_unary(method)(b"", metadata=metadata, timeout=10)


def http_server(seen: list[Seen]) -> ThreadingHTTPServer:
    """Answers everything with 200."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self.rfile.read(length)
            seen.append(Seen(self.path, {key.lower(): value for key, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing: the test has it all."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def grpc_server(seen: list[Seen]) -> tuple[grpc.Server, int]:
    """Answers every method with nothing."""

    class Every(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            seen.append(Seen(details.method, dict(details.invocation_metadata)))
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")

    server = grpc.server(ThreadPoolExecutor(2), (Every(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def routes(listener: Any) -> list[Any]:
    """The routes of a listener."""
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"]


def moved(config: Any, ports: dict[int, int], upstream: dict[str, int], host: str | None) -> Any:
    """The configuration with listeners and clusters at ports of this machine, MLflow called by `host` if that
    is given, and nothing else changed."""
    for listener in config["static_resources"]["listeners"]:
        where = listener["address"]["socket_address"]
        where |= {"address": "127.0.0.1", "port_value": ports[where["port_value"]]}
        for route in routes(listener):
            if host and "host_rewrite_literal" in route.get("route", {}):
                route["route"]["host_rewrite_literal"] = host
    for cluster in config["static_resources"]["clusters"]:
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        where = endpoint["endpoint"]["address"]["socket_address"]
        where |= {"address": "127.0.0.1", "port_value": upstream[cluster["name"]]}
    return config


@contextmanager
def opened(
    folder: Path, upstream: dict[str, int], seen: list[Seen], host: str | None = None
) -> Iterator[Door]:
    """Envoy with the configuration that the platform's door has; `upstream` has a port for each cluster, and
    `host` is a name that the server there answers to."""
    files = door.files(Parts.of("acme"), App("acme", "acme", "mlflow", "tracking"), TEAMS)
    (text,) = files.values()
    ports = {port: free_port() for port in LISTENERS}
    config = moved(json.loads(text), ports, upstream, host)
    found = Door(ports, seen)
    with running(config, folder, lambda: found.get(HTTP, READY) == 200):
        yield found
