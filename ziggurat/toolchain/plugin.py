"""The engine's Kubernetes plugin: Pulumi's own where it can be had, else our stand-in.

The engine looks for exactly the version that the installed Python package `pulumi-kubernetes` names, in
`$PULUMI_HOME/plugins/resource-kubernetes-v<version>/`, and passes over a folder that is a link.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from standin.install import install, is_stand_in, script_text
from ziggurat.errors import ToolError
from ziggurat.progress import Progress
from ziggurat.settings import Settings
from ziggurat.toolchain import fetch
from ziggurat.toolchain.lock import exclusive
from ziggurat.toolchain.model import Download, Located, Source, as_tuple, parse_version, this_machine
from ziggurat.toolchain.table import plugin_download

NAME = "pulumi-resource-kubernetes"
MINIMUM = "4.32.0"
"""The oldest supported version of `pulumi-kubernetes`."""

_LOOK_AGAIN = 1800.0
"""Seconds after a download that failed, until the next is tried: in a closed network each would cost time."""

_OFFICIAL = "official.json"
"""In a plugin folder of ours: it holds Pulumi's plugin, and this is where it came from."""


def plugin_version() -> str:
    """The version that the engine will ask for: that of the Python package. ToolError if it is too old."""
    remedy = f"pip install 'pulumi-kubernetes>={MINIMUM}'"
    try:
        version = metadata.version("pulumi-kubernetes")
    except metadata.PackageNotFoundError as error:
        raise ToolError("the Python package pulumi-kubernetes is missing", remedy=remedy) from error
    number = parse_version(version)
    if number is None or as_tuple(number) < as_tuple(MINIMUM):
        raise ToolError(f"pulumi-kubernetes {version} is older than {MINIMUM}", remedy=remedy)
    return version


def own_home(settings: Settings) -> Path:
    """Ziggurat's own PULUMI_HOME, used for sandboxes."""
    return settings.cache / "pulumi-home"


def keep_no_logs(home: Path) -> None:
    """Keeps the engine from writing its debug log into a PULUMI_HOME: a file is where it wants its folder.

    The CLI (3.259) logs each command at its most detailed level, whatever is asked for, and has no switch for
    that (pkg/v3/logging: `StartLogging` goes on without a log where the folder cannot be made). That is 11 MB
    for a run of 400 objects, and a third of the engine's processor time for a small preview. Where nothing
    can be written the engine will say so better.
    """
    logs = home / "logs"
    with suppress(OSError):
        if logs.is_dir():
            shutil.rmtree(logs)
        if not logs.exists():
            logs.write_text(
                "Ziggurat keeps no debug log of the engine: this file is in its folder's place.\n"
            )


def plugin_folder(home: Path, version: str) -> Path:
    """Where the engine looks for the plugin in a PULUMI_HOME."""
    return home / "plugins" / f"resource-kubernetes-v{version}"


def users_plugin(settings: Settings, version: str) -> Located | None:
    """Pulumi's plugin in the user's own PULUMI_HOME; None where it is missing or half installed."""
    folder = plugin_folder(settings.pulumi_home, version)
    half = folder.with_name(folder.name + ".partial").exists()  # how the engine marks it
    if half or folder.is_symlink() or not os.access(folder / NAME, os.X_OK) or is_stand_in(folder / NAME):
        return None
    return Located(NAME, folder / NAME, version, "pulumi-home")


def own_plugin(settings: Settings, version: str) -> Located | None:
    """What Ziggurat's own PULUMI_HOME holds now; None where there is nothing whole."""
    folder = plugin_folder(own_home(settings), version)
    if not os.access(folder / NAME, os.X_OK):
        return None
    if is_stand_in(folder / NAME):
        return Located(NAME, folder / NAME, version, "stand-in")
    official = _read(folder / _OFFICIAL)
    return Located(NAME, folder / NAME, version, official["source"]) if official else None


def ensure_own_plugin(
    settings: Settings,
    progress: Progress,
    *,
    download: Download | None = None,
    timeout: float = fetch.TIMEOUT,
) -> Located:
    """The plugin for Ziggurat's own PULUMI_HOME: Pulumi's, copied or downloaded; else the stand-in.

    Pulumi's takes the stand-in's place as soon as it can be had, never the other way round. Raises
    ToolError when nothing can be written.
    """
    version = plugin_version()
    current = own_plugin(settings, version)
    if current and current.source != "stand-in":
        return current
    home = own_home(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with exclusive(home / ".plugin.lock", progress, "it is installing the Kubernetes plugin"):
            current = own_plugin(settings, version)
            if current and current.source != "stand-in":
                return current
            return (
                _copy_users(settings, version, progress)
                or _download(settings, version, progress, download or plugin_download(version), timeout)
                or _stand_in(settings, version, progress)
            )
    except OSError as error:
        raise ToolError(
            f"the Kubernetes plugin cannot be kept: {error.strerror or error}",
            where=str(error.filename or home),
            remedy="free about 200 MB there, or name another place in ZIGGURAT_CACHE_DIR",
        ) from error


def ensure_users_plugin(settings: Settings, progress: Progress, pulumi: Path) -> Located:
    """Pulumi's plugin in the user's own PULUMI_HOME, installed by the Pulumi CLI where it is missing.

    Raises ToolError where it cannot be had: a real cluster is never run by the stand-in unasked.
    """
    version = plugin_version()
    present = users_plugin(settings, version)
    if present:
        return present
    command = ["plugin", "install", "resource", "kubernetes", f"v{version}"]
    said = "downloads are switched off (ZIGGURAT_DOWNLOADS)"
    if settings.downloads:
        with progress.step(f"installing Pulumi's Kubernetes plugin {version}", 30):
            said = _install(pulumi, command, settings)
        present = users_plugin(settings, version)
        if present:
            return present
    raise ToolError(
        f"Pulumi's Kubernetes plugin {version} is missing and cannot be had: {said}",
        where=str(plugin_folder(settings.pulumi_home, version)),
        remedy=f"where get.pulumi.com can be reached: pulumi {' '.join(command)}; then copy that folder. "
        "Or use the bundled stand-in, knowing what it is (docs/stand-in.md): --stand-in",
    )


def _install(pulumi: Path, command: list[str], settings: Settings) -> str:
    """Runs the CLI's own installer; its last words."""
    try:
        done = subprocess.run(
            [str(pulumi), *command],
            env={
                **os.environ,
                "PULUMI_HOME": str(settings.pulumi_home),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr or done.stdout).strip().rpartition("\n")[2]


def _copy_users(settings: Settings, version: str, progress: Progress) -> Located | None:
    theirs = users_plugin(settings, version)
    if theirs is None:
        return None
    with progress.step(f"copying Pulumi's Kubernetes plugin {version} from {theirs.path.parent}"):
        return _install_official(
            settings, version, "pulumi-home", partial(shutil.copytree, theirs.path.parent)
        )


def _download(
    settings: Settings, version: str, progress: Progress, download: Download, timeout: float
) -> Located | None:
    failed = own_home(settings) / ".plugin-not-downloaded"
    recently = failed.exists() and time.time() - failed.stat().st_mtime < _LOOK_AGAIN
    if not settings.downloads or recently:
        return None
    try:
        with progress.step(f"downloading Pulumi's Kubernetes plugin {version}") as step:

            def fill(folder: Path) -> None:
                folder.mkdir()
                fetch.fetch(download, folder, this_machine(), step, timeout=timeout)

            return _install_official(settings, version, "download", fill)
    except fetch.DownloadError as error:
        progress.note(f"Pulumi's Kubernetes plugin cannot be downloaded ({error})")
        failed.touch()
        return None


def _install_official(
    settings: Settings, version: str, source: Source, fill: Callable[[Path], object]
) -> Located:
    """Makes the plugin's folder by `fill`, and puts it in its place when it is whole."""
    target = plugin_folder(own_home(settings), version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own_home(settings), prefix=".plugin-partial-") as scratch:
        folder = Path(scratch) / "plugin"
        fill(folder)
        (folder / _OFFICIAL).write_text(json.dumps({"source": source}))
        if target.exists():
            target.rename(Path(scratch) / "old")
        folder.rename(target)
    return Located(NAME, target / NAME, version, source)


def _stand_in(settings: Settings, version: str, progress: Progress) -> Located:
    """Writes the stand-in, unless the one that is there is for this Python and this code."""
    target = plugin_folder(own_home(settings), version)
    python = Path(sys.executable)
    if not is_stand_in(target / NAME) or (target / NAME).read_text() != script_text(version, python):
        install(target.parent, version, python)
    progress.note(
        "Pulumi's Kubernetes plugin cannot be had here: Ziggurat's stand-in serves (docs/stand-in.md)"
    )
    return Located(NAME, target / NAME, version, "stand-in")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None
