"""`ziggurat restore`: puts a backup back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.commands.backup import open_backups, timeout_option
from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.platform import DeclinedError, require_answerable, stack_options
from ziggurat.errors import ZigguratError

if TYPE_CHECKING:
    from ziggurat.backup.repository import Backups, Snapshot

_PIPELINES = {
    "restored": "what pipelines recorded is that of the backup, too",
    "kept": "the backup has nothing of pipelines: they are left as they were",
    "absent": "what the backup has of pipelines was left out: this platform has none",
    "foreign": "what the backup has of pipelines was left out: it names the namespaces of {source}'s teams",
}
"""What became of pipelines, as ziggurat/backup/restoring.py tells it."""


@click.command(
    epilog="""\b
Examples:
  ziggurat restore                                        the latest backup; asks for the platform's name
  ziggurat restore --snapshot 3e1de3c8 --confirm acme-ml  one of `ziggurat backup list`, without asking
  ziggurat restore --from old-ml --password-file key.txt  another platform's, from the same bucket"""
)
@blueprint_argument
@click.option(
    "--snapshot", default="latest", show_default=True, metavar="ID", help="Which backup; see backup list."
)
@click.option("--from", "source", metavar="PLATFORM", help="The platform that made it, if another one did.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the password of that platform's backups (ziggurat backup password).",
)
@click.option(
    "--prefix", metavar="PREFIX", help="Where in the bucket they lie, if not below that platform's name."
)
@click.option(
    "--confirm", "confirmed", metavar="NAME", help="The platform's name, to restore without asking."
)
@click.option(
    "--skip-backup", is_flag=True, help="Do not back up first what is there now, as when it is broken."
)
@timeout_option
@stack_options
@json_option
def command(
    blueprint: Path,
    snapshot: str,
    source: str | None,
    password_file: Path | None,
    prefix: str | None,
    confirmed: str | None,
    skip_backup: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Put a backup back: the database as it was, and every artifact that the backup has.

    What is there now is backed up first. The backup is fetched and checked as a whole before anything is
    overwritten. Artifacts that are newer than the backup stay where they are. What pipelines recorded comes
    back with it, if it is this platform's (or one's of the same name).
    """
    from ziggurat.backup.restoring import restore

    require_answerable(yes=bool(confirmed), as_json=as_json, instead="--confirm with the platform's name")
    if source and not password_file:
        raise click.UsageError(
            "--from needs --password-file: each platform's backups have their own password"
        )
    if prefix and not source:
        raise click.UsageError("--prefix needs --from: it says where that platform's backups lie")
    backups = open_backups(blueprint, as_json=as_json, **options)
    platform = backups.namespace
    _require_name(platform, confirmed)
    found = () if source else backups.list()
    chosen = snapshot if source else _choose(found, snapshot)
    if not confirmed:
        overwritten = _overwritten(backups, found, chosen, source)
        _ask(platform, overwritten, f"backup {chosen}{f' of {source}' if source else ''}")
    saved = None if skip_backup else backups.make("before-restore")
    password = password_file.read_text().strip() if password_file else None
    pipelines = restore(backups, chosen, source=source, prefix=prefix, password=password)
    if as_json:
        before = saved and saved.as_json()
        print_json({"restored": chosen, "from": source or platform, "before": before, "pipelines": pipelines})
        return
    click.echo(f"restored: backup {chosen} of {source or platform}")
    if pipelines in _PIPELINES:
        click.echo(_PIPELINES[pipelines].format(source=source))
    if saved:
        click.echo(f"what was there before is backup {saved.id}")


def _require_name(platform: str, confirmed: str | None) -> None:
    if confirmed and confirmed != platform:
        raise click.UsageError(f"--confirm names {confirmed}, but this platform is {platform}")


def _choose(found: tuple[Any, ...], snapshot: str) -> str:
    """The id of the backup: `latest` is named now, before another one is made, and is none of those."""
    if not found:
        raise ZigguratError("there is no backup yet", remedy="ziggurat backup now makes one")
    if snapshot == "latest":
        made = [each.id for each in found if each.kind != "before-restore"]
        return str(made[-1] if made else found[-1].id)
    if snapshot not in [each.id for each in found]:
        raise ZigguratError(
            f"there is no backup {snapshot}", remedy=f"there are: {', '.join(each.id for each in found)}"
        )
    return snapshot


def _overwritten(backups: Backups, found: tuple[Snapshot, ...], chosen: str, source: str | None) -> str:
    """What is overwritten beside the database; what another repository's backup has is not known yet."""
    if source:
        too = source == backups.namespace
    else:
        too = any(each.pipelines for each in found if each.id == chosen)
    more = ", and what its pipelines recorded" if too and backups.has_pipelines() else ""
    return f"and its artifacts{more}"


def _ask(platform: str, more: str, what: str) -> None:
    click.echo(f"overwrites the database of {platform}, {more}, by {what}", err=True)
    if click.prompt(f"type {platform} to go on", default="", show_default=False, err=True) != platform:
        raise DeclinedError("nothing was changed")
