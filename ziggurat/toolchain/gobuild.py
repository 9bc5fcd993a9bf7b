"""Building a program from the pinned Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from pathlib import Path

from ziggurat.errors import ToolError
from ziggurat.progress import Step
from ziggurat.toolchain.model import GoProgram, ModuleFile, as_tuple

MODULES = Path(__file__).parent / "families"
"""The folder of each pinned Go module."""

_TAIL = 12
"""How many of Go's last lines an error shows."""


def go_version() -> str | None:
    """The version of the Go on PATH, such as `1.26.8`, or None. Never makes it download a newer one."""
    go = shutil.which("go")
    if go is None:
        return None
    asked = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",  # outside of every module: inside one that wants a newer Go it refuses to answer
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.match(r"go(\d+\.\d+(\.\d+)?)", asked.stdout)
    return match[1] if match else None


def wanted_go(module: str) -> str:
    """The version of Go that a module of ours asks for."""
    match = re.search(r"^go (\S+)$", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ValueError(f"go.mod of {module} names no version of Go")
    return match[1]


def require_go(module: str) -> None:
    """Raises ToolError unless a Go that is new enough can be used.

    A Go from 1.21 on fetches a newer one by itself, where its user lets it (GOTOOLCHAIN); so the one that
    runs inside the module decides.
    """
    wanted = wanted_go(module)
    remedy = f"install Go {wanted} or newer (https://go.dev/dl/) and put it on PATH"
    go = shutil.which("go")
    if go is None:
        raise ToolError("building needs Go, and there is no `go` on PATH", remedy=remedy)
    asked = subprocess.run(
        [go, "env", "GOVERSION"],
        env=_environment(),
        cwd=MODULES / module,
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.match(r"go(\d+\.\d+(\.\d+)?)", asked.stdout)
    if not match or as_tuple(match[1]) < as_tuple(wanted):
        said = match[1] if match else asked.stderr.strip() or "nothing"
        raise ToolError(
            f"building needs Go {wanted}, and this one is too old: {said}", where=go, remedy=remedy
        )


def arguments(program: GoProgram, target: Path) -> list[str]:
    """The `go build` command line: what it says goes before the user's GOFLAGS."""
    return [
        "go",
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        "-v",
        "-tags",
        program.tags,
        "-ldflags",
        f"-s -w {program.ldflags}",
        "-o",
        str(target),
        program.package,
    ]


def build(program: GoProgram, target: Path, step: Step) -> None:
    """Builds `program` as the file `target`; ToolError when Go refuses, with its last words."""
    tail: deque[str] = deque(maxlen=_TAIL)
    packages = 0
    process = subprocess.Popen(
        arguments(program, target),
        cwd=MODULES / program.module,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        for line in process.stderr or ():
            tail.append(line.rstrip())
            if line.startswith("go: downloading"):
                step.detail = line[4:].strip()
            else:
                packages += 1
                step.detail = f"{packages} packages compiled"
        if process.wait() != 0:
            raise _refused(f"{program.package} could not be built", tail, MODULES / program.module)
    finally:
        _end(process)
    step.detail = ""


def copy(file: ModuleFile, target: Path) -> None:
    """Copies a file out of a Go module, executable."""
    asked = subprocess.run(
        ["go", "mod", "download", "-json", file.package],
        cwd=MODULES / file.module,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        lines = deque((asked.stderr or asked.stdout).splitlines(), maxlen=_TAIL)
        raise _refused(f"{file.package} could not be fetched", lines, MODULES / file.module)
    shutil.copyfile(Path(json.loads(asked.stdout)["Dir"]) / file.path, target)
    target.chmod(0o755)


def _environment() -> dict[str, str]:
    """The user's environment, and what a build of ours must not take from it.

    GOFLAGS, GOPROXY, GOCACHE and HOME are the user's. GOWORK off: a workspace file around the checkout
    would replace our pins. GOOS and GOARCH: the program is to run here. GOGC: a third faster, for memory.
    """
    env = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH")}
    return {"GOGC": "400", **env, "CGO_ENABLED": "0", "GOWORK": "off"}


def _refused(what: str, lines: deque[str], where: Path) -> ToolError:
    text = "\n".join(lines)
    if "no space left on device" in text:
        return ToolError(
            f"{what}: the disk is full",
            where=str(where),
            remedy="free about 5 GB where Go keeps its cache (go env GOCACHE) and in TMPDIR",
        )
    network = ("dial tcp", "no such host", "i/o timeout", "connection refused", "TLS handshake")
    remedy = (
        "set GOPROXY to a Go module mirror that this machine reaches"
        if any(word in text for word in network)
        else "see Go's words above"
    )
    return ToolError(f"{what}; Go says:\n{text}", where=str(where), remedy=remedy)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a `go` that still runs, so that an interrupted build leaves no process behind."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # on which it ends its compilers too
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stderr:
        process.stderr.close()
