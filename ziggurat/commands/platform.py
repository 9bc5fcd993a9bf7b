"""What the verbs that work on a provisioned platform share: their options, and questions to the user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.errors import ClusterError, ZigguratError
from ziggurat.exit_codes import ExitCode

if TYPE_CHECKING:
    from ziggurat.cluster import Cluster
    from ziggurat.engine.runs import Run

_Command = Callable[..., Any]


def stack_options(command: _Command) -> _Command:
    """`--stack`, `--sandbox` and `--stand-in`: which stack and cluster the verb is about."""
    options = (
        click.option("--stack", metavar="NAME", help="The Pulumi stack; by default the platform's name."),
        click.option(
            "--sandbox",
            is_flag=True,
            help="Use the sandbox, though the blueprint names a cluster of its own.",
        ),
        click.option(
            "--stand-in",
            is_flag=True,
            help="Where the official Kubernetes plugin cannot be had, use the bundled stand-in on the "
            "blueprint's own cluster too. It is made for the sandbox: docs/stand-in.md says what it is.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def open_platform(
    blueprint: Path,
    *,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    quiet: bool,
    runs_engine: bool = True,
) -> Run:
    """Loads the blueprint and opens its stack; `quiet` leaves progress out.

    A verb that only reads the stack (not `runs_engine`) works without the Kubernetes plugin.
    """
    from blueprints import load
    from ziggurat.engine.runs import open_run
    from ziggurat.progress import Progress

    loaded = load(blueprint)
    return open_run(
        loaded,
        Progress(quiet=quiet),
        stack=stack,
        sandbox=sandbox,
        stand_in=stand_in,
        runs_engine=runs_engine,
    )


def open_serving(
    blueprint: Path, *, stack: str | None, sandbox: bool, stand_in: bool, quiet: bool, purpose: str
) -> tuple[Cluster, Mapping[str, Any]]:
    """The cluster of a provisioned platform whose containers really run, and the stack's outputs.

    `purpose` says what cannot be done where they do not, in the sandbox.
    """
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=quiet, runs_engine=False
    )
    require_containers(run, purpose)
    return serving(run)


def serving(run: Run) -> tuple[Cluster, Mapping[str, Any]]:
    """The cluster of a provisioned platform, and the stack's outputs; ZigguratError before its `up`."""
    from ziggurat.engine.preflight import connect, require_same_cluster

    outputs = run.engine.outputs()
    if not outputs.get("teams"):
        raise ZigguratError(
            f"the platform {run.target.platform} is not provisioned",
            where=f"stack {run.target.stack}",
            remedy=f"ziggurat up {run.target.arguments()}",
        )
    cluster, cluster_id = connect(run.engine)
    require_same_cluster(run.engine, cluster, cluster_id)
    return cluster, outputs


def require_containers(run: Run, purpose: str = "there is nothing to check") -> None:
    """ClusterError on a sandbox whose pods are simulated: no server runs there."""
    from ziggurat import sandbox
    from ziggurat.settings import Settings

    if run.target.sandbox and sandbox.status(Settings.from_environment()).simulated:
        raise ClusterError(
            f"nothing serves in the sandbox: its pods are simulated, so {purpose}",
            where=run.target.description,
            remedy="ziggurat status says how its objects are; provision the platform on a cluster that runs "
            "containers",
        )


def require_answerable(*, yes: bool, as_json: bool, instead: str = "--yes") -> None:
    """A usage error where a question would come that nobody can answer; `instead` is the option for that."""
    if yes or (sys.stdin.isatty() and not as_json):
        return
    why = "with --json" if as_json else "without a terminal"
    look = "look at `ziggurat preview` first, then " if instead == "--yes" else ""
    raise click.UsageError(f"nobody can be asked {why}: {look}add {instead}")


def confirm(question: str) -> None:
    """Asks on standard error; a no ends the command, with nothing changed."""
    if not click.confirm(question, default=False, err=True):
        raise DeclinedError("nothing was changed")


def confirm_name(platform: str) -> None:
    """Asks for the platform's name, before its data goes; anything else ends the command."""
    answer = click.prompt(f"type {platform} to go on", default="", show_default=False, err=True)
    if answer != platform:
        raise DeclinedError("nothing was changed")


def require_name(confirmed: str, platform: str) -> None:
    """A usage error if --confirm names another platform."""
    if confirmed != platform:
        raise click.UsageError(f"--confirm names {confirmed}, but this platform is {platform}")


class DeclinedError(ZigguratError):
    """The user said no."""

    exit_code = ExitCode.FAILED
