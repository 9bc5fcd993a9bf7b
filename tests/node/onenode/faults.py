"""What goes wrong, done to a running platform."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onenode.platform import Platform


def ready(platform: Platform, app: str) -> bool:
    """Whether a pod of the app, which is not about to end, takes requests."""
    pods = [each for each in _pods(platform, app) if "deletionTimestamp" not in each["metadata"]]
    conditions = [each for pod in pods for each in pod["status"].get("conditions", [])]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def wait_ready(platform: Platform, app: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not ready(platform, app):
        assert time.monotonic() < deadline, f"{app} did not come back within {seconds:.0f} s"
        time.sleep(0.3)


def kill(platform: Platform, app: str) -> None:
    """Has the kubelet kill the pod after a second, and waits until its successor is ready.

    Not by `--force`: that starts the successor while the predecessor may still write to the same volume, of
    which Kubernetes warns for stateful sets.
    """
    selector = f"app.kubernetes.io/name={app},app.kubernetes.io/instance={platform.name}"
    platform.kubectl("delete", "pod", "-n", platform.name, "-l", selector, "--grace-period=1")
    wait_ready(platform, app)


@contextmanager
def away(platform: Platform, app: str) -> Iterator[None]:
    """While the body runs, the stateful set has no pod."""
    scale = ("scale", f"statefulset/{app}", "-n", platform.name)
    platform.kubectl(*scale, "--replicas=0")
    try:
        platform.kubectl(
            *("wait", "--for=delete", f"pod/{app}-0", "-n", platform.name, "--timeout=120s"), check=False
        )
        yield
    finally:
        platform.kubectl(*scale, "--replicas=1")
        wait_ready(platform, app)


@contextmanager
def small_disk(platform: Platform, app: str, claim: str, size: str) -> Iterator[Path]:
    """While the body runs, the volume of the app is a filesystem of that size; yields its folder.

    What is on the volume moves there and back, while the app is away.
    """
    folder = volume_folder(platform, claim)
    with away(platform, app):
        beside = folder.with_name(f"{folder.name}-kept")
        shutil.rmtree(beside, ignore_errors=True)
        _copy(folder, beside)
        options = f"size={size},mode={folder.stat().st_mode & 0o7777:o},gid={folder.stat().st_gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(folder)], check=True)
        _copy(beside, folder)
    try:
        yield folder
    finally:
        with away(platform, app):
            shutil.rmtree(beside)
            _copy(folder, beside)
            subprocess.run(["umount", str(folder)], check=True)
            for each in folder.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            _copy(beside, folder)
            shutil.rmtree(beside)


def volume_folder(platform: Platform, claim: str) -> Path:
    """Where the node keeps what is on a claim."""
    claims = {each["metadata"]["name"]: each for each in platform.objects("pvc", platform.name)}
    volumes = {each["metadata"]["name"]: each for each in platform.objects("pv")}
    return Path(volumes[claims[claim]["spec"]["volumeName"]]["spec"]["local"]["path"])


def fill(folder: Path) -> Path:
    """Takes all the space that a filesystem has left; the file that takes it."""
    ballast = folder / "ballast"
    with ballast.open("wb") as out:
        try:
            while True:
                out.write(bytes(1 << 16))
                out.flush()
        except OSError:
            pass
    return ballast


def kill_whole(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a process and everything that it started, all at once: as a machine that loses power."""
    stopped: set[int] = set()
    while found := set(_family(process.pid)) - stopped:  # stopped first: none reacts, none starts another
        _signal(found, signal.SIGSTOP)
        stopped |= found
    _signal(stopped, signal.SIGKILL)
    process.communicate()


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = [root]
    for each in family:  # grows while it is gone through
        family += [pid for pid, parent in parents.items() if parent == each]
    return family


def _copy(source: Path, target: Path) -> None:
    """With owners, modes and times."""
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def _pods(platform: Platform, app: str) -> list[dict[str, Any]]:
    pods = platform.objects("pod", platform.name)
    return [each for each in pods if each["metadata"]["labels"].get("app.kubernetes.io/name") == app]
