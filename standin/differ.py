"""What has changed: live state cut to the shape of the inputs, compared with the new inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, cast

from standin import paths, replaces
from standin.paths import Path
from standin.wire import Object, Unknown


@unique
class Kind(Enum):
    """How a property has changed; the values are those of the protocol (the replacing kind is one more)."""

    ADD = 0
    DELETE = 2
    UPDATE = 4


@dataclass(frozen=True)
class Change:
    """One property that differs."""

    path: Path
    kind: Kind
    value: Any
    """The new value; None where it is gone."""
    replace: bool = False
    """Whether the object must be replaced for it."""

    @property
    def shown(self) -> str:
        """Its path as the engine reads it."""
        return paths.show(self.path)


def prune(source: Any, shape: Any) -> Any:
    """`source` cut to the keys and the lengths that `shape` has; differing types are left as they are."""
    if isinstance(source, dict) and isinstance(shape, dict):
        known, wanted = cast("Object", source), cast("Object", shape)
        return {key: prune(value, wanted[key]) for key, value in known.items() if key in wanted}
    if isinstance(source, list) and isinstance(shape, list):
        items, parts = cast("list[Any]", source), cast("list[Any]", shape)
        return [prune(item, part) for item, part in zip(items, parts, strict=False)]
    if source is None and _is_empty(shape):
        return shape  # the server stores some empty lists as null
    return cast("Any", source)


def compare(old: Object, new: Object, fields: replaces.Fields, ignored: Sequence[Path] = ()) -> list[Change]:
    """The changes from `old` to `new`, those at or below an `ignored` path left out.

    `fields` force a replacement. A subtree that is new is one addition at its root.
    """
    changes: list[Change] = []
    for path, kind, value in _compare((), old, new):
        if paths.covered(path, ignored):
            continue
        value_known = None if isinstance(value, Unknown) else value
        replace = replaces.hits(fields, path, value_known) or (kind is Kind.DELETE and path == ("metadata",))
        changes.append(Change(path, kind, value, replace))
    return changes


Found = Iterator[tuple[Path, Kind, Any]]


def _compare(path: Path, old: Any, new: Any) -> Found:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_maps(path, cast("Object", old), cast("Object", new))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(path, cast("list[Any]", old), cast("list[Any]", new))
    elif isinstance(new, Unknown) or not _same(old, new):
        yield path, Kind.UPDATE, new


def _compare_maps(path: Path, old: Object, new: Object) -> Found:
    for key, value in new.items():
        if value is None and old.get(key) is None:
            continue
        if key not in old:
            yield (*path, key), Kind.ADD, value
        elif value is None:
            yield (*path, key), Kind.DELETE, None
        else:
            yield from _compare((*path, key), old[key], value)
    for key in old.keys() - new.keys():
        yield (*path, key), Kind.DELETE, None


def _compare_lists(path: Path, old: list[Any], new: list[Any]) -> Found:
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        yield from _compare((*path, index), before, after)
    for index in range(len(old), len(new)):
        yield (*path, index), Kind.ADD, new[index]
    for index in range(len(new), len(old)):
        yield (*path, index), Kind.DELETE, None


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or value == {}


def _same(old: Any, new: Any) -> bool:
    """Equal, and of one type: true is not 1 (but 1 is 1.0)."""
    if old is None and _is_empty(new):
        return True
    return isinstance(old, bool) == isinstance(new, bool) and old == new
