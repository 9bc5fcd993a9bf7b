"""Requests to a Kubernetes API server over the standard library's HTTP client.

One kept-alive connection per thread: with a thread per resource at work this is three times as fast as the
Python clients for Kubernetes, and half their memory (docs/stand-in.md).
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import socket
import ssl
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from standin.credentials import ExecCredentials
from standin.kubeconfig import Access, KubeconfigError
from standin.wire import Object

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to wait for a connection."""
ANSWER_TIMEOUT: Final = 60.0
"""Seconds to wait for the answer to a request; a watch waits as long as its caller says."""
_RETRIES: Final = 6
_BUSY: Final = frozenset({429, 503, 504})

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"


class UnreachableError(Exception):
    """There is no answer from the API server."""


class ApiError(Exception):
    """The API server has refused a request."""

    def __init__(self, code: int, status: Object, request: str) -> None:
        """`status` is the server's own Status object, `request` names what was asked of it."""
        self.code = code
        self.status = status
        self.request = request
        message = str(status.get("message") or f"HTTP {code} without a message")
        super().__init__(message)

    @property
    def reason(self) -> str:
        """The server's word for it: NotFound, AlreadyExists, Conflict, Invalid, Forbidden."""
        return str(self.status.get("reason") or "")

    @property
    def causes(self) -> list[Object]:
        """What is wrong with single fields; of a conflict: who owns them. Empty: overtaken."""
        details = cast("Object", self.status.get("details") or {})
        return cast("list[Object]", details.get("causes") or [])

    @property
    def namespace_missing(self) -> bool:
        """Whether it is the namespace that does not exist, not the object."""
        details = cast("Object", self.status.get("details") or {})
        return self.code == http.client.NOT_FOUND and details.get("kind") == "namespaces"


@dataclass(frozen=True)
class Response:
    """A good answer."""

    body: Object
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """One event of a watch: ADDED, MODIFIED, DELETED, ERROR or BOOKMARK."""

    kind: str
    object: Object


class Client:
    """One API server, one identity. Safe to use from many threads."""

    def __init__(self, access: Access, *, user_agent: str, timeout: float = ANSWER_TIMEOUT) -> None:
        """`timeout` is in seconds, per request."""
        self._access = access
        self._agent = user_agent
        self._timeout = timeout
        self._url = urllib.parse.urlsplit(access.server)
        self._exec = ExecCredentials(access) if access.exec_plugin else None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._tls: tuple[object, ssl.SSLContext] | None = None
        self._watches: set[socket.socket] = set()
        self._closed = False

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Object:
        """GET; repeated where the connection breaks."""
        return self.request("GET", path, query, accept=accept).body

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Response:
        """One request. Raises ApiError for a refusal and UnreachableError where there is no answer.

        A server that is too busy is asked again, as it says; a broken connection only where asking twice
        does no harm.
        """
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        payload = None if body is None else json.dumps(body).encode()
        for attempt in range(_RETRIES):
            headers = {"Accept": accept, **({"Content-Type": content_type} if payload is not None else {})}
            try:
                answer = self._exchange(method, target, payload, headers)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if method != "POST" and attempt < 2 and not self._closed:
                    time.sleep(0.2 * (attempt + 1))
                    continue
                raise UnreachableError(self._explain(method, path, error)) from error
            if answer.status in _BUSY and answer.retry_after and attempt + 1 < _RETRIES:
                time.sleep(answer.retry_after)
                continue
            if answer.status == http.client.UNAUTHORIZED and self._exec and attempt == 0:
                self._exec.forget()
                self._drop()
                continue
            return _checked(answer, f"{method} {path}")
        raise UnreachableError(f"the API server at {self._access.server} is too busy")

    def watch(self, path: str, query: Mapping[str, str], seconds: float) -> Iterator[Event]:
        """The events of one collection, until the server ends them or nothing happens for `seconds`."""
        connection = self._connect()
        sock = cast("socket.socket", connection.sock)
        with self._lock:
            if self._closed:
                connection.close()
                return
            self._watches.add(sock)
        try:
            sock.settimeout(seconds)
            asked = urllib.parse.urlencode(
                {**query, "watch": "true", "timeoutSeconds": str(max(1, int(seconds)))}
            )
            connection.request(
                "GET", f"{self._url.path}{path}?{asked}", headers=self._headers({"Accept": JSON})
            )
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                return
            for line in answer:
                if line.strip():
                    event = cast("Object", json.loads(line))
                    yield Event(str(event.get("type")), cast("Object", event.get("object") or {}))
        except (OSError, http.client.HTTPException, ValueError):
            return  # quiet too long, or cut off: the caller looks at the object itself again
        finally:
            with self._lock:
                self._watches.discard(sock)
            connection.close()

    def close(self) -> None:
        """Ends every watch that goes on, and lets no new one begin."""
        with self._lock:
            self._closed = True
            watches = list(self._watches)
        for sock in watches:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _exchange(
        self, method: str, target: str, payload: bytes | None, headers: Mapping[str, str]
    ) -> _Answer:
        connection = self._connection()
        connection.request(method, self._url.path + target, payload, self._headers(headers))
        answer = connection.getresponse()
        data = answer.read()
        warnings = tuple(_warning_text(text) for text in answer.headers.get_all("Warning") or ())
        return _Answer(answer.status, data, warnings, _seconds(answer.getheader("Retry-After")))

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        headers = {
            "User-Agent": self._agent,
            "Connection": "keep-alive",
            **dict(self._access.impersonate),
            **more,
        }
        token = self._token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif self._access.user:
            pair = f"{self._access.user}:{self._access.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers

    def _token(self) -> str:
        if self._exec:
            return self._exec.current().token
        if self._access.token_file:
            return Path(self._access.token_file).read_text().strip()
        return self._access.token

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection, a new one if the server has closed the old."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None and not _is_stale(connection.sock):
            return connection
        self._drop()
        self._local.connection = self._connect()
        return self._local.connection

    def _drop(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        secure = self._url.scheme == "https"
        port = self._url.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        sock = self._dial(host, port)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            sock = self._tls_context().wrap_socket(sock, server_hostname=self._access.server_name or host)
        sock.settimeout(self._timeout)
        connection.sock = sock
        return connection

    def _dial(self, host: str, port: int) -> socket.socket:
        proxy = self._access.proxy or _environment_proxy(self._url.scheme, host)
        if not proxy:
            return socket.create_connection((host, port), CONNECT_TIMEOUT)
        through = urllib.parse.urlsplit(proxy)
        tunnel = http.client.HTTPConnection(
            through.hostname or "", through.port or 80, timeout=CONNECT_TIMEOUT
        )
        tunnel.set_tunnel(host, port)
        tunnel.connect()
        return cast("socket.socket", tunnel.sock)

    def _tls_context(self) -> ssl.SSLContext:
        """The TLS settings; made again when a credential plugin gives another certificate."""
        issued = self._exec.current() if self._exec else None
        certificate = issued.certificate if issued else self._access.certificate
        key = issued.key if issued else self._access.key
        with self._lock:
            if self._tls is None or self._tls[0] != (certificate, key):
                self._tls = ((certificate, key), _tls(self._access, certificate, key))
            return self._tls[1]

    def _explain(self, method: str, path: str, error: Exception) -> str:
        reason = str(error) or type(error).__name__
        return f"{method} {self._access.server}{path}: {reason}"


@dataclass(frozen=True)
class _Answer:
    status: int
    data: bytes
    warnings: tuple[str, ...]
    retry_after: float


def _checked(answer: _Answer, request: str) -> Response:
    body: Any
    try:
        body = json.loads(answer.data) if answer.data else {}
    except ValueError:
        body = {"message": answer.data.decode(errors="replace").strip()}
    known = cast("Object", body) if isinstance(body, dict) else {"message": str(body)}
    if answer.status >= http.client.BAD_REQUEST:
        raise ApiError(answer.status, known, request)
    return Response(known, answer.warnings)


def _seconds(header: str | None) -> float:
    return min(float(header), 30.0) if header and header.isdigit() else 0.0


def _warning_text(header: str) -> str:
    """The text of a warning header: `299 - "text"`."""
    return header.partition('"')[2].rpartition('"')[0].replace('\\"', '"') or header


def _is_stale(sock: socket.socket) -> bool:
    """An idle connection with something to read has been closed by the server."""
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _environment_proxy(scheme: str, host: str) -> str:
    if urllib.request.proxy_bypass(host):
        return ""
    return urllib.request.getproxies().get(scheme, "")


def _tls(access: Access, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if access.authority:
            context = ssl.create_default_context(cadata=access.authority)
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _with_files((certificate, key), lambda names: context.load_cert_chain(names[0], names[1]))
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigError(f"its certificates cannot be used: {error}") from error
    return context


def _with_files(texts: tuple[str, ...], use: Callable[[list[str]], object]) -> None:
    """Puts texts in files that only we can read, for a function that takes nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        names: list[str] = []
        for index, text in enumerate(texts):
            path = Path(folder) / str(index)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(text)
            names.append(str(path))
        use(names)
