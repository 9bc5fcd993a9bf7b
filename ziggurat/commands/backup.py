"""`ziggurat backup`: makes, lists and verifies the backups of a running platform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json, timeout
from ziggurat.commands.platform import open_serving, stack_options

if TYPE_CHECKING:
    from ziggurat.backup.repository import Backups

DEFAULT_SECONDS = 3600.0
"""How long a backup may take before it is no longer waited for."""

timeout_option = timeout("How long to wait; what runs on the cluster goes on.", DEFAULT_SECONDS)


@click.group(
    epilog="""\b
Examples:
  ziggurat backup now                     of the platform of ./blueprint.yaml
  ziggurat backup list acme.yaml --json
  ziggurat backup verify --timeout 7200

\b
Backups are made on the blueprint's schedule (`backup: {schedule: ..., keep: ...}`); these verbs
run the same Jobs now. docs/operations.md says what a backup holds and how to bring one back.
See also: ziggurat restore"""
)
def command() -> None:
    """Backups of the databases and the artifacts: make, list, verify."""


def _verb(function: Callable[..., None]) -> Callable[..., None]:
    for option in (json_option, timeout_option, stack_options, blueprint_argument):
        function = option(function)
    return function


def open_backups(blueprint: Path, *, seconds: float, as_json: bool, **target: Any) -> Backups:
    """The backups of the blueprint's platform; ClusterError where no containers run."""
    from ziggurat.backup.repository import Backups
    from ziggurat.progress import Progress

    cluster, outputs = open_serving(blueprint, quiet=as_json, purpose="no backups are made", **target)
    return Backups(cluster, str(outputs["namespace"]), Progress(quiet=as_json), seconds)


@command.command("now")
@_verb
def now(blueprint: Path, as_json: bool, **options: Any) -> None:
    """Make a backup now, and wait for it."""
    made = open_backups(blueprint, as_json=as_json, **options).make()
    if as_json:
        print_json({"made": made.as_json()})
    else:
        click.echo(made.line())


@command.command("list")
@_verb
def list_(blueprint: Path, as_json: bool, **options: Any) -> None:
    """List the backups, oldest first: id, time, kind, size before compression, number of files.

    Of those that have the part of pipelines it says so.
    """
    found = open_backups(blueprint, as_json=as_json, **options).list()
    if as_json:
        print_json({"backups": [each.as_json() for each in found]})
    else:
        click.echo("\n".join(each.line() for each in found) or "no backup yet: ziggurat backup now makes one")


@command.command("verify")
@_verb
def verify(blueprint: Path, as_json: bool, **options: Any) -> None:
    """Read every byte of every backup and compare it with its checksum. Exit code 1 if one is damaged."""
    backups = open_backups(blueprint, as_json=as_json, **options)
    backups.verify()
    count = len(backups.list())
    if as_json:
        print_json({"verified": count})
    else:
        click.echo(f"{count} backup{'s'[: count != 1]} read: every checksum is right")


@command.command("password")
@_verb
def password(blueprint: Path, as_json: bool, **options: Any) -> None:
    """Print the password that the backups are encrypted with. Keep it where no cluster's loss reaches it.

    It follows from the stack's root secret; with both lost, nobody reads the backups again.
    """
    text = open_backups(blueprint, as_json=as_json, **options).password()
    if as_json:
        print_json({"password": text})
    else:
        click.echo(text)
