"""The findings of `ziggurat doctor`. Reads only; nothing is fetched, built or started."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ziggurat.errors import ZigguratError
from ziggurat.settings import Settings
from ziggurat.toolchain import found, gobuild, plugin
from ziggurat.toolchain.model import Family, as_tuple, this_machine
from ziggurat.toolchain.table import FAMILIES

_PYTHON = (3, 11)
_BUILD_BYTES = 6e9
"""What a build of everything takes: Go's caches, and the programs."""
_RUN_BYTES = 1e9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    level: Literal["ok", "note", "missing"]
    """`missing`: needed, and neither here nor to be got as things are."""
    found: str
    remedy: str = ""


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Everything that Ziggurat needs of this machine, in the order in which it is needed."""
    return (
        _python(),
        _go(settings),
        *(finding for family in FAMILIES.values() for finding in _family(family, settings)),
        _plugin(settings),
        _docker(),
        *_disk(settings),
        _passphrase(),
        _downloads(settings),
        _sandbox(settings),
    )


def _python() -> Finding:
    version = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _PYTHON:
        return Finding("python", "missing", version, "use Python 3.11 or newer")
    return Finding("python", "ok", version)


def _all_here(settings: Settings) -> bool:
    machine = this_machine()
    return all(found.locate_family(family, settings, machine) for family in FAMILIES.values())


def _go(settings: Settings) -> Finding:
    version = gobuild.go_version()
    wanted = max(
        (gobuild.wanted_go(tool.build.module) for f in FAMILIES.values() for tool in f.tools), key=as_tuple
    )
    install = f"install Go {wanted} or newer (https://go.dev/dl/)"
    if version and as_tuple(version) >= as_tuple(wanted):
        return Finding("go", "ok", f"{version} ({shutil.which('go')})")
    said = f"{version} is older than {wanted}" if version else "not on PATH"
    if _all_here(settings):
        return Finding("go", "note", f"{said}; not needed now, all tools are here")
    if settings.downloads:
        return Finding("go", "note", f"{said}; needed only where a download fails", install)
    return Finding("go", "missing", f"{said}, and downloads are switched off", install)


def _family(family: Family, settings: Settings) -> Iterator[Finding]:
    machine = this_machine()
    for candidate in found.candidates(family, settings, machine):
        place = f"{candidate.version or 'unknown version'} in {candidate.folder}"
        if not candidate.fault:
            yield Finding(family.name, "ok", f"{place} ({candidate.source})")
            return
        yield Finding(family.name, "note", f"not used: {place} {candidate.fault}")
    seconds = sum(tool.build.seconds for tool in family.tools)
    way = "downloaded" if settings.downloads else f"built in about {seconds:.0f} s"
    get = f"ziggurat tools ensure {family.tools[0].name}"
    yield Finding(family.name, "note", f"{family.version} will be {way} when it is needed", get)


def _plugin(settings: Settings) -> Finding:
    subject = "kubernetes plugin"
    try:
        version = plugin.plugin_version()
    except ZigguratError as error:
        return Finding(subject, "missing", error.message, error.remedy)
    users = plugin.users_plugin(settings, version)
    if users:
        return Finding(subject, "ok", f"{version} in {users.path.parent} (Pulumi's own)")
    own = plugin.own_plugin(settings, version)
    if own and own.source != "stand-in":
        return Finding(subject, "ok", f"{version} in {own.path.parent} (Pulumi's own, for sandboxes)")
    remedy = f"for a real cluster: pulumi plugin install resource kubernetes v{version}"
    here = "the stand-in is installed" if own else "the stand-in serves where it cannot be downloaded"
    return Finding(subject, "note", f"Pulumi's {version} is not here; in sandboxes {here}", remedy)


def _docker() -> Finding:
    from ziggurat.sandbox.kind import docker_answers

    if docker_answers():
        kind = shutil.which("kind")
        return Finding("docker", "ok", f"answers; kind is {kind or 'not on PATH'}")
    return Finding("docker", "note", "no engine answers; needed only for `ziggurat sandbox up --with kind`")


def _disk(settings: Settings) -> Iterator[Finding]:
    needed = _RUN_BYTES if settings.downloads or _all_here(settings) else _BUILD_BYTES
    for subject, folder, variable, least in (
        ("cache folder", settings.cache, "ZIGGURAT_CACHE_DIR", needed),
        ("state folder", settings.state, "ZIGGURAT_STATE_DIR", _RUN_BYTES),
    ):
        present = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(present).free
        text = f"{folder}, {free / 1e9:.1f} GB free"
        if not os.access(present, os.W_OK):
            yield Finding(
                subject, "missing", f"{folder} cannot be written", f"name another place in {variable}"
            )
        elif free < least:
            remedy = f"free {least / 1e9:.0f} GB, or name another place in {variable}"
            yield Finding(subject, "missing", text, remedy)
        else:
            yield Finding(subject, "ok", text)


def _passphrase() -> Finding:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        if name in os.environ:
            file = os.environ[name] if name.endswith("FILE") else ""
            if file and not Path(file).is_file():
                return Finding("passphrase", "missing", f"{name} names no file", "correct it, or unset it")
            return Finding("passphrase", "ok", f"in {name}")
    return Finding(
        "passphrase", "note", "not set; needed for real clusters whose stack uses one, not for sandboxes"
    )


def _downloads(settings: Settings) -> Finding:
    state = "are tried first" if settings.downloads else "are switched off (ZIGGURAT_DOWNLOADS)"
    return Finding("downloads", "ok", state)


def _sandbox(settings: Settings) -> Finding:
    from ziggurat import sandbox

    try:
        status = sandbox.status(settings)
    except ZigguratError as error:
        return Finding("sandbox", "note", error.message, error.remedy)
    simulated = " (pods are simulated)" if status.simulated and status.state != "absent" else ""
    return Finding("sandbox", "ok", f"{status.state}{simulated}")
