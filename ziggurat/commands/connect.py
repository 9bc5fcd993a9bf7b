"""`ziggurat connect`: what a data scientist needs to use a platform."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import open_platform, stack_options


@click.command(
    epilog="""\b
Examples:
  ziggurat connect --team vision                        what to export, in words
  eval "$(ziggurat connect --team vision --shell)"      export it, in this shell
  ziggurat connect acme.yaml --team vision --user ana --json"""
)
@blueprint_argument
@click.option("--team", required=True, metavar="NAME", help="The team.")
@click.option("--user", metavar="NAME", help="The account; may be left out if the team has one.")
@click.option("--shell", "as_shell", is_flag=True, help="Only lines for a POSIX shell to evaluate.")
@stack_options
@json_option
def command(
    blueprint: Path,
    team: str,
    user: str | None,
    as_shell: bool,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> None:
    """Print what an MLflow client of a team exports: address, workspace, account, and where the password is.

    The password itself is never printed: the line for it reads the Secret with kubectl.
    """
    from ziggurat.engine.connection import connection

    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    found = connection(run.target, run.engine.outputs(), team, user)
    if as_json:
        print_json(found.as_json())
        return
    click.echo(found.shell() if as_shell else found.text())
