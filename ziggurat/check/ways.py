"""How a client gets to the tracking server: by its host name, or by a port-forward through the API server."""

from __future__ import annotations

import http.client
import io
import ssl
import time
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ziggurat.cluster import Cluster, Refused
from ziggurat.engine.readiness import selected, verdict
from ziggurat.errors import ClusterError, ZigguratError

_PROTOCOL = "v4.channel.k8s.io"
"""Port-forwarding over a WebSocket, as kubelets speak it: each frame begins with the number of its channel,
and each channel with a frame that holds the port."""
_DATA, _ERROR = 0, 1


class Way(Protocol):
    """A way to the tracking server."""

    @property
    def description(self) -> str:
        """The way in words, as after `through`."""
        ...

    def open(self, seconds: float) -> http.client.HTTPConnection:
        """A connection for one request; nothing on it waits for longer than `seconds`."""
        ...


@dataclass(frozen=True)
class Host:
    """The name under which people reach the server."""

    host: str
    scheme: str = "https"

    @property
    def description(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.host}"

    def open(self, seconds: float) -> http.client.HTTPConnection:
        """As Way says; the certificate is verified as the system's clients do."""
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, timeout=seconds)
        return http.client.HTTPSConnection(self.host, timeout=seconds, context=ssl.create_default_context())


@dataclass(frozen=True)
class PortForward:
    """What `kubectl port-forward` does: a stream to a pod's port through API server and kubelet."""

    cluster: Cluster
    namespace: str
    pod: str
    port: int

    @property
    def description(self) -> str:
        """The pod."""
        return f"a port-forward to pod {self.namespace}/{self.pod}"

    def open(self, seconds: float) -> http.client.HTTPConnection:
        """As Way says; ClusterError if the API server refuses the stream."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/portforward?ports={self.port}"
        try:
            websocket = self.cluster.websocket(path, _PROTOCOL, seconds)
        except Refused as refused:
            raise ClusterError(
                f"the cluster forwards no port: {refused.message}",
                where=f"pod {self.namespace}/{self.pod}",
                remedy="give this account get and create of pods/portforward in that namespace",
            ) from refused
        # The server knows its clients by the address that they call it by (components/tracking.py).
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        connection.auto_open = 0  # never the real 127.0.0.1, should the stream end
        connection.sock = cast("Any", _Stream(websocket, seconds))
        return connection


class _Stream:
    """As much of a socket as http.client needs, on the two channels of a forwarded port."""

    def __init__(self, websocket: Any, seconds: float) -> None:
        self._websocket = websocket
        self._deadline = time.monotonic() + seconds
        self._begun: set[int] = set()
        self._readers = 0
        self._closed = False

    def sendall(self, data: bytes) -> None:
        """Sends bytes to the port."""
        self._websocket.send_binary(bytes([_DATA]) + data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A reader of what the port sends."""
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def receive(self) -> bytes:
        """The next bytes from the port; none when it has closed. OSError for what the kubelet reports."""
        import websocket

        while True:
            self._websocket.settimeout(max(self._deadline - time.monotonic(), 0.001))
            try:
                opcode, frame = self._websocket.recv_data()
            except websocket.WebSocketConnectionClosedException:
                return b""
            except websocket.WebSocketTimeoutException as error:
                raise TimeoutError("timed out") from error
            except websocket.WebSocketException as error:
                raise ConnectionError(str(error)) from error
            if opcode == websocket.ABNF.OPCODE_CLOSE or not frame:
                return b""
            channel, data = frame[0], frame[1:]
            if channel not in self._begun:
                self._begun.add(channel)  # its first frame holds the port
            elif channel == _ERROR:
                raise ConnectionError(data.decode(errors="replace").strip())
            elif data:
                return data

    def close(self) -> None:
        """Ends the stream when its readers are closed too: http.client closes the socket before it reads."""
        self._closed = True
        self._end()

    def reader_closed(self) -> None:
        """A reader is closed."""
        self._readers -= 1
        self._end()

    def _end(self) -> None:
        if self._closed and not self._readers:
            self._websocket.shutdown()


class _Reader(io.RawIOBase):
    """The stream as a raw file, which io.BufferedReader takes."""

    def __init__(self, stream: _Stream) -> None:
        super().__init__()
        self._stream = stream
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fills `buffer` with what has come."""
        data = self._rest or self._stream.receive()
        size = min(len(buffer), len(data))
        buffer[:size], self._rest = data[:size], data[size:]
        return size

    def close(self) -> None:
        """Lets go of the stream."""
        if not self.closed:
            self._stream.reader_closed()
        super().close()


def port_forward(cluster: Cluster, namespace: str, service: str = "mlflow") -> PortForward:
    """The way to a ready pod of a service; ZigguratError says why there is none."""
    found = cluster.find("v1", "Service", namespace, service)
    if found is None:
        raise ZigguratError(
            f"there is no Service {service}",
            where=f"namespace {namespace}",
            remedy="ziggurat up --refresh makes what is missing",
        )
    pods = cluster.objects("v1", "Pod", namespace)
    chosen = selected({"spec": {"selector": {"matchLabels": found["spec"].get("selector")}}}, pods)
    for pod in chosen:
        if is_ready(pod):
            name = str(pod["metadata"]["name"])
            return PortForward(cluster, namespace, name, _container_port(found["spec"]["ports"][0], pod))
    raise ZigguratError(
        f"no pod of the tracking server is ready: {_why(cluster, namespace, service)}",
        where=f"Service {namespace}/{service}",
        remedy="ziggurat status says what it waits for",
    )


def is_ready(pod: Any) -> bool:
    """Whether a pod serves, and is not on its way out."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = cast("list[dict[str, str]]", pod.get("status", {}).get("conditions") or [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _why(cluster: Cluster, namespace: str, service: str) -> str:
    live = cluster.find("apps/v1", "Deployment", namespace, service)
    pods = cluster.objects("v1", "Pod", namespace)
    return verdict({**live, "kind": "Deployment"} if live else None, pods).why or "it is being replaced"


def _container_port(port: Any, pod: Any) -> int:
    """The number of the port that a service's port leads to, which may be named."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    containers = cast("list[dict[str, list[dict[str, Any]]]]", pod["spec"]["containers"])
    ports = (each for container in containers for each in container.get("ports") or ())
    return next(int(each["containerPort"]) for each in ports if each.get("name") == target)
