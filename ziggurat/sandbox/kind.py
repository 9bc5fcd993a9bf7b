"""The kind runtime: real pods in a Docker engine. kind does the work; we only call it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from ziggurat.errors import ClusterError, ToolError
from ziggurat.progress import Progress
from ziggurat.sandbox.model import GpuNodes, Place, Record, State, read_record, write_record

_ANSWER_SECONDS = 15


def context(place: Place) -> str:
    """The context in the kubeconfig, as kind names it."""
    return f"kind-{place.name}"


def state(place: Place) -> State:
    """Whether there is a cluster, and whether its containers run."""
    if read_record(place) is None or not _containers(place):
        return "absent"
    return "running" if _containers(place, "--filter", "status=running") else "stopped"


def up(place: Place, progress: Progress, pools: Mapping[str, GpuNodes]) -> None:
    """Makes or starts the cluster. kind has no GPU nodes; a warning says so where some are asked for."""
    kind = require()
    if pools:
        progress.warn(f"kind has no GPU nodes: the pools {', '.join(sorted(pools))} are not there")
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    containers = _containers(place)
    if containers and read_record(place):
        with progress.step(f"starting sandbox {place.name}", 30):
            _run("docker", "start", *containers)
        _run(kind, "export", "kubeconfig", "--name", place.name, "--kubeconfig", str(place.kubeconfig))
    else:
        with progress.step(f"creating sandbox {place.name} with kind", 120):
            if containers:  # of a creation that was interrupted
                _run(kind, "delete", "cluster", "--name", place.name, "--kubeconfig", str(place.kubeconfig))
            _run(
                kind,
                *("create", "cluster", "--name", place.name),
                *("--kubeconfig", str(place.kubeconfig), "--wait", "180s"),
            )
    place.kubeconfig.chmod(0o600)
    write_record(place, Record("kind", {}))


def down(place: Place, progress: Progress) -> None:
    """Stops the cluster's containers; their state stays."""
    containers = _containers(place)
    if containers:
        with progress.step(f"stopping sandbox {place.name}"):
            _run("docker", "stop", *containers)


def reset(place: Place, progress: Progress) -> None:
    """Deletes the cluster."""
    with progress.step(f"deleting sandbox {place.name}"):
        _run(require(), "delete", "cluster", "--name", place.name, "--kubeconfig", str(place.kubeconfig))
        shutil.rmtree(place.folder, ignore_errors=True)


def require() -> str:
    """The path of `kind`; ToolError unless it and a Docker engine are there."""
    kind = shutil.which("kind")
    if kind is None:
        raise ToolError(
            "there is no `kind` on PATH",
            remedy="install it (https://kind.sigs.k8s.io), or leave out --with kind for simulated pods",
        )
    if not docker_answers():
        raise ToolError(
            "kind needs a Docker engine, and none answers (docker info)",
            remedy="start Docker, or use the simulated sandbox: leave out --with kind",
        )
    return kind


def docker_answers() -> bool:
    """Whether a Docker engine answers."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _containers(place: Place, *filters: str) -> list[str]:
    label = f"label=io.x-k8s.kind.cluster={place.name}"
    try:
        return _run("docker", "ps", "--all", "--quiet", "--filter", label, *filters).split()
    except (ClusterError, FileNotFoundError):
        return []


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise ClusterError(f"{' '.join(command[:3])} failed:\n{words}", remedy="see its words above")
    return done.stdout
