"""`ziggurat check gpu`: takes a GPU of each pool as a team does, and says whether it works."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.check import show
from ziggurat.commands.options import blueprint_argument, json_option, timeout
from ziggurat.commands.platform import open_platform, require_containers, serving, stack_options
from ziggurat.exit_codes import ExitCode

DEFAULT_SECONDS = 900.0
"""How long one GPU is waited for: a cloud makes a node in some minutes, and the image is pulled."""


@click.command(
    epilog="""\b
Examples:
  ziggurat check gpu                                 each pool of ./blueprint.yaml
  ziggurat check gpu acme.yaml --pool a100           one pool
  ziggurat check gpu acme.yaml --team vision --json  as this team

\b
Exit codes: 0 a GPU of each pool works, 1 one was not got or does not work, 4 nothing runs there (the
sandbox simulates pods); docs/exit-codes.md has all.""",
)
@blueprint_argument
@click.option("--pool", metavar="NAME", help="Check this pool only.")
@click.option("--team", metavar="NAME", help="As this team; by default the first that may take GPUs.")
@timeout("How long one GPU is waited for.", DEFAULT_SECONDS)
@stack_options
@json_option
def command(
    blueprint: Path,
    pool: str | None,
    team: str | None,
    seconds: float,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Take one GPU of each pool by a Job of a team, and run a kernel on it.

    The Job waits in the team's queue, counts against its quota, and goes to a node of the pool, as the
    team's own work does; where nodes are made when they are wanted, one is made for it. It is deleted again.
    Where no GPU is got, the line says what is in the way: the queue, a quota, no node, a taint, the image.
    """
    from blueprints import load
    from ziggurat.check.gpu import check_gpu, chosen
    from ziggurat.check.report import Report, Result
    from ziggurat.errors import ZigguratError
    from ziggurat.progress import Progress

    declared = load(blueprint).blueprint
    if not declared.gpu_pools:
        raise ZigguratError(
            "the blueprint has no GPU pools",
            where=f"{blueprint}: gpuPools",
            remedy="add one, or run `ziggurat check`",
        )
    wanted = list(chosen(declared, pool, team, seconds))
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    require_containers(run, "no GPU can be taken")
    cluster, _ = serving(run)
    progress = Progress(quiet=as_json)
    results = tuple(
        each if isinstance(each, Result) else check_gpu(cluster, each, progress) for each in wanted
    )
    report = Report(run.target, run.phase, results)
    return show(report, as_json=as_json)
