"""Two plans side by side: what appears, what changes and where, what goes, and which of it holds data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from ziggurat.plan.model import Plan, PlannedObject
from ziggurat.plan.planning import stackless
from ziggurat.plan.schemas import dotted


@dataclass(frozen=True)
class FieldChange:
    """One field that differs; None where it is absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ObjectChange:
    """One object that is not the same in both plans."""

    action: Literal["appears", "changes", "moves", "goes"]
    """`moves`: it gets another name or namespace, so it is made anew and the old one goes."""
    planned: PlannedObject
    """As it will be; as it was, if it goes."""
    fields: tuple[FieldChange, ...] = ()

    @property
    def touches_data(self) -> bool:
        """Whether an object that holds data goes or moves: the data would not come along."""
        return self.planned.protected and self.action in ("goes", "moves")


@dataclass(frozen=True)
class Difference:
    """What turns one plan into another."""

    changes: tuple[ObjectChange, ...]
    same: int
    """How many objects are the same in both."""

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.changes)


def compare(before: Plan, after: Plan) -> Difference:
    """What turns the platform of plan `before` into that of plan `after`.

    Objects are the same where their URN is, as to the engine. Secret values are masked in plans, so a change
    of theirs shows only in the fingerprints on pod templates. Which of the changed fields Kubernetes can
    change only by replacing the object, `ziggurat preview` tells.
    """
    old = {stackless(planned.urn): planned for planned in before.objects}
    new = {stackless(planned.urn): planned for planned in after.objects}
    changes: list[ObjectChange] = []
    for urn in old.keys() | new.keys():
        was, will = old.get(urn), new.get(urn)
        if was is None and will is not None:
            changes.append(ObjectChange("appears", will))
        elif will is None and was is not None:
            changes.append(ObjectChange("goes", was))
        elif was is not None and will is not None and was.manifest != will.manifest:
            fields = tuple(_fields((), was.manifest, will.manifest))
            action = "changes" if was.identity == will.identity else "moves"
            changes.append(ObjectChange(action, will, fields))
    changes.sort(key=lambda change: change.planned.order)
    appeared = sum(change.action == "appears" for change in changes)
    return Difference(
        tuple(changes), len(new) - appeared - sum(c.action in ("changes", "moves") for c in changes)
    )


def _fields(path: tuple[str | int, ...], before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for key in sorted(old.keys() | new.keys()):
            yield from _fields((*path, key), old.get(key), new.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(path, cast("list[Any]", before), cast("list[Any]", after))
    elif before != after:
        yield FieldChange(dotted(path), before, after)


def _items(path: tuple[str | int, ...], before: list[Any], after: list[Any]) -> Iterator[FieldChange]:
    """Items are matched by their names where they have any (containers, variables), else by their place."""
    old, new = _named(before), _named(after)
    if old is None or new is None:
        for index in range(max(len(before), len(after))):
            was = before[index] if index < len(before) else None
            will = after[index] if index < len(after) else None
            yield from _fields((*path, index), was, will)
        return
    for name in dict.fromkeys([*old, *new]):
        yield from _fields((*path, name), old.get(name), new.get(name))


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Items by their `name`; None if one has none, or two have the same."""
    named: dict[str, Any] = {}
    for item in items:
        if isinstance(item, dict) and "name" in item:
            named[str(cast("dict[str, Any]", item)["name"])] = item
    return named if len(named) == len(items) else None
