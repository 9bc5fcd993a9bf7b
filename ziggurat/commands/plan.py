"""`ziggurat plan`: every object that a blueprint makes, without engine or cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.exit_codes import ExitCode

if TYPE_CHECKING:
    from ziggurat.plan import Plan


def make_plan(blueprint: Path, kubernetes: str | None) -> Plan:
    """The plan of a blueprint file for a Kubernetes version; notes go to standard error.

    `BlueprintError` for a blueprint that cannot be used, `click.BadParameter` for a version that is none.
    """
    from blueprints import load
    from ziggurat.plan import DEFAULT_VERSION, available_versions, nearest_version, plan
    from ziggurat.progress import Progress

    wanted = kubernetes or DEFAULT_VERSION
    versions = available_versions()
    try:
        version = nearest_version(wanted)
    except ValueError as error:
        raise click.BadParameter(
            f"{error}; known are {versions[0]} to {versions[-1]}", param_hint="--kubernetes"
        ) from error
    loaded = load(blueprint)
    progress = Progress()
    for warning in loaded.warnings:
        progress.warn(str(warning))
    if not wanted.removeprefix("v").startswith(version):
        progress.note(f"no schemas of Kubernetes {wanted} are known; the nearest are those of {version}")
    return plan(loaded, kubernetes_version=version)


def report_problems(*plans: Plan) -> ExitCode:
    """Prints what Kubernetes would refuse, and what could not be checked, on standard error."""
    for each in plans:
        if unchecked := each.schemas.unchecked:
            click.echo(_unchecked(unchecked), err=True)
        for problem in each.problems:
            click.echo(f"error: {problem}", err=True)
    return ExitCode.FAILED if any(each.problems for each in plans) else ExitCode.OK


def _unchecked(labels: Sequence[str]) -> str:
    """One line however many there are: a platform with all capabilities has dozens (`--json` lists them)."""
    kinds = Counter(label.split()[0] for label in labels)
    amounts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return f"note: {len(labels)} objects were not checked, as no schema of them is known: {amounts}"


@click.command(
    epilog="""\b
Examples:
  ziggurat plan                                    plan blueprint.yaml here
  ziggurat plan acme.yaml --kubernetes 1.33        check for that Kubernetes version
  ziggurat plan new.yaml --diff old.yaml           what turns old.yaml's platform into new.yaml's
  ziggurat plan acme.yaml --json | jq '.objects[] | select(.holdsData) | .name'

\b
Exit codes: 0 all is well; 1 Kubernetes would refuse an object; 3 the blueprint is wrong."""
)
@blueprint_argument
@json_option
@click.option(
    "--kubernetes",
    metavar="VERSION",
    help="Check objects for this Kubernetes version, or the nearest known.  [default: 1.36]",
)
@click.option(
    "--diff",
    "other",
    metavar="OLD",
    type=click.Path(path_type=Path),
    help="Show what turns the platform of this other blueprint into BLUEPRINT's, instead of the whole plan.",
)
def command(blueprint: Path, as_json: bool, kubernetes: str | None, other: Path | None) -> ExitCode:
    """List every object that a blueprint makes, and check each against Kubernetes' own schemas.

    Made in this process, without engine, cluster or network, by the same program that `up` runs. Shown are
    the components with their objects, which of them hold data, what they ask of the cluster, and the images.
    Secret values are masked. What an existing platform would have to change, `ziggurat preview` tells.
    """
    planned = make_plan(blueprint, kubernetes)
    before = make_plan(other, kubernetes) if other else None
    if as_json:
        _print_json(planned, before, blueprint, other)
        return ExitCode.FAILED if planned.problems else ExitCode.OK
    _print(planned, before, blueprint, other)
    return report_problems(planned)


def _print(planned: Plan, before: Plan | None, blueprint: Path, other: Path | None) -> None:
    from ziggurat.plan import compare, report

    console = report.console()
    if before is None:
        drawn = report.draw_plan(planned)
    else:
        drawn = report.draw_difference(compare(before, planned), str(other), str(blueprint))
    for part in drawn:
        console.print(part, soft_wrap=isinstance(part, str))


def _print_json(planned: Plan, before: Plan | None, blueprint: Path, other: Path | None) -> None:
    from ziggurat.plan import compare, report

    if before is None:
        print_json(report.plan_as_json(planned))
    else:
        print_json(report.difference_as_json(compare(before, planned), str(other), str(blueprint)))
