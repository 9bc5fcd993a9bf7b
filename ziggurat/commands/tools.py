"""`ziggurat tools`: the external programs, which are here, and getting the rest."""

from __future__ import annotations

from typing import Any

import click

from ziggurat.commands.options import json_option, print_json
from ziggurat.exit_codes import ExitCode


@click.group(
    epilog="""\b
Examples:
  ziggurat tools list                 what is here, from where, in which version
  ziggurat tools ensure               get all that is missing: the makers' downloads, else builds
  ziggurat tools ensure pulumi etcd   get some
  $(ziggurat tools path kubectl) version

\b
Exit codes: 0 all is well; 5 a tool is missing or cannot be had.
ZIGGURAT_DOWNLOADS=off builds everything from Go modules; docs/toolchain.md tells more."""
)
def command() -> None:
    """The external programs: which are here, and getting the rest."""


@command.command("list")
@json_option
def list_tools(as_json: bool) -> None:
    """Say which programs are here. Fetches and builds nothing."""
    from ziggurat.settings import Settings
    from ziggurat.toolchain import locate
    from ziggurat.toolchain.table import FAMILIES

    settings = Settings.from_environment()
    rows: list[dict[str, Any]] = []
    for family in FAMILIES.values():
        for tool in family.tools:
            located = locate(tool.name, settings)
            rows.append(
                {
                    "name": tool.name,
                    "purpose": tool.purpose,
                    "version": located.version if located else None,
                    "source": located.source if located else None,
                    "path": str(located.path) if located else None,
                    "wanted": family.version,
                    "minimum": family.minimum,
                }
            )
    if as_json:
        print_json({"tools": rows})
        return
    for row in rows:
        here = f"{row['version']:<10} {row['source']:<12} {row['path']}" if row["path"] else "missing"
        click.echo(f"{row['name']:<24} {here}")
    if any(row["path"] is None for row in rows):
        click.echo("`ziggurat tools ensure` gets what is missing", err=True)


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def ensure(names: tuple[str, ...], as_json: bool) -> None:
    """Get the named programs, or all: what is here is kept, the rest is downloaded or built."""
    from ziggurat.progress import Progress
    from ziggurat.settings import Settings
    from ziggurat.toolchain import ENGINE, SANDBOX
    from ziggurat.toolchain import ensure as get

    located = get(names or (*ENGINE, *SANDBOX), Settings.from_environment(), Progress())
    if as_json:
        tools = [
            {"name": tool.name, "version": tool.version, "source": tool.source, "path": str(tool.path)}
            for tool in located.values()
        ]
        print_json({"tools": tools})
        return
    for tool in located.values():
        click.echo(f"{tool.name:<24} {tool.version:<10} {tool.source:<12} {tool.path}")


@command.command()
@click.argument("name")
@json_option
def path(name: str, as_json: bool) -> ExitCode:
    """Print where a program is. Fetches and builds nothing."""
    from ziggurat.errors import ToolError
    from ziggurat.settings import Settings
    from ziggurat.toolchain import locate

    located = locate(name, Settings.from_environment())
    if located is None:
        raise ToolError(f"{name} is not here", remedy=f"ziggurat tools ensure {name}")
    if as_json:
        print_json({"name": name, "path": str(located.path), "version": located.version})
    else:
        click.echo(str(located.path))
    return ExitCode.OK
