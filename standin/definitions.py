"""Real CustomResourceDefinitions, where a folder of them is at hand.

Ziggurat ships none: they come with the charts. The environment variable ZIGGURAT_TEST_CRDS names the folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import yaml

Object = dict[str, Any]

FOLDER: Final = "ZIGGURAT_TEST_CRDS"
"""The environment variable that names a folder with real definitions: `*.yaml`, of one document or more."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BETWEEN: Final = re.compile(r"^---\s*$", re.MULTILINE)


def of_group(folder: str, group: str) -> Iterator[Object]:
    """The definitions in a folder of the kinds of one API group."""
    return (each for each in _holding(folder, group) if each["spec"]["group"] == group)


def by_name(folder: str, names: Collection[str]) -> dict[str, Object]:
    """The definitions of these names (`PLURAL.GROUP`), as far as they are there; without their status.

    An empty `folder` is one without definitions.
    """
    return {
        name: {key: value for key, value in each.items() if key != "status"}
        for wanted in names
        for each in _holding(folder, wanted)
        if (name := each["metadata"]["name"]) == wanted
    }


def _holding(folder: str, word: str) -> Iterator[Object]:
    """The definitions in whose text there is a word. Others are not parsed: a folder holds megabytes."""
    for text in _texts(folder):
        if word in text:
            document = _parsed(text)
            if document.get("kind") == "CustomResourceDefinition":
                yield document


@cache
def _texts(folder: str) -> tuple[str, ...]:
    files = sorted(Path(folder).glob("*.yaml")) if folder else []
    return tuple(text for file in files for text in _BETWEEN.split(file.read_text(encoding="utf-8")))


@cache
def _parsed(text: str) -> Object:
    """One document. JSON is YAML too, and is parsed a hundred times as fast."""
    loaded: Any = json.loads(text) if text.startswith("{") else yaml.load(text, _LOADER)  # noqa: S506 - a safe one
    return cast("Object", loaded or {})
