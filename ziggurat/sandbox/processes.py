"""The processes of a kwok cluster: which run, which only seem to, and the ports they listen on."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller")

_END_SECONDS = 15.0


def running(cluster: Path) -> dict[str, int]:
    """The components of the cluster in folder `cluster` that run, with their process ids.

    A pid file may be stale and its number another program's by now (after a reboot); so the process must
    have been started from the cluster's own `bin` folder.
    """
    found: dict[str, int] = {}
    for name in COMPONENTS:
        pid = _read_pid(cluster / "pids" / f"{name}.pid")
        if pid and _command(pid).startswith(str(cluster / "bin" / name)):
            found[name] = pid
    return found


def forget_stale(cluster: Path) -> None:
    """Removes the pid files of processes that are gone: kwokctl would take a reused number for its own."""
    alive = running(cluster)
    for name in COMPONENTS:
        if name not in alive:
            (cluster / "pids" / f"{name}.pid").unlink(missing_ok=True)


def wait_ended(pids: Mapping[str, int], cluster: Path) -> None:
    """Waits until processes that were told to end have, and kills what will not.

    Without it their ports may still be taken when the cluster is started again.
    """
    deadline = time.monotonic() + _END_SECONDS
    left = dict(pids)
    while left and time.monotonic() < deadline:
        left = {
            name: pid for name, pid in left.items() if _command(pid).startswith(str(cluster / "bin" / name))
        }
        time.sleep(0.05 if left else 0)
    kill(left)


def kill(pids: Mapping[str, int]) -> None:
    """Kills processes at once."""
    for pid in pids.values():
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def move_taken_ports(cluster: Path, files: tuple[Path, ...]) -> dict[int, int]:
    """Gives a stopped cluster new ports for those that another program has taken: old -> new.

    kwokctl chooses ports once and for all; they are in its own files of the cluster, and in `files`.
    """
    import yaml

    config = cluster / "kwok.yaml"
    # The first document is the cluster's; those after it say how kwok simulates.
    described: dict[str, Any] = next(iter(yaml.safe_load_all(config.read_text())))
    components: list[dict[str, list[dict[str, Any]]]] = described.get("components") or []
    ports = [int(port["port"]) for component in components for port in component.get("ports") or ()]
    taken = [port for port in ports if not _is_free(port)]
    moved = dict(zip(taken, free_ports(len(taken)), strict=True))
    for file in (config, cluster / "kubeconfig.yaml", *files):
        text = file.read_text()
        for old, new in moved.items():
            text = re.sub(rf"\b{old}\b", str(new), text)
        file.write_text(text)
    return moved


def last_words(cluster: Path, lines: int = 3) -> str:
    """The end of the log of each component that does not run."""
    words: list[str] = []
    for name in COMPONENTS:
        log = cluster / "logs" / f"{name}.log"
        if name not in running(cluster) and log.exists():
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            words += [f"{name}: {line[:300]}" for line in tail]
    return "\n".join(words)


def _read_pid(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def _command(pid: int) -> str:
    """The command line of a process; empty where there is none, or only its remains."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    asked = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As Go's listeners do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """That many ports of this machine that nobody has now, each another."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
