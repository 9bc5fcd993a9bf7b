"""A page's door as it is configured, in a real Envoy of PyPI, and servers that note what they get."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import envoys

from components.manifests.envoy import READY


@dataclass
class Seen:
    """A request as it reached a server."""

    server: str
    path: str
    headers: dict[str, str]


@dataclass
class Answer:
    """What somebody got."""

    status: int
    body: str
    headers: dict[str, str]


@dataclass
class Door:
    """A running door."""

    port: int
    seen: list[Seen] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The names that it looked up."""

    def ask(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
        """A request whose path and headers are sent as they are given, headers twice if they are so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", "page.acme.net")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read().decode()
            return Answer(answer.status, body, {key.lower(): value for key, value in answer.getheaders()})
        finally:
            connection.close()


@contextmanager
def noting(name: str, seen: list[Seen], body: bytes = b"") -> Iterator[int]:
    """A server that notes what reaches it, and answers `body`; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            headers: dict[str, str] = {}
            for key, value in self.headers.items():
                headers[key.lower()] = f"{headers[key.lower()]}|{value}" if key.lower() in headers else value
            seen.append(Seen(name, self.path, headers))
            upgraded = headers.get("upgrade") == "websocket"
            self.send_response(101 if upgraded else 200)
            if upgraded:
                self.send_header("upgrade", "websocket")
                self.send_header("connection", "upgrade")
            else:
                self.send_header("content-length", str(len(body)))
                self.send_header("set-cookie", "__Host-ziggurat=evil; Secure; Path=/")
                self.send_header("set-cookie", "_xsrf=2; Path=/")
            self.end_headers()
            if upgraded:
                self.wfile.write(self.rfile.read(4))  # an echo of four bytes
                self.close_connection = True
            else:
                self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing: the test has it all."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(config: Any, door: Door, folder: Path) -> Iterator[Door]:
    """Envoy with a configuration of one listener, at the port of `door`."""
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": door.port}
    with envoys.running(config, folder, lambda: door.ask(READY).status == 200):
        yield door
