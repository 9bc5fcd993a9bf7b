"""`ziggurat init`: a new project."""

from __future__ import annotations

from pathlib import Path

import click

from blueprints.loader import loads
from blueprints.phases import BUILT_PHASES, Phase
from ziggurat.commands.options import json_option, print_json
from ziggurat.errors import ZigguratError
from ziggurat.project import BLUEPRINT, project_files


@click.command(
    epilog="""\b
Examples:
  ziggurat init                        a project in this folder, named after it
  ziggurat init acme --name acme-ml    a project in ./acme for the platform acme-ml
  cd acme && ziggurat validate"""
)
@click.argument("directory", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--name", help="The platform's name; by default that of the folder.")
@click.option(
    "--phase",
    type=click.Choice([phase.value for phase in Phase if phase in BUILT_PHASES]),
    default=Phase.STARTER.value,
    show_default=True,
    help="How mature the practice is.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@json_option
def command(directory: Path, name: str | None, phase: str, force: bool, as_json: bool) -> None:
    """Start a project in DIR (default: this folder).

    Writes a commented blueprint.yaml with the JSON Schema that editors complete it with, and the Pulumi
    program that runs it. Nothing that is there already is overwritten.
    """
    files = project_files(name or directory.resolve().name, phase)
    loads(files[BLUEPRINT], directory / BLUEPRINT)  # raises for a name that cannot be used
    write_files(directory, files, overwrite=force)
    paths = [str(directory / file) for file in files]
    if as_json:
        print_json({"directory": str(directory), "files": paths})
        return
    for path in paths:
        click.echo(f"wrote {path}")
    click.echo(f"next: ziggurat validate {directory / BLUEPRINT}", err=True)


def write_files(directory: Path, files: dict[str, str], *, overwrite: bool) -> None:
    """Writes all the files, or none where one is there already and may not be overwritten."""
    if directory.exists() and not directory.is_dir():
        raise ZigguratError("is not a folder", where=str(directory), remedy="name a folder")
    present = [file for file in files if (directory / file).exists()]
    if present and not overwrite:
        raise ZigguratError(
            f"there already: {', '.join(present)}",
            where=str(directory),
            remedy="name another folder, or overwrite with --force",
        )
    directory.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (directory / file).write_text(text, encoding="utf-8")
