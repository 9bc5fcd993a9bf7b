"""An API server for tests: objects as data, and port-forwards over real WebSockets to a port here."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from ziggurat.cluster import Cluster

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

USERS = {"vision": "ada", "pricing": "bob"}
PASSWORDS = {
    "ada": "canary-password-of-ada",
    "bob": "canary-password-of-bob",
    "admin": "the-admin-password-1",
}
OUTPUTS: dict[str, Any] = {
    "namespace": "acme",
    "trackingHost": None,
    "teams": {
        team: {
            "namespace": f"acme-{team}",
            "workspace": team,
            "users": {user: {"role": "user", "secret": f"mlflow-{user}"}},
        }
        for team, user in USERS.items()
    },
}


class KubeApi(ThreadingHTTPServer):
    """Answers from `objects` by path: a list is a collection, a number an error, text is not JSON.
    A path with its query goes before the path alone.

    What is POSTed is there from then on, what is DELETEd no longer; `made` and `deleted` say what was, and
    `on_made` and `on_deleted` do what controllers would.
    """

    daemon_threads = True

    def __init__(self, objects: dict[str, Any], port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = objects
        self.port = port
        self.forwards = 0
        self.made: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.on_made: Callable[[dict[str, Any]], None] = lambda _: None
        self.on_deleted: Callable[[str], None] = lambda _: None

    def add(self, collection: str, item: dict[str, Any]) -> None:
        """Has an object from now on."""
        self.objects[f"{collection}/{item['metadata']['name']}"] = item
        self.objects.setdefault(collection, []).append(item)

    def remove(self, path: str) -> None:
        """Has it no longer."""
        collection, _, name = path.rpartition("/")
        self.objects.pop(path, None)
        self.objects[collection] = [
            item for item in self.objects.get(collection, []) if item["metadata"]["name"] != name
        ]


class _Handler(BaseHTTPRequestHandler):
    server: KubeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        found = self.server.objects.get(self.path, self.server.objects.get(path, 404))
        if path.endswith("/portforward") and found != 403:
            self.forward()
            return
        if isinstance(found, list):
            found = {"items": [item for item in found if self.selects(item)]}
        self.answer(found)

    def do_POST(self) -> None:
        path, item = urlsplit(self.path).path, self.body()
        if isinstance(self.server.objects.get(path), int):
            self.answer(self.server.objects[path])
            return
        self.server.made.append(item)
        self.server.add(path, item)
        self.server.on_made(item)
        self.answer(item)

    def do_DELETE(self) -> None:
        path, _ = urlsplit(self.path).path, self.body()
        if path not in self.server.objects:
            self.answer(404)
            return
        self.server.deleted.append(path)
        self.server.remove(path)
        self.server.on_deleted(path)
        self.answer({})

    def body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def selects(self, item: dict[str, Any]) -> bool:
        """Whether an object has the labels of the request's selector, of which only `=` is known."""
        selector = parse_qs(urlsplit(self.path).query).get("labelSelector", [""])[0]
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return wanted.items() <= item.get("metadata", {}).get("labels", {}).items()

    def answer(self, found: Any) -> None:
        status = found if isinstance(found, int) else 200
        if status != 200:
            found = {"message": f"refused with {status}"}
        data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def forward(self) -> None:
        """One connection to the port, on channels 0 (data) and 1 (errors)."""
        assert self.headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"
        self.server.forwards += 1
        key = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + _MAGIC).encode()).digest()  # noqa: S324 # RFC 6455
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(key).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        for channel in (0, 1):
            self.frame(bytes([channel]) + struct.pack("<H", 5000))
        try:
            pod = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        except OSError:
            self.frame(b"\x01error forwarding port 5000 to pod: connection refused")
            return
        with pod:
            threading.Thread(target=self.upstream, args=(pod,), daemon=True).start()
            while data := pod.recv(700):  # small, so that answers come in several frames
                self.frame(b"\x00" + data)
        self.frame(struct.pack("!H", 1000), 8)

    def upstream(self, pod: socket.socket) -> None:
        try:
            while True:
                head = self.rfile.read(2)
                if len(head) < 2 or head[0] & 15 == 8:
                    return
                size = head[1] & 127
                if size > 125:
                    width = 2 if size == 126 else 8
                    size = int.from_bytes(self.rfile.read(width), "big")
                mask, data = self.rfile.read(4), self.rfile.read(size)
                plain = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
                assert plain[0] == 0
                pod.sendall(plain[1:])
        except (OSError, ValueError):
            return

    def frame(self, data: bytes, opcode: int = 2) -> None:
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
        try:
            self.wfile.write(bytes([0x80 | opcode]) + size + data)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve(objects: dict[str, Any], port: int, folder: Path) -> Generator[tuple[KubeApi, Cluster]]:
    """The server, and the cluster as a kubeconfig context shows it."""
    api = KubeApi(objects, port)
    threading.Thread(target=api.serve_forever, args=(0.02,), daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "the-token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    try:
        yield api, Cluster(file, "c")
    finally:
        api.shutdown()
        api.server_close()
