"""`ziggurat version`: what is installed."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from ziggurat.commands.options import json_option, print_json

PACKAGES = {"ziggurat": "ziggurat", "pulumi": "pulumi", "pulumi-kubernetes": "pulumi-kubernetes"}
"""What is shown, by the name of its Python distribution."""


def versions() -> dict[str, str]:
    """The versions of what Ziggurat is made of; read from package metadata, nothing is imported."""
    return {name: metadata.version(package) for name, package in PACKAGES.items()} | {
        "python": platform.python_version()
    }


@click.command(
    epilog="""\b
Examples:
  ziggurat version
  ziggurat version --json | jq -r .pulumi"""
)
@json_option
def command(as_json: bool) -> None:
    """Print the versions of Ziggurat, its Pulumi SDK and provider package, and Python.

    `ziggurat tools` says which engine, plugin and sandbox programs are used.
    """
    found = versions()
    if as_json:
        print_json(found)
        return
    width = max(map(len, found))
    for name, version in found.items():
        click.echo(f"{name:<{width}}  {version}")
