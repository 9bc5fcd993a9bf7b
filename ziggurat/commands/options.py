"""Options and arguments that several verbs share, so that each is spelt and explained the same everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ziggurat.outcome import Invocation

T = TypeVar("T", bound=Callable[..., Any])

DEFAULT_BLUEPRINT = Path("blueprint.yaml")
"""The blueprint that a verb takes where none is named: what `ziggurat init` writes."""


def _note_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    """Tells the run that errors are to be JSON as well."""
    invocation = ctx.find_object(Invocation)
    if invocation is not None:
        invocation.json = invocation.json or value
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,  # so that an error of another option is JSON too
    callback=_note_json,
    help="Print one JSON object on standard output, errors too.",
)
"""`--json`; the command's parameter is `as_json: bool`."""

blueprint_argument = click.argument(
    "blueprint",
    type=click.Path(path_type=Path),  # the loader says what is wrong with the file
    default=DEFAULT_BLUEPRINT,
    metavar="[BLUEPRINT]",
)
"""The blueprint file, by default `blueprint.yaml` here; the command's parameter is `blueprint: Path`."""


def timeout(help_text: str, default: float | None = None, *, least: float = 1) -> Callable[[T], T]:
    """`--timeout`; the command's parameter is `seconds: float`, or `float | None` without a default."""
    return click.option(
        "--timeout",
        "seconds",
        type=click.FloatRange(min=least),
        default=default,
        show_default=default is not None,
        metavar="SECONDS",
        help=help_text,
    )


def print_json(value: Any) -> None:
    """Prints a command's result for a machine: one object, on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
