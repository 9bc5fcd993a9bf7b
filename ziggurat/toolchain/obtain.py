"""Getting the programs that are not there: the maker's download, else a build."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ziggurat.errors import ToolError
from ziggurat.progress import Progress
from ziggurat.settings import Settings
from ziggurat.toolchain import fetch, found, gobuild
from ziggurat.toolchain.lock import exclusive
from ziggurat.toolchain.model import Family, Located, Machine, Source, this_machine
from ziggurat.toolchain.table import FAMILIES


@dataclass
class _Run:
    """One call of `ensure`: what it works with, and how far it is."""

    settings: Settings
    progress: Progress
    machine: Machine
    total: int
    timeout: float
    done: int = 0
    """How many of the `total` programs are there by now."""

    def title(self, text: str) -> str:
        """`text` with the number of the program that comes next, of how many."""
        return f"tools {self.done + 1} of {self.total}: {text}"


def locate(name: str, settings: Settings, *, families: Mapping[str, Family] = FAMILIES) -> Located | None:
    """A program as it is on this machine; None when it would have to be fetched or built."""
    family = _family_of(name, families)
    located = found.locate_family(family, settings, this_machine())
    return located[name] if located else None


def ensure(
    names: Sequence[str],
    settings: Settings,
    progress: Progress,
    *,
    families: Mapping[str, Family] = FAMILIES,
    timeout: float = fetch.TIMEOUT,
) -> dict[str, Located]:
    """The named programs, each found, fetched or built.

    A program brings its family: what must be of one version and lie in one folder. `timeout` is how many
    seconds a maker may take to answer. Raises ToolError when a program cannot be had.
    """
    machine = this_machine()
    wanted = {family.name: family for family in (_family_of(name, families) for name in names)}
    located = {name: found.locate_family(family, settings, machine) for name, family in wanted.items()}
    missing = [family for name, family in wanted.items() if not located[name]]
    run = _Run(settings, progress, machine, sum(len(family.tools) for family in missing), timeout)
    for family in missing:
        located[family.name] = _obtain(family, run)
    tools = {name: tool for programs in located.values() for name, tool in (programs or {}).items()}
    return {name: tools[name] for name in names}


def _family_of(name: str, families: Mapping[str, Family]) -> Family:
    for family in families.values():
        if any(tool.name == name for tool in family.tools):
            return family
    known = ", ".join(tool.name for family in families.values() for tool in family.tools)
    raise ToolError(f"no such tool: {name}", remedy=f"one of {known}")


def _obtain(family: Family, run: _Run) -> dict[str, Located]:
    tools = found.tools_folder(run.settings)
    with _disk_of(tools):
        tools.mkdir(parents=True, exist_ok=True)
        with exclusive(tools / f".{family.name}.lock", run.progress, f"it is getting {family.name}"):
            for leftover in tools.glob(f".{family.name}-partial-*"):  # of a run that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            others = found.locate_family(family, run.settings, run.machine)  # made by the run waited for
            if others:
                run.done += len(family.tools)
                return others
            if not _download(family, run):
                _build(family, run)
    made = found.locate_family(family, run.settings, run.machine)
    if made is None:
        raise ToolError(f"{family.name} was there and is gone again", where=str(tools), remedy="run it again")
    return made


def _download(family: Family, run: _Run) -> bool:
    """Whether the maker's own download could be had."""
    downloads = [download for download in family.downloads if run.machine.os in download.systems]
    held = {name for download in downloads for name in download.members.values()}
    if not run.settings.downloads or not {tool.name for tool in family.tools} <= held:
        return False
    target = found.cached_folder(family, run.settings, run.machine, "download")
    before = run.done
    try:
        with _whole(family, target, "download") as folder:
            for download in downloads:
                title = run.title(f"downloading {', '.join(download.members.values())} {family.version}")
                with run.progress.step(title) as step:
                    fetch.fetch(download, folder, run.machine, step, timeout=run.timeout)
                run.done += sum(tool.name in download.members.values() for tool in family.tools)
    except fetch.DownloadError as error:
        run.done = before
        run.progress.note(f"{family.name} cannot be downloaded ({error}); building it from Go modules")
        return False
    return True


def _build(family: Family, run: _Run) -> None:
    for module in sorted({tool.build.module for tool in family.tools}):
        gobuild.require_go(module)
    target = found.cached_folder(family, run.settings, run.machine, "build")
    with _whole(family, target, "build") as folder:
        for tool in family.tools:
            title = run.title(f"building {tool.name} {family.version}")
            with run.progress.step(title, tool.build.seconds) as step:
                gobuild.build(tool.build, folder / tool.name, step)
            run.done += 1
        for name, file in family.files.items():
            gobuild.copy(file, folder / name)


@contextmanager
def _whole(family: Family, target: Path, source: Source) -> Generator[Path]:
    """A folder to be filled, which becomes `target` at the end if its programs run, and else vanishes."""
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{family.name}-partial-"))
    try:
        yield partial
        _prove(family, partial)
        found.write_record(partial, family.version, source)
        partial.chmod(0o755)  # mkdtemp's is for its owner only
        if target.exists():  # without its record or a program: damaged
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _prove(family: Family, folder: Path) -> None:
    """Raises DownloadError unless each program runs and is of the version that was asked for."""
    for tool in family.tools:
        said = found.ask_version(tool, folder) if tool.ask else family.version
        if said != family.version:
            raise fetch.DownloadError(f"{tool.name} should be {family.version} and says {said or 'nothing'}")


@contextmanager
def _disk_of(folder: Path) -> Generator[None]:
    """Turns the errors of a disk that is full or not ours into ToolError."""
    try:
        yield
    except fetch.DownloadError as error:  # of a build: the download's is handled where it arises
        raise ToolError(
            str(error), remedy="please report it, with the output of `ziggurat doctor`"
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ToolError(
            "the disk is full" if full else f"tools cannot be kept: {error.strerror or error}",
            where=str(error.filename or folder),
            remedy="free about 1 GB there, or name another place in ZIGGURAT_CACHE_DIR"
            if full
            else "give yourself access to it, or name another place in ZIGGURAT_CACHE_DIR",
        ) from error
