"""A blueprint file as data, with the place of every value and what is wrong with it so far."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from blueprints.problems import Problem

Where = tuple[str | int, ...]
"""The way to a value: keys and list indices from the document's root."""


@dataclass(frozen=True)
class Place:
    """A place in the file; lines and columns count from 1."""

    line: int
    column: int


@dataclass
class Document:
    """A file's data and where each part of it stands."""

    file: str
    """The file as the user named it."""
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    keys: dict[Where, Place] = field(default_factory=dict[Where, Place])
    """Where the key (or the list item) of each value stands."""
    written: dict[Where, str] = field(default_factory=dict[Where, str])
    """Each scalar as the file has it, in quotes if it is there."""
    problems: list[Problem] = field(default_factory=list[Problem])
    refused: set[Where] = field(default_factory=set[Where])
    """The places that are known to be wrong; nothing more is said of them."""

    def place(self, where: Where) -> Place:
        """Where `where` stands; for what is not in the file, the nearest thing around it that is."""
        while where and where not in self.keys:
            where = where[:-1]
        return self.keys.get(where, Place(1, 1))

    def refuse(
        self,
        where: Where,
        message: str,
        *,
        value: str = "",
        rule: str = "",
        remedy: str = "",
        at: Place | None = None,
    ) -> None:
        """Notes a problem with the value at `where`, shown at that place or at `at`."""
        if where:
            self.refused.add(where)
        place = at or self.place(where)
        self.problems.append(
            Problem(
                self.file, place.line, place.column, path_text(where), message, shorten(value), rule, remedy
            )
        )

    def is_suspect_within(self, where: Where) -> bool:
        """Whether something at or under `where` has been refused."""
        return any(other[: len(where)] == where for other in self.refused)

    def is_suspect(self, where: Where) -> bool:
        """Whether something at, under or around `where` has been refused, so that no more can be said."""
        return self.is_suspect_within(where) or any(where[: len(other)] == other for other in self.refused)


def path_text(where: Where) -> str:
    """`teams.vision.groups[0]`; keys that are not plain words stand in quotes."""
    parts: list[str] = []
    for step in where:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            plain = re.fullmatch(r"[\w-]+", step)
            parts.append(("." if parts else "") + (step if plain else json.dumps(shorten(step))))
    return "".join(parts)


def shorten(text: str, limit: int = 60) -> str:
    """`text` on one line and no longer than `limit`."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def kind(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "text"


def mapping(value: object) -> dict[str, Any] | None:
    """`value` if it is a mapping of the document; their keys are always text."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def sequence(value: object) -> list[Any] | None:
    """`value` if it is a list."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def child(data: object, key: str | int) -> Any:
    """What `data` holds under `key`; None where it holds nothing there."""
    inside, items = mapping(data), sequence(data)
    if inside is not None:
        return inside.get(str(key))
    if items is not None and isinstance(key, int) and key < len(items):
        return items[key]
    return None


def leaves(value: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every single value of plain data, with its place; an empty map or list counts as one."""
    inside, items = mapping(value), sequence(value)
    if not inside and not items:
        yield where, value
    for key, inner in (inside or dict(enumerate(items or ()))).items():
        yield from leaves(inner, (*where, key))
