"""`ziggurat sandbox`: a real API server with simulated nodes, to try things on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.commands.options import json_option, print_json

if TYPE_CHECKING:
    from ziggurat.progress import Progress
    from ziggurat.sandbox import GpuNodes, SandboxStatus

SIMULATED = "pods are simulated: they become Ready, and run nothing"

_name_option = click.option(
    "--name", default="ziggurat", show_default=True, help="Which sandbox; each has its own state."
)


@click.group(
    epilog="""\b
Examples:
  ziggurat sandbox up                            make it, start it or heal it
  ziggurat sandbox up --gpu-pool t4=2x1          with two simulated nodes of one GPU each
  ziggurat sandbox status --json
  kubectl --kubeconfig "$(ziggurat sandbox kubeconfig)" get pods -A
  ziggurat sandbox down                          stop it; what is in it stays
  ziggurat sandbox reset                         delete it

\b
Exit codes: 0 all is well; 4 it does not start; 5 a tool is missing.
docs/sandbox.md tells what is real in it and what is not."""
)
def command() -> None:
    """A real API server with simulated nodes, to try things on."""


@command.command()
@_name_option
@click.option(
    "--with",
    "runtime",
    type=click.Choice(["kwok", "kind"]),
    default="kwok",
    show_default=True,
    help="kwok simulates pods; kind runs them in a Docker engine.",
)
@click.option(
    "--blueprint",
    type=click.Path(path_type=Path),
    help="Simulate nodes for each GPU pool of this blueprint.",
)
@click.option(
    "--gpu-pool",
    "gpu_pools",
    metavar="NAME=NODESxGPUS",
    multiple=True,
    help="Simulate these GPU nodes, such as t4=2x1: pool t4, two nodes with one GPU each.",
)
@json_option
def up(name: str, runtime: Any, blueprint: Path | None, gpu_pools: tuple[str, ...], as_json: bool) -> None:
    """Make the sandbox, start it, or heal it; nothing happens where all is well."""
    from ziggurat import sandbox
    from ziggurat.settings import Settings

    pools = {**_pools_of(blueprint), **dict(map(_parse_pool, gpu_pools))}
    status = sandbox.up(Settings.from_environment(), _progress(), name=name, runtime=runtime, pools=pools)
    _show(status, as_json)


@command.command()
@_name_option
@json_option
def status(name: str, as_json: bool) -> None:
    """Say how the sandbox is."""
    from ziggurat import sandbox
    from ziggurat.settings import Settings

    _show(sandbox.status(Settings.from_environment(), name=name), as_json)


@command.command()
@_name_option
def kubeconfig(name: str) -> None:
    """Print the path of the sandbox's kubeconfig file, for other programs."""
    from ziggurat import sandbox
    from ziggurat.errors import ClusterError
    from ziggurat.settings import Settings

    found = sandbox.status(Settings.from_environment(), name=name)
    if found.state == "absent":
        raise ClusterError(f"there is no sandbox {name}", remedy="make it: ziggurat sandbox up")
    click.echo(found.kubeconfig)


@command.command()
@_name_option
@json_option
def down(name: str, as_json: bool) -> None:
    """Stop the sandbox; what is in it stays, and `up` starts it again."""
    from ziggurat import sandbox
    from ziggurat.settings import Settings

    _show(sandbox.down(Settings.from_environment(), _progress(), name=name), as_json)


@command.command()
@_name_option
@json_option
def reset(name: str, as_json: bool) -> None:
    """Delete the sandbox with everything in it."""
    from ziggurat import sandbox
    from ziggurat.settings import Settings

    _show(sandbox.reset(Settings.from_environment(), _progress(), name=name), as_json)


def _progress() -> Progress:
    from ziggurat.progress import Progress

    return Progress()


def _pools_of(blueprint: Path | None) -> Mapping[str, GpuNodes]:
    if blueprint is None:
        return {}
    from blueprints import load
    from ziggurat.sandbox import gpu_nodes

    declared = load(blueprint).blueprint
    return gpu_nodes(declared.name, declared.gpu_pools)


def _parse_pool(text: str) -> tuple[str, GpuNodes]:
    import re

    from ziggurat.sandbox import GpuNodes

    match = re.fullmatch(r"([a-z]([-a-z0-9]{0,38}[a-z0-9])?)=([1-9][0-9]{0,2})x([1-9]|1[0-6])", text)
    if match is None or match[1] == "cpu":
        raise click.BadParameter(
            f"{text!r} is not NAME=NODESxGPUS, such as t4=2x1 (at most 16 GPUs a node; `cpu` is taken)",
            param_hint="--gpu-pool",
        )
    return match[1], GpuNodes(count=int(match[3]), gpus=int(match[4]))


def _show(status: SandboxStatus, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": status.name,
                "state": status.state,
                "runtime": status.runtime,
                "simulated": status.simulated,
                "kubeconfig": str(status.kubeconfig),
                "context": status.context,
                "server": status.server,
                "nodes": status.nodes,
            }
        )
        return
    click.echo(f"sandbox {status.name}: {status.state}")
    if status.state == "absent":
        return
    nodes = ", ".join(f"{count} {pool}" for pool, count in status.nodes.items())
    kind = f"{status.runtime}; {SIMULATED}" if status.simulated else f"{status.runtime}; pods run for real"
    for key, value in (
        ("runtime", kind),
        ("server", status.server),
        ("nodes", nodes),
        ("kubeconfig", status.kubeconfig),
        ("context", status.context),
    ):
        click.echo(f"  {key:<11} {value}")
