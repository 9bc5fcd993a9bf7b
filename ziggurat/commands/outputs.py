"""`ziggurat outputs`: what a platform tells its users."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import open_platform, stack_options
from ziggurat.errors import ZigguratError


@click.command(
    epilog="""\b
Examples:
  ziggurat outputs
  ziggurat outputs --json | jq -r .trackingUri"""
)
@blueprint_argument
@stack_options
@json_option
def command(blueprint: Path, stack: str | None, sandbox: bool, stand_in: bool, as_json: bool) -> None:
    """Print the stack's outputs: addresses, teams with their accounts, images. Never a secret's value."""
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    outputs = run.engine.outputs()
    if not outputs:
        raise ZigguratError(
            f"the platform {run.target.platform} is not provisioned",
            where=f"stack {run.target.stack}",
            remedy=f"ziggurat up {blueprint}",
        )
    if as_json:
        print_json(outputs)
        return
    width = max(map(len, outputs))
    for name, value in outputs.items():
        click.echo(f"{name:<{width}}  {value if isinstance(value, str) else json.dumps(value)}")
