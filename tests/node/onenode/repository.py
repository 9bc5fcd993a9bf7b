"""A git server outside of the cluster, with one repository behind a password."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Repository:
    """A repository that is served."""

    url: str
    commit: str
    """The commit of its only branch, `main`."""


@contextmanager
def served(address: str, folder: Path, content: Path, user: tuple[str, str]) -> Iterator[Repository]:
    """While the body runs: a repository with `content`, by git's own server program, at `address`."""
    commit = _commit(folder / "repository", content, folder / "repository.git")

    class Handler(_Handler):
        root = folder
        login = f"Basic {b64encode(':'.join(user).encode()).decode()}"

    server = ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Repository(f"http://{address}:{server.server_port}/repository.git", commit)
    finally:
        server.shutdown()
        server.server_close()


def _commit(work: Path, content: Path, bare: Path) -> str:
    def git(*words: str) -> str:
        command = ["git", "-C", str(work), "-c", "user.name=ada", "-c", "user.email=ada@acme.example", *words]
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()

    shutil.copytree(content, work / content.name)
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "Train on digits")
    git("clone", "--quiet", "--bare", str(work), str(bare))
    return git("rev-parse", "HEAD")


class _Handler(BaseHTTPRequestHandler):
    root: ClassVar[Path]
    login: ClassVar[str]

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != self.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        given = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"], input=body, env={**os.environ, **given}, capture_output=True, check=True
        )
        headers, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in headers.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: pytest has the output."""
