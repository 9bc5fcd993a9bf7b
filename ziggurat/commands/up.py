"""`ziggurat up`: provisions a blueprint, or brings a running platform in line with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import (
    confirm,
    confirm_name,
    open_platform,
    require_answerable,
    require_name,
    stack_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggurat.engine.runs import Applied, Preview, Run


@click.command(
    epilog="""\b
Examples:
  ziggurat up                                    provision ./blueprint.yaml, after showing what that does
  ziggurat up acme.yaml --yes                    without asking (CI)
  ziggurat up --refresh                          put back what was changed by hand
  ziggurat up --take-over                        also what others have become the manager of
  ziggurat up --delete Namespace/acme-ml-vision  drop the team `vision` from the blueprint, its data too
  ziggurat up --drop-data tuning                 take Katib out of the blueprint, its data too; asks for the
                                                 platform's name (--confirm acme-ml answers)

\b
A run that failed or was stopped is taken on by the next one. Exit codes: docs/exit-codes.md"""
)
@blueprint_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask; with --drop-data, --confirm is needed instead.")
@click.option("--refresh", is_flag=True, help="Look at every object on the cluster first, and repair drift.")
@click.option(
    "--take-over",
    is_flag=True,
    help="With --refresh: take back values too that others now manage (kubectl scale, a controller).",
)
@click.option(
    "--delete",
    "delete",
    multiple=True,
    metavar="KIND/NAME",
    help="An object that holds data and that this run may delete or replace. May be given several times.",
)
@click.option(
    "--drop-data",
    "drop",
    multiple=True,
    metavar="CAPABILITY",
    help="A capability (pipelines, tuning, monitoring...) that the blueprint no longer has, and whose "
    "data this run may delete. May be given several times.",
)
@click.option(
    "--confirm", "confirmed", metavar="NAME", help="The platform's name, for --drop-data without asking."
)
@stack_options
@json_option
def command(
    blueprint: Path,
    yes: bool,
    refresh: bool,
    take_over: bool,
    delete: tuple[str, ...],
    drop: tuple[str, ...],
    confirmed: str | None,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> None:
    """Provision the blueprint, or bring the running platform in line with it.

    Shows what it will change and asks. Objects that hold data are never deleted or replaced unless --delete
    names them, or --drop-data the capability that they belonged to. Without a terminal, --yes is needed.
    """
    instead = "--confirm with the platform's name" if drop else "--yes"
    require_answerable(yes=bool(confirmed) if drop else yes, as_json=as_json, instead=instead)
    run = open_platform(blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json)
    if drop and confirmed:
        require_name(confirmed, run.target.platform)
    applied = _up(
        run,
        ask=_ask_name if drop and not confirmed else _ask_leave if not drop and not yes else None,
        refresh=refresh or take_over,
        take_over=take_over,
        delete=delete,
        drop=drop,
        quiet=as_json,
    )
    if as_json:
        print_json(applied.as_json())
    else:
        click.echo(applied.text())


def _ask_leave(preview: Preview) -> None:
    confirm(f"provision {preview.target.platform} on {preview.target.description}?")


def _ask_name(preview: Preview) -> None:
    confirm_name(preview.target.platform)


def _up(
    run: Run,
    *,
    ask: Callable[[Preview], None] | None,
    refresh: bool,
    take_over: bool,
    delete: tuple[str, ...],
    drop: tuple[str, ...],
    quiet: bool,
) -> Applied:
    from dataclasses import replace

    from ziggurat.engine.runs import require_unblocked

    checked = run.check()
    drift = ()
    if run.needs_settling(moved=checked.moved) or (refresh and not run.engine.state.empty):
        drift = run.settle()
    preview = run.preview(refresh=False, delete=delete, drop=drop, take_over=take_over, adopt=checked.adopt)
    preview = replace(preview, outcome=replace(preview.outcome, drift=drift))
    if not quiet and preview.changed:
        click.echo(preview.text(), err=True)
    require_unblocked(preview)
    if preview.changed and ask:
        ask(preview)
    return replace(run.up(checked, preview, take_over=take_over), repaired=drift)
