"""`ziggurat rotate`: new passwords and keys for a running platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ziggurat.commands.options import DEFAULT_BLUEPRINT, json_option, print_json
from ziggurat.commands.platform import confirm, open_platform, require_answerable, stack_options

if TYPE_CHECKING:
    from ziggurat.engine.rotation import Rotated
    from ziggurat.engine.runs import Run

_NAMES = (
    "database",
    "database-owner",
    "bucket",
    "bucket-provisioner",
    "bucket-backup",
    "sessions",
    "admin",
    "grafana",
    "account:",
)
"""What may be named, for the shell's completion: components/rotation.py has the table."""

_FILES = (".yaml", ".yml")


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = [CompletionItem(name) for name in _NAMES if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


@click.command(
    epilog="""\b
Examples:
  ziggurat rotate --list                      what can be rotated, how often it was, what restarts
  ziggurat rotate database                    the password of MLflow's role in PostgreSQL
  ziggurat rotate acme.yaml account:ada --yes one user's password, without asking (CI)
  ziggurat rotate --all                       everything in the list

\b
Never rotated: the passphrase and the key with which MLflow encrypts what it stores (API keys, webhooks'
secrets); another value would make that unreadable. What you bring is yours to change.
Exit codes: 8 if a run has to be completed first (docs/exit-codes.md)"""
)
@click.argument("words", nargs=-1, metavar="[BLUEPRINT] [NAME]...", shell_complete=_complete)
@click.option("--all", "everything", is_flag=True, help="Rotate everything that can be.")
@click.option("--list", "list_only", is_flag=True, help="Say what can be rotated; changes nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@stack_options
@json_option
def command(
    words: tuple[str, ...],
    everything: bool,
    list_only: bool,
    yes: bool,
    stack: str | None,
    sandbox: bool,
    stand_in: bool,
    as_json: bool,
) -> None:
    """Give a running platform new passwords and keys, and restart what reads them.

    Shows what that changes and asks. No data is touched. If the run fails, `ziggurat up` completes it; until
    then nothing can be rotated again.
    """
    blueprint, names = split(words)
    if [list_only, everything, bool(names)].count(True) != 1:
        raise click.UsageError("name what to rotate, or give --all; --list says what there is")
    if not list_only:
        require_answerable(yes=yes, as_json=as_json)
    run = open_platform(
        blueprint, stack=stack, sandbox=sandbox, stand_in=stand_in, quiet=as_json, runs_engine=not list_only
    )
    from ziggurat.engine.rotation import listing

    result = listing(run) if list_only else _rotate(run, names, yes=yes, quiet=as_json)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo(result.text())


def split(words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The blueprint and the names: a first word that looks like a file is the blueprint; no name does."""
    if words and not words[0].startswith("account:") and ("/" in words[0] or words[0].endswith(_FILES)):
        return Path(words[0]), words[1:]
    return DEFAULT_BLUEPRINT, words


def _rotate(run: Run, names: tuple[str, ...], *, yes: bool, quiet: bool) -> Rotated:
    """Rotates `names`, or everything where there are none."""
    from components.rotation import rotatables
    from ziggurat.engine.rotation import choose, prepare

    chosen = choose(run, names) if names else rotatables(run.loaded.blueprint)
    rotation = prepare(run, chosen)
    if not quiet:
        click.echo(rotation.text(), err=True)
    if not yes:
        confirm(f"rotate this on {run.target.platform} on {run.target.description}?")
    return rotation.carry_out()
