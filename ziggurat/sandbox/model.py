"""What a sandbox is: its nodes, its folder, what it says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ziggurat.errors import ClusterError, ZigguratError
from ziggurat.exit_codes import ExitCode
from ziggurat.settings import Settings

Runtime = Literal["kwok", "kind"]
State = Literal["absent", "stopped", "running"]

DEFAULT_NAME = "ziggurat"
CPU_POOL = "cpu"
"""The pool of the nodes without GPUs."""
CPU_NODES = 2

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")


class SandboxNameError(ZigguratError):
    """A name that cannot be a sandbox's."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class GpuNodes:
    """The simulated nodes of one GPU pool."""

    count: int = 1
    gpus: int = 1
    """GPUs in each node."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels beside those that every node has."""
    taints: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Taints beside the one that every GPU node has."""
    provider: str = "existing"
    """Who would make the nodes in a real cluster."""


@dataclass(frozen=True)
class SandboxStatus:
    """How a sandbox is."""

    name: str
    state: State
    runtime: Runtime
    kubeconfig: Path
    context: str
    server: str
    """The API server's URL; empty where there is none."""
    nodes: dict[str, int]
    """Nodes of each pool; `cpu` are those without GPUs."""
    simulated: bool
    """Whether pods are only simulated: they become Ready, and run nothing."""


@dataclass(frozen=True)
class Place:
    """Where a sandbox keeps its things."""

    name: str
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Its own kubeconfig; the user's is never touched."""
        return self.folder / "kubeconfig"

    @property
    def record(self) -> Path:
        """What it is; written when it has come up whole for the first time."""
        return self.folder / "sandbox.json"

    @property
    def lock(self) -> Path:
        """Held while it is being changed; beside the folder, which `reset` deletes."""
        return self.folder.with_name(f".{self.name}.lock")


@dataclass(frozen=True)
class Record:
    """What a sandbox was made as."""

    runtime: Runtime
    pools: dict[str, GpuNodes]


def place(settings: Settings, name: str) -> Place:
    """The place of the sandbox `name`; SandboxNameError where that cannot be a name."""
    if not _NAME.fullmatch(name):
        raise SandboxNameError(
            f"a sandbox cannot be named {name!r}",
            remedy="use up to 30 lower case letters, digits and dashes, from a letter or digit on",
        )
    return Place(name, settings.state / "sandbox" / name)


def read_record(place: Place) -> Record | None:
    """What the sandbox was made as; None where none has come up whole."""
    try:
        raw: dict[str, Any] = json.loads(place.record.read_text())
        return Record(raw["runtime"], {name: GpuNodes(**pool) for name, pool in raw["pools"].items()})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            "the sandbox's record is damaged",
            where=str(place.record),
            remedy=f"ziggurat sandbox reset --name {place.name}",
        ) from error


def write_record(place: Place, record: Record) -> None:
    """Keeps what the sandbox was made as, in one step."""
    new = place.record.with_suffix(".new")
    new.write_text(json.dumps(asdict(record), indent=2))
    new.replace(place.record)
