"""What the toolchain knows of a program: where it comes from, in which version, and how it is made."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Source = Literal["path", "pulumi-home", "download", "build", "stand-in"]
"""The user's PATH, the user's Pulumi folder, the maker's download, our build, our own stand-in."""

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Located:
    """A program or plugin that can be used."""

    name: str
    path: Path
    version: str
    """Without a leading `v`."""
    source: Source


@dataclass(frozen=True)
class Machine:
    """An operating system and a processor, in Go's words."""

    os: str
    arch: str

    @property
    def words(self) -> dict[str, str]:
        """What the URLs of the makers name: Pulumi says x64 where everybody else says amd64."""
        return {"os": self.os, "arch": self.arch, "pulumi_arch": {"amd64": "x64"}.get(self.arch, self.arch)}


@dataclass(frozen=True)
class GoProgram:
    """A program that Go builds from one of the pinned modules in `families/`."""

    module: str
    """The folder in `families/` whose go.mod and go.sum pin everything."""
    package: str
    seconds: float
    """About how long a build with cold caches takes on two cores."""
    tags: str = ""
    ldflags: str = ""
    """Added to `-s -w`."""


@dataclass(frozen=True)
class ModuleFile:
    """A file that is used as it lies in a Go module."""

    module: str
    """The folder in `families/`."""
    package: str
    """The Go module that holds it."""
    path: str


@dataclass(frozen=True)
class Download:
    """A file of the maker. `{os}`, `{arch}` and `{pulumi_arch}` are filled in."""

    url: str
    members: Mapping[str, str]
    """Member of the archive -> our file name; the one key `""` means that the file is the program itself."""
    checksums: str = ""
    """Where the maker publishes SHA-256 sums; empty where he does not (the program's own word counts)."""
    systems: tuple[str, ...] = ("linux", "darwin")
    """The operating systems that he publishes it for."""


@dataclass(frozen=True)
class Tool:
    """One external program."""

    name: str
    purpose: str
    ask: tuple[str, ...]
    """The arguments that make it print its version; empty where it cannot (its sibling answers for it)."""
    build: GoProgram


@dataclass(frozen=True)
class Family:
    """Programs of one maker and one version, which are had together and lie in one folder."""

    name: str
    version: str
    """The version that is downloaded or built."""
    minimum: str
    """The oldest version of the user's own that is good enough."""
    tools: tuple[Tool, ...]
    downloads: tuple[Download, ...]
    files: Mapping[str, ModuleFile] = field(default_factory=dict[str, ModuleFile])
    """Scripts that must lie beside the programs."""
    in_pulumi_home: bool = False
    """Whether Pulumi's installer puts it into PULUMI_HOME/bin."""


def this_machine() -> Machine:
    """The machine that this process runs on."""
    arch = platform.machine().lower()
    return Machine(platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(arch, arch))


def parse_version(text: str) -> str | None:
    """The first version number in `text`, without `v` and without a pre-release; None where there is none."""
    match = re.search(r"(?<![\d.])v?(\d+\.\d+\.\d+)", text)
    return match[1] if match else None


def as_tuple(version: str) -> Version:
    """`1.26` or `1.26.3`, for comparing."""
    major, minor, patch = [*map(int, version.split(".")), 0, 0][:3]
    return major, minor, patch
