"""Processes that outlive the command which starts them, and that only we end.

A file `pids/NAME` holds `PID STARTTIME`: a process id that the system gave to another process later has
another start time, so that nothing is ever taken for ours that is not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ziggurat.errors import ZigguratError

_STARTTIME = 19
"""Which word of /proc/PID/stat, after the command's name, is the start time."""


def started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None where there is none, or only its corpse."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] == "Z" else words[_STARTTIME]


def find(root: Path, name: str) -> int | None:
    """The process id of what runs under `name`."""
    try:
        pid, since = (root / "pids" / name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if started(int(pid)) == since else None


def serve(root: Path, name: str, command: Sequence[str | Path], path: Path | None = None) -> bool:
    """Starts `command` in a session of its own unless it runs already; whether it was started."""
    if find(root, name):
        return False
    for folder in ("log", "pids"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    with (root / "log" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=env,
            cwd=root,
        )
    (root / "pids" / name).write_text(f"{process.pid} {started(process.pid)}\n")
    return True


def end(root: Path, name: str, seconds: float = 10) -> bool:
    """Ends what runs under `name`, by force after so many seconds; whether there was anything."""
    pid = find(root, name)
    if pid:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while find(root, name) and time.monotonic() < deadline:
                _reap(pid)
                time.sleep(0.05)
            if not find(root, name):
                break
    (root / "pids" / name).unlink(missing_ok=True)
    return pid is not None


def _reap(pid: int) -> None:
    """Takes the corpse of a child of this very process; others' go to init."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def wait_for(root: Path, name: str, seconds: float, ready: Callable[[], bool], process: str = "") -> None:
    """Waits until `ready`; ZigguratError with the end of the process's log where it does not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        ended = bool(process) and find(root, process) is None
        if ended or time.monotonic() > deadline:
            log = root / "log" / f"{process or name}.log"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""
            what = f"{name} ended" if ended else f"{name} did not come up within {seconds:.0f} s"
            raise ZigguratError(f"{what}:\n{tail}", where=str(log), remedy="see the log; then run it again")
        time.sleep(0.2)
