"""The sandbox: a cluster of this machine's own to try things on. docs/sandbox.md tells its limits."""

from __future__ import annotations

from collections.abc import Mapping

from ziggurat.errors import ClusterError
from ziggurat.progress import Progress
from ziggurat.sandbox import kind, kwok
from ziggurat.sandbox.model import (
    CPU_NODES,
    CPU_POOL,
    DEFAULT_NAME,
    GpuNodes,
    Place,
    Record,
    Runtime,
    SandboxStatus,
    place,
    read_record,
)
from ziggurat.sandbox.pools import gpu_nodes
from ziggurat.settings import Settings
from ziggurat.toolchain.lock import exclusive

__all__ = ["DEFAULT_NAME", "GpuNodes", "SandboxStatus", "down", "gpu_nodes", "reset", "status", "up"]


def up(
    settings: Settings,
    progress: Progress,
    *,
    name: str = DEFAULT_NAME,
    runtime: Runtime = "kwok",
    pools: Mapping[str, GpuNodes] = {},
) -> SandboxStatus:
    """Brings the sandbox up: makes it, starts it, heals it, or finds that all is well.

    `pools` are added to those that it has. Raises ToolError when a program cannot be had, ClusterError
    when it does not start or is of another runtime.
    """
    here = place(settings, name)
    with exclusive(here.lock, progress, f"it is changing sandbox {name}"):
        record = read_record(here)
        if record and record.runtime != runtime:
            raise ClusterError(
                f"sandbox {name} is one of {record.runtime}, not of {runtime}",
                where=str(here.folder),
                remedy=f"take another --name, or delete it first: ziggurat sandbox reset --name {name}",
            )
        if runtime == "kind":
            kind.up(here, progress, pools)
        else:
            kwok.up(here, settings, progress, pools)
    return status(settings, name=name)


def status(settings: Settings, *, name: str = DEFAULT_NAME) -> SandboxStatus:
    """How the sandbox is; changes nothing and needs no tool."""
    here = place(settings, name)
    record = read_record(here) or Record("kwok", {})
    module = kind if record.runtime == "kind" else kwok
    state = module.state(here)
    present = state != "absent"
    return SandboxStatus(
        name=name,
        state=state,
        runtime=record.runtime,
        kubeconfig=here.kubeconfig,
        context=module.context(here),
        server=kwok.server(here) if present else "",
        nodes=_nodes(record) if present else {},
        simulated=record.runtime == "kwok",
    )


def down(settings: Settings, progress: Progress, *, name: str = DEFAULT_NAME) -> SandboxStatus:
    """Stops the sandbox and keeps its state; nothing happens where there is none."""
    here = place(settings, name)
    with exclusive(here.lock, progress, f"it is changing sandbox {name}"):
        record = read_record(here)
        if record and record.runtime == "kind":
            kind.down(here, progress)
        elif here.folder.exists():
            kwok.down(here, progress)
    return status(settings, name=name)


def reset(settings: Settings, progress: Progress, *, name: str = DEFAULT_NAME) -> SandboxStatus:
    """Deletes the sandbox with everything in it; nothing happens where there is none."""
    here = place(settings, name)
    with exclusive(here.lock, progress, f"it is changing sandbox {name}"):
        if _is_kind(here):
            kind.reset(here, progress)
        elif here.folder.exists():
            kwok.reset(here, progress)
    return status(settings, name=name)


def _is_kind(here: Place) -> bool:
    try:
        record = read_record(here)
    except ClusterError:  # a damaged record: `reset` is its remedy
        return False
    return record is not None and record.runtime == "kind"


def _nodes(record: Record) -> dict[str, int]:
    if record.runtime == "kind":
        return {CPU_POOL: 1}
    return {CPU_POOL: CPU_NODES, **{name: pool.count for name, pool in sorted(record.pools.items())}}
