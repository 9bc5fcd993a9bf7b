"""A maker on this machine: a web server, and tiny programs that say their version."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ziggurat.settings import Settings
from ziggurat.toolchain import found
from ziggurat.toolchain.model import Download, Family, GoProgram, Tool


def program(name: str, version: str) -> bytes:
    """An executable that says its version, and is as large as a small real one."""
    return f"#!/bin/sh\necho {name} v{version}\n#{'x' * 300_000}\n".encode()


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Maker:
    """What the maker serves, and how badly."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    truncate: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    @property
    def broken(self) -> dict[str, bytes]:
        """Archives with a right sum that are wrong all the same."""
        one, two = program("one", "1.2.3"), program("two", "1.2.3")
        return {
            "version": archive({"pair/one": one, "pair/two": program("two", "1.2.2")}),
            "lacks": archive({"pair/one": one}),
            "garbage": archive({"pair/one": one, "pair/two": two})[:-5000],
        }

    def publish(self, name: str, data: bytes) -> None:
        """A file with its SHA-256 beside it."""
        self.files[name] = data
        self.files[f"{name}.sha256"] = hashlib.sha256(data).hexdigest().encode()

    def family(self, **changes: object) -> dict[str, Family]:
        """A table of one family: `one` and `two`, from one archive of this maker."""
        values: dict[str, object] = {
            "name": "pair",
            "version": "1.2.3",
            "minimum": "1.1.0",
            "tools": tuple(
                Tool(name, "a test", ("--version",), GoProgram("etcd", f"example.com/{name}", seconds=1))
                for name in ("one", "two")
            ),
            "downloads": (
                Download(
                    f"{self.url}/pair.tar.gz",
                    {"pair/one": "one", "pair/two": "two"},
                    f"{self.url}/pair.tar.gz.sha256",
                ),
            ),
        }
        return {"pair": Family(**{**values, **changes})}  # type: ignore[arg-type]


@pytest.fixture
def maker() -> Iterator[Maker]:
    state = Maker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            state.asked.append(name)
            if name in state.silent:
                time.sleep(1.5)
                return
            if name not in state.files:
                self.send_error(404)
                return
            data = state.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if name in state.truncate else data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    state.publish(
        "pair.tar.gz",
        archive({"pair/one": program("one", "1.2.3"), "pair/two": program("two", "1.2.3"), "pair/doc": b"-"}),
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Folders of this test's own, and a PATH with the system's programs only (no Go, no Pulumi)."""
    system = tmp_path / "system"
    system.mkdir()
    for name in ("sh", "sleep", "touch", "cat", "mkdir", "chmod", "grep"):
        (system / name).symlink_to(
            next(p for p in (Path("/bin") / name, Path("/usr/bin") / name) if p.exists())
        )
    monkeypatch.setenv("PATH", str(system))
    found._ask.cache_clear()
    return Settings(tmp_path / "cache", tmp_path / "state", True, tmp_path / "pulumi")


def put(folder: Path, name: str, version: str) -> Path:
    """Installs a program, as a user would have."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(program(name, version))
    file.chmod(0o755)
    return file


GO = """#!/bin/sh
if [ "$1" = env ]; then echo go{version}; exit; fi
echo "$@" >> {log}
echo "GOOS=$GOOS GOWORK=$GOWORK CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS" >> {log}
{action}
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho %s v1.2.3\\n' "$(echo "$2")" > "$2"
chmod 755 "$2"
"""


@pytest.fixture
def fake_go(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> object:
    """Installs a `go` on PATH that writes programs instead of compiling them; returns its log."""

    def install(version: str = "1.26.8", action: str = "echo compiling >&2") -> Path:
        folder = tmp_path / "go"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "go.log"
        (folder / "go").write_text(GO.format(version=version, log=log, action=action))
        (folder / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{tmp_path / 'system'}")
        return log

    return install
