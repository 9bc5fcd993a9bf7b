"""`ziggurat evidence`: what an auditor asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import open_platform, require_containers, serving, stack_options
from ziggurat.exit_codes import ExitCode

if TYPE_CHECKING:
    from ziggurat.engine.runs import Run
    from ziggurat.evidence import Evidence


@click.command(
    epilog="""\b
Examples:
  ziggurat evidence                               of the platform of ./blueprint.yaml
  ziggurat evidence --check --output evidence.md  also use it as its teams do (ziggurat check)
  ziggurat evidence --json | jq '.controls[] | select(.result != "holds")'

\b
Exit codes: 0 no control fails (some may be unknown), 1 one does; docs/exit-codes.md has all."""
)
@blueprint_argument
@click.option(
    "--check", "with_checks", is_flag=True, help="Carry out `ziggurat check` too: some things only use shows."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to a file instead of standard output.",
)
@stack_options
@json_option
def command(
    blueprint: Path,
    with_checks: bool,
    output: Path | None,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Show for each control the objects that implement it, how it was looked at, and what came of it.

    Read from the cluster now; nothing is taken from the blueprint's word. What nothing shows is unknown,
    and is said to be.
    """
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    evidence = collect(run, with_checks=with_checks, quiet=as_json)
    if output:
        text = json.dumps(evidence.as_json(), indent=2) if as_json else evidence.markdown()
        output.write_text(f"{text}\n")
        click.echo(f"written: {output}", err=True)
    elif as_json:
        print_json(evidence.as_json())
    else:
        click.echo(evidence.markdown())
    return ExitCode.OK if evidence.holds else ExitCode.FAILED


def collect(run: Run, *, with_checks: bool, quiet: bool) -> Evidence:
    """The evidence of an opened platform; ZigguratError before its `up`."""
    from datetime import UTC, datetime

    from ziggurat.commands.check import check_run
    from ziggurat.evidence import Evidence, Facts, gather

    if with_checks:
        require_containers(run)
    cluster, outputs = serving(run)
    checks = check_run(run, quiet=quiet).results if with_checks else None
    now = datetime.now(UTC)
    facts = Facts(run.engine.state, outputs, cluster, now, checks)
    return Evidence(run.target, run.phase, now, gather(facts))
