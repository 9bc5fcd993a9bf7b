"""`ziggurat status`: how a platform is."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import open_platform, require_containers, stack_options
from ziggurat.exit_codes import ExitCode


@click.command(
    epilog="""\b
Examples:
  ziggurat status                          of the platform of ./blueprint.yaml
  ziggurat status acme.yaml --refresh      also what was changed outside of Ziggurat
  ziggurat status --deep                   also use it as its teams do (ziggurat check)
  ziggurat status --json | jq .ready

\b
Exit codes: 0 all of it is there and ready, 1 not, or a check failed; docs/exit-codes.md has all."""
)
@blueprint_argument
@click.option(
    "--refresh", is_flag=True, help="Compare every value with the cluster, and list drift (changes nothing)."
)
@click.option("--deep", is_flag=True, help="Carry out `ziggurat check` too: round trips and refusals.")
@stack_options
@json_option
def command(
    blueprint: Path,
    refresh: bool,
    deep: bool,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Say how a platform is: what should be there, what is, what is not ready and why."""
    from ziggurat.commands.check import check_run
    from ziggurat.engine.health import examine
    from ziggurat.engine.preflight import connect, require_same_cluster

    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=refresh
    )
    if deep:
        require_containers(run)
    cluster, cluster_id = connect(run.engine)
    require_same_cluster(run.engine, cluster, cluster_id)
    health = examine(run.engine, cluster, run.phase, drift=refresh)
    report = check_run(run, quiet=as_json) if deep and health.objects else None
    if as_json:
        print_json(health.as_json() | ({"check": report.as_json()} if report else {}))
    else:
        click.echo(f"{health.text()}\n\n{report.text()}" if report else health.text())
    return ExitCode.OK if health.ready and (report is None or report.passed) else ExitCode.FAILED
