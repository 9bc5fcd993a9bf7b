"""What is on this machine already: the user's own programs, and what was fetched or built before."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ziggurat.settings import Settings
from ziggurat.toolchain import gobuild
from ziggurat.toolchain.model import Family, Located, Machine, Source, Tool, as_tuple, parse_version

RECORD = "made.json"
"""In each cached folder, written last: what it holds and where that came from."""

_ASK_SECONDS = 20


@dataclass(frozen=True)
class Candidate:
    """A folder that holds a program of a family, whether or not it is good enough."""

    folder: Path
    version: str
    source: Source
    fault: str = ""
    """Why it is not used; empty: it can be."""


def tools_folder(settings: Settings) -> Path:
    """Where fetched and built programs are kept."""
    return settings.cache / "tools"


def cached_folder(
    family: Family, settings: Settings, machine: Machine, how: Literal["download", "build"]
) -> Path:
    """The folder of a family as this machine would fetch or build it now.

    Its name holds a digest of all that the programs are made of, so another pin, flag, platform or Go
    version is another folder.
    """
    go = f"-go{gobuild.go_version()}" if how == "build" else ""
    return (
        tools_folder(settings) / f"{family.name}-{family.version}-{how}-{_digest(family, machine, how)}{go}"
    )


def locate_family(family: Family, settings: Settings, machine: Machine) -> dict[str, Located] | None:
    """The family's programs by name, from the best place (docs/toolchain.md); None if there are none."""
    for candidate in candidates(family, settings, machine):
        if not candidate.fault:
            return _all(family, candidate)
    return None


def candidates(family: Family, settings: Settings, machine: Machine) -> Iterator[Candidate]:
    """Every place that holds the family, best first; those with a fault are for `ziggurat doctor`."""
    for folder, source in _own_folders(family, settings):
        if (folder / family.tools[0].name).is_file():
            yield _judge(family, folder, source)
    for folder in _cached_folders(family, settings, machine):
        record = read_record(folder)
        if record and not _absent(family, folder):
            yield record


def read_record(folder: Path) -> Candidate | None:
    """What a cached folder says of itself; None where nothing whole lies there."""
    try:
        record = json.loads((folder / RECORD).read_text())
        return Candidate(folder, str(record["version"]), record["source"])
    except (OSError, ValueError, KeyError):
        return None


def write_record(folder: Path, version: str, source: Source) -> None:
    """Says of a folder, as the last thing, what it holds."""
    record = asdict(Candidate(folder, version, source))
    (folder / RECORD).write_text(json.dumps({key: record[key] for key in ("version", "source")}))


def ask_version(tool: Tool, folder: Path) -> str | None:
    """What a program says its version is; None when it does not run or says none."""
    return _ask(str(folder / tool.name), tool.ask, (folder / tool.name).stat().st_mtime_ns)


@lru_cache
def _ask(program: str, arguments: tuple[str, ...], _changed: int) -> str | None:
    try:
        asked = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_SECONDS,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(asked.stdout + asked.stderr) if asked.returncode == 0 else None


def _own_folders(family: Family, settings: Settings) -> Iterator[tuple[Path, Source]]:
    seen: set[Path] = set()
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        folder = Path(entry)
        if entry and folder not in seen and tools_folder(settings) not in folder.parents:
            seen.add(folder)
            yield folder, "path"
    home = settings.pulumi_home / "bin"
    if family.in_pulumi_home and home not in seen:
        yield home, "pulumi-home"


def _cached_folders(family: Family, settings: Settings, machine: Machine) -> Iterator[Path]:
    yield cached_folder(family, settings, machine, "download")
    if gobuild.go_version():
        yield cached_folder(family, settings, machine, "build")
        return
    # Go is gone since: what it built is as good as before.
    name = f"{family.name}-{family.version}-build-{_digest(family, machine, 'build')}-go*"
    yield from sorted(tools_folder(settings).glob(name), reverse=True)


def _judge(family: Family, folder: Path, source: Source) -> Candidate:
    """A folder of the user's: are all programs in it, of one version, and of one that is new enough?"""
    versions = {
        tool.name: ask_version(tool, folder)
        for tool in family.tools
        if tool.ask and (folder / tool.name).is_file()
    }
    first = versions.get(family.tools[0].name) or ""
    absent = _absent(family, folder)
    if not first:
        fault = "does not say its version"
    elif as_tuple(first) < as_tuple(family.minimum):
        fault = f"is older than {family.minimum}"
    elif absent:
        fault = f"lacks {', '.join(absent)} beside it"
    elif len(set(versions.values())) > 1:
        fault = "is not of one version: " + ", ".join(
            f"{name} {version}" for name, version in versions.items()
        )
    else:
        fault = ""
    return Candidate(folder, first, source, fault)


def _absent(family: Family, folder: Path) -> list[str]:
    names = [*(tool.name for tool in family.tools), *family.files]
    return [name for name in names if not os.access(folder / name, os.X_OK)]


def _all(family: Family, candidate: Candidate) -> dict[str, Located]:
    return {
        tool.name: Located(tool.name, candidate.folder / tool.name, candidate.version, candidate.source)
        for tool in family.tools
    }


def _digest(family: Family, machine: Machine, how: str) -> str:
    digest = hashlib.sha256(repr(machine).encode())
    if how == "download":
        digest.update(repr(family.downloads).encode())
    else:
        for program in (tool.build for tool in family.tools):
            digest.update(repr(gobuild.arguments(program, Path())).encode())
            for name in ("go.mod", "go.sum"):
                digest.update((gobuild.MODULES / program.module / name).read_bytes())
        digest.update(repr(sorted(family.files.items())).encode())
    return digest.hexdigest()[:12]
