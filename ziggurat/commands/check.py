"""`ziggurat check`: uses a running platform as its teams do, and says what works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ziggurat.commands.kinds import VerbWithKinds
from ziggurat.commands.options import blueprint_argument, json_option, print_json, timeout
from ziggurat.commands.platform import open_platform, require_containers, serving, stack_options
from ziggurat.exit_codes import ExitCode

if TYPE_CHECKING:
    from ziggurat.check import Report
    from ziggurat.engine.runs import Run


DEFAULT_SECONDS = 30.0
"""How long one check may take."""

KINDS: dict[str, str] = {
    "auth": "Who gets what at each page: the matrix, and whether it holds.",
    "gpu": "Take a GPU of each pool as a team, and see whether it works.",
}
"""What else can be checked, with its line of help: `auth` is `ziggurat/commands/check_auth.py`."""


@click.command(
    cls=VerbWithKinds,
    kinds=KINDS,
    module=__name__,
    epilog="""\b
Examples:
  ziggurat check                            the platform of ./blueprint.yaml
  ziggurat check acme.yaml --team vision    one team; isolation is tried from another
  ziggurat check --json | jq .passed

\b
Exit codes: 0 nothing failed, 1 a check failed, 4 nothing serves there; docs/exit-codes.md has all.""",
)
@blueprint_argument
@click.option("--team", metavar="NAME", help="Check this team only.")
@timeout("How long one check may take.", DEFAULT_SECONDS, least=0.1)
@stack_options
@json_option
def command(
    blueprint: Path,
    team: str | None,
    seconds: float,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Use a running platform as its teams do: log runs, store artifacts, register models, and be refused.

    What the checks make is deleted again. Each line says what was done, how long it took,
    and what came of it.
    """
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    report = check_run(run, team=team, seconds=seconds, quiet=as_json)
    return show(report, as_json=as_json)


def show(report: Report, *, as_json: bool) -> ExitCode:
    """Prints what came of checks; what the command ends with."""
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(report.text())
    return ExitCode.OK if report.passed else ExitCode.FAILED


def check_run(run: Run, *, team: str | None = None, seconds: float = DEFAULT_SECONDS, quiet: bool) -> Report:
    """Checks an opened platform. Raises ClusterError where nothing serves, ZigguratError before its `up`."""
    from ziggurat.check import Report, check_platform
    from ziggurat.progress import Progress

    require_containers(run)
    cluster, outputs = serving(run)
    quotas = frozenset(item.namespace for item in run.engine.state.objects if item.kind == "ResourceQuota")
    results = check_platform(
        cluster, outputs, quotas=quotas, team=team, seconds=seconds, progress=Progress(quiet=quiet)
    )
    return Report(run.target, run.phase, results)
