"""Locks of a stack's state: who holds one, since when, and whether that process still runs."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ziggurat.errors import LockedError


@dataclass(frozen=True)
class Lock:
    """A lock that a run of the engine holds, or left behind."""

    user: str
    host: str
    pid: int
    since: str
    """When it was taken, as RFC 3339."""

    @property
    def stale(self) -> bool:
        """Whether its process is certainly gone: it ran on this machine and does no longer."""
        return self.host == socket.gethostname() and not _runs(self.pid)

    def __str__(self) -> str:
        """Who and since when, and that the process is gone where that is certain."""
        gone = " (that process no longer runs)" if self.stale else ""
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}{gone}"


_SAID = re.compile(r"created by (?P<user>.+?)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


def in_text(text: str) -> tuple[Lock, ...]:
    """The locks that the CLI names when it refuses to run."""
    return tuple(
        Lock(found["user"], found["host"], int(found["pid"]), found["since"])
        for found in _SAID.finditer(text)
    )


def in_folder(backend: Path, project: str, stack: str) -> tuple[Lock, ...]:
    """The locks on a stack whose state is kept in files under `backend`."""
    folder = backend / ".pulumi" / "locks" / "organization" / project / stack
    return tuple(lock for path in sorted(folder.glob("*.json")) if (lock := _read(path)) is not None)


def _read(path: Path) -> Lock | None:
    try:
        found = json.loads(path.read_text())
        return Lock(found["username"], found["hostname"], int(found["pid"]), found["timestamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # given back while we looked, or not written whole yet


def locked(locks: Sequence[Lock], stack: str) -> LockedError:
    """The error for a stack that `locks` keep us from."""
    unlock = f"pulumi cancel --stack {stack}"
    if locks and all(lock.stale for lock in locks):
        remedy = (
            f"the run that took it was killed: remove its lock with `{unlock}`, then run `ziggurat up` again"
        )
    else:
        remedy = f"wait for that run to end; if you are sure that it is dead: {unlock}"
    held = "; ".join(map(str, locks)) or "another run"
    return LockedError(
        f"another run is at work on this platform: {held}", where=f"stack {stack}", remedy=remedy
    )


def _runs(pid: int) -> bool:
    """Whether a process with this id runs and, where the system tells, is an engine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    name, state = status[status.index("(") + 1 : status.rindex(")")], status[status.rindex(")") + 2]
    return "pulumi" in name and state != "Z"
