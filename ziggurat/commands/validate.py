"""`ziggurat validate`: what is wrong with blueprints, and what they come to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blueprints import BlueprintError, Loaded, Problem, load
from ziggurat.commands.options import DEFAULT_BLUEPRINT, json_option, print_json
from ziggurat.exit_codes import ExitCode
from ziggurat.outcome import RejectedBlueprintError
from ziggurat.resolved import render_resolved


@click.command(
    epilog="""\b
Examples:
  ziggurat validate                                    blueprint.yaml in this folder
  ziggurat validate blueprints/*.yaml                  several at once
  ziggurat validate blueprints/starter.yaml --resolved every value, and where it came from
  ziggurat validate --json | jq '.blueprints[].problems'

\b
Exit codes: 0 valid, 3 invalid."""
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--resolved", is_flag=True, help="Print the whole blueprint, and where each value came from.")
@json_option
def command(files: tuple[Path, ...], resolved: bool, as_json: bool) -> ExitCode:
    """Check blueprints (default: blueprint.yaml); nothing else is needed for it and nothing is changed.

    Says everything that is wrong at once, each problem as file:line:column: path: what is wrong (value)
    — the rule — what to do.
    """
    results = {file: _check(file) for file in files or (DEFAULT_BLUEPRINT,)}
    if as_json:
        print_json(_as_json(results, resolved=resolved))
    else:
        _print(results, resolved=resolved)
    valid = all(isinstance(result, Loaded) for result in results.values())
    return ExitCode.OK if valid else ExitCode.INVALID


def _check(file: Path) -> Loaded | BlueprintError:
    try:
        return load(file)
    except BlueprintError as error:
        return error


def _print(results: dict[Path, Loaded | BlueprintError], *, resolved: bool) -> None:
    """Results on standard output; problems and warnings on standard error."""
    problems: list[Problem] = []
    for file, result in results.items():
        if isinstance(result, BlueprintError):
            problems += result.problems
            continue
        for warning in result.warnings:
            click.echo(f"warning: {warning}", err=True)
        click.echo(render_resolved(result) if resolved else f"{file}: {describe(result)}")
    if problems:
        RejectedBlueprintError(BlueprintError(tuple(problems))).show()


def describe(loaded: Loaded) -> str:
    """`valid: acme-ml, phase starter, 2 teams, for the sandbox`."""
    blueprint = loaded.blueprint
    teams = "1 team" if len(blueprint.teams) == 1 else f"{len(blueprint.teams)} teams"
    target = f"context {blueprint.cluster.context}" if blueprint.cluster else "the sandbox"
    return f"valid: {blueprint.name}, phase {blueprint.phase}, {teams}, for {target}"


def _as_json(results: dict[Path, Loaded | BlueprintError], *, resolved: bool) -> dict[str, Any]:
    return {
        "valid": all(isinstance(result, Loaded) for result in results.values()),
        "blueprints": [
            {"file": str(file), **_result_json(result, resolved=resolved)} for file, result in results.items()
        ],
    }


def _result_json(result: Loaded | BlueprintError, *, resolved: bool) -> dict[str, Any]:
    if isinstance(result, BlueprintError):
        return {"valid": False, "problems": [asdict(problem) for problem in result.problems]}
    blueprint = result.blueprint
    shown: dict[str, Any] = {
        "valid": True,
        "platform": blueprint.name,
        "phase": blueprint.phase.value,
        "teams": sorted(blueprint.teams),
        "sandbox": blueprint.cluster is None,
        "context": blueprint.cluster.context if blueprint.cluster else None,
        "problems": [],
        "warnings": [asdict(warning) for warning in result.warnings],
    }
    if resolved:
        shown |= {"blueprint": result.resolved(), "source": result.source}
    return shown
