"""`ziggurat destroy`: takes a platform down; data is kept unless it is named."""

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
    from ziggurat.engine.runs import Destroyed, Run


@click.command(
    epilog="""\b
Examples:
  ziggurat destroy                                      keep volumes and namespaces; `up` finds them again
  ziggurat destroy acme.yaml --yes                      the same, without asking
  ziggurat destroy --with-data                          delete everything; asks for the platform's name
  ziggurat destroy --with-data --confirm acme-ml        the same, without asking"""
)
@blueprint_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask; with --with-data, --confirm is needed instead.")
@click.option(
    "--with-data", is_flag=True, help="Delete the data too: volumes, namespaces, and the stack itself."
)
@click.option(
    "--confirm", "confirmed", metavar="NAME", help="The platform's name, to delete its data without asking."
)
@stack_options
@json_option
def command(
    blueprint: Path,
    yes: bool,
    with_data: bool,
    confirmed: str | None,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> None:
    """Take the platform down. What holds data stays, and is listed, unless --with-data is given."""
    instead = "--confirm with the platform's name" if with_data else "--yes"
    require_answerable(yes=bool(confirmed) if with_data else yes, as_json=as_json, instead=instead)
    run = open_platform(blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json)
    if with_data and confirmed:
        require_name(confirmed, run.target.platform)
    result = _destroy(run, with_data=with_data, ask=not (confirmed if with_data else yes))
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(result.text())


def _destroy(run: Run, *, with_data: bool, ask: bool) -> Destroyed:
    from ziggurat.engine.changes import Outcome
    from ziggurat.engine.runs import Destroyed

    if not run.engine.state.exists:
        return Destroyed(run.target, Outcome(), missing=True, with_data=with_data)
    cluster = run.prepare_destroy()
    if ask:
        _ask(run, with_data=with_data)
    return run.destroy(cluster, with_data=with_data)


def _ask(run: Run, *, with_data: bool) -> None:
    objects = run.engine.state.objects
    data = [item for item in objects if item.protected]
    where = f"{run.target.platform} on {run.target.description}"
    if not with_data:
        click.echo("kept: " + (", ".join(item.label for item in data) or "nothing"), err=True)
        confirm(f"delete {len(objects) - len(data)} objects of {where}?")
        return
    click.echo(f"deletes {len(objects)} objects of {where}, and the data in:", err=True)
    for item in data:
        click.echo(f"    {item.label}", err=True)
    confirm_name(run.target.platform)
