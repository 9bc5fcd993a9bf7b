"""`ziggurat check auth`: who gets what at each page, by the blueprint and on the running platform."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.commands.check import show
from ziggurat.commands.options import blueprint_argument, json_option, print_json, timeout
from ziggurat.commands.platform import open_platform, require_containers, serving, stack_options
from ziggurat.exit_codes import ExitCode

if TYPE_CHECKING:
    from ziggurat.check.server import Account
    from ziggurat.cluster import Cluster

DEFAULT_SECONDS = 10.0
"""How long one answer may take."""


@click.command(
    epilog="""\b
Examples:
  ziggurat check auth --plan                  the matrix of ./blueprint.yaml; no cluster is asked
  ziggurat check auth acme.yaml --plan --json | jq '.rows[] | select(.expected == "403")'
  ziggurat check auth acme.yaml               ask the running platform for each answer

\b
Exit codes: 0 nothing failed, 1 an answer is not the expected one, 4 nothing serves there;
docs/exit-codes.md has all."""
)
@blueprint_argument
@click.option("--plan", "only_plan", is_flag=True, help="Print the matrix; ask no platform.")
@timeout("How long one answer may take.", DEFAULT_SECONDS, least=0.1)
@stack_options
@json_option
def command(
    blueprint: Path,
    only_plan: bool,
    seconds: float,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> ExitCode:
    """Print who gets what at each page, or ask a running platform for it.

    Asked for are the answers to nobody and to the derived accounts of teams: by the host name, or where that
    leads nowhere from here, by a port-forward to what answers behind it. What only a browser with a person
    can see is listed as skipped.
    """
    from blueprints import load
    from ziggurat.check.matrix import matrix, table

    declared = load(blueprint).blueprint
    rows = matrix(declared)
    if only_plan:
        if as_json:
            print_json({"platform": declared.name, "rows": [row.as_json() for row in rows]})
        else:
            click.echo(table(rows) if rows else "no page has a host: nobody comes from outside the cluster")
        return ExitCode.OK
    from ziggurat.check.probing import Prober
    from ziggurat.check.report import Report

    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=False
    )
    require_containers(run, "nobody can be answered")
    cluster, outputs = serving(run)
    prober = Prober(
        cluster,
        str(outputs["namespace"]),
        lambda team: _account(cluster, outputs, team),
        getattr(declared.auth, "host", None),
        seconds,
    )
    report = Report(run.target, run.phase, tuple(prober.result(row) for row in rows))
    return show(report, as_json=as_json)


def _account(cluster: Cluster, outputs: Mapping[str, Any], team: str) -> Account:
    """The first account of a team, as the Secret in its namespace has it."""
    from ziggurat.check.server import Account, CheckFailed, CheckSkipped

    found: Mapping[str, Any] = outputs["teams"][team]
    users = sorted(found["users"])
    if not users:
        raise CheckSkipped("the team has no account")
    secret = cluster.find("v1", "Secret", str(found["namespace"]), str(found["users"][users[0]]["secret"]))
    if secret is None:
        raise CheckFailed(f"the Secret of account {users[0]} is missing", "ziggurat up --refresh makes it")
    data: dict[str, str] = secret["data"]
    values = {key: base64.b64decode(value).decode() for key, value in data.items()}
    return Account(values["MLFLOW_TRACKING_USERNAME"], values["MLFLOW_TRACKING_PASSWORD"])
