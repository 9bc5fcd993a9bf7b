"""The files of a Pulumi project that runs a blueprint; the text of each is in ziggurat/templates/."""

from __future__ import annotations

import importlib.resources
from string import Template

from blueprints.schema import FILE as SCHEMA

BLUEPRINT = "blueprint.yaml"
"""The file that `ziggurat init` writes the blueprint to."""


def project_files(name: str, phase: str) -> dict[str, str]:
    """The files of a new project for a platform `name`, by their names in its folder."""
    return {
        BLUEPRINT: Template(_text("blueprint.yaml")).substitute(name=name, phase=phase),
        "blueprint.schema.json": SCHEMA.read_text(encoding="utf-8"),
        "Pulumi.yaml": pulumi_yaml(default_blueprint=BLUEPRINT),
        "__main__.py": _text("__main__.py"),
        ".gitignore": _text("gitignore"),
    }


def pulumi_yaml(*, main: str | None = None, default_blueprint: str | None = None) -> str:
    """The text of Pulumi.yaml.

    `main` is the folder of the program (default: that of Pulumi.yaml itself). `default_blueprint` is the
    blueprint of stacks that set none; without it Pulumi insists that they do.
    """
    text = _text("Pulumi.yaml")
    if main is not None:
        text = text.replace("runtime: python\n", f"runtime: python\nmain: {main}\n")
    if default_blueprint is not None:
        key = "  blueprint:\n    type: string\n"
        text = text.replace(key, f"{key}    default: {default_blueprint}\n")
    return text


def _text(template: str) -> str:
    return (importlib.resources.files("ziggurat") / "templates" / template).read_text(encoding="utf-8")
