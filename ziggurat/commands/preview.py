"""`ziggurat preview`: what `up` would change, by the engine and the cluster's own dry run."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import open_platform, stack_options
from ziggurat.exit_codes import ExitCode


@click.command(
    epilog="""\b
Examples:
  ziggurat preview                            what `up` would do with ./blueprint.yaml
  ziggurat preview acme.yaml --diff           with every value, before and after
  ziggurat preview --expect-no-changes        in CI: exit code 7 if anything would change
  ziggurat preview --refresh                  look at the cluster first: shows drift and its repair
  ziggurat preview --json | jq .summary

\b
Exit codes: 0 previewed, 7 changes with --expect-no-changes, 8 data would be lost (docs/exit-codes.md)"""
)
@blueprint_argument
@click.option("--diff", is_flag=True, help="Show each value that changes, what it was and what it becomes.")
@click.option("--expect-no-changes", is_flag=True, help="Fail with exit code 7 if there is any change.")
@click.option(
    "--refresh", is_flag=True, help="Look at every object on the cluster first, so that drift shows."
)
@stack_options
@json_option
def command(
    blueprint: Path,
    diff: bool,
    expect_no_changes: bool,
    refresh: bool,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Show what `up` would change, object by object. Nothing is written: no state, no configuration.

    Every object is checked by the cluster itself (a server-side dry run), and against the schemas of its
    Kubernetes version where the dry run cannot: a namespace that is not there yet.
    """
    run = open_platform(blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json)
    checked = run.check()
    settle = run.needs_settling(moved=checked.moved)
    preview = run.preview(refresh=refresh or settle, adopt=checked.adopt)
    if as_json:
        print_json(preview.as_json())
    else:
        click.echo(preview.text(diff=diff))
    if preview.blocked:
        return ExitCode.BLOCKED
    return ExitCode.CHANGES if expect_no_changes and preview.changed else ExitCode.OK
