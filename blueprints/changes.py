"""Changes of a running platform that would leave data behind, found by comparing two resolved blueprints.

Which keys may not change, or only grow, is data of the model (`IMMUTABLE`, `GROW_ONLY`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blueprints.document import Where, child, leaves, path_text
from blueprints.guide import node_at
from blueprints.loader import plain
from blueprints.model import Blueprint
from blueprints.quantities import amount


@dataclass(frozen=True)
class Change:
    """One change that is not allowed."""

    path: str
    """Where in the blueprint, such as `database.storage`."""
    before: str
    """The value that runs; empty where the key was left out."""
    after: str
    """The value that is asked for; empty where the key is left out now."""
    rule: str
    """Why it is refused."""
    remedy: str = ""
    """How to get there all the same; empty where there is no way."""

    def __str__(self) -> str:
        """`path: before -> after — rule`, as problems of a blueprint are shown."""
        return f"{self.path}: {self.before or '(left out)'} -> {self.after or '(left out)'} — {self.rule}"


def illegal_changes(old: Mapping[str, Any], new: Blueprint) -> tuple[Change, ...]:
    """The changes from `old` to `new` that may not happen to a running platform, in the order of the keys.

    `old` is the resolved blueprint that was applied last (`Loaded.resolved()`, kept in the stack's state).
    Where a part's mode changes, only that is reported: the rest of the part means something else then.
    """
    before, after = dict(old), plain(new)
    places = dict.fromkeys(where for data in (before, after) for where, _ in leaves(data))
    changes = (_change(where, before, after) for where in places)
    return tuple(change for change in changes if change is not None)


def _change(where: Where, before: dict[str, Any], after: dict[str, Any]) -> Change | None:
    """What is wrong with the change at one place, if anything is.

    A capability that is asked for now, and was not before, has no data that could be left behind. One that is
    not asked for any longer leaves none behind either: what holds its data is protected until it is named.
    """
    if before.get(str(where[0])) is None or after.get(str(where[0])) is None:
        return None
    mode = (*where[:-1], "mode")
    if where != mode and _value(before, mode) != _value(after, mode):
        return None
    node = node_at(where, before) or node_at(where, after)
    was, becomes = _value(before, where), _value(after, where)
    if node.get("x-immutable") and was != becomes:
        rule = "cannot change while the platform runs: its data would be left behind"
    elif node.get("x-grow-only") and was and becomes and amount(becomes) < amount(was):
        rule = "a volume may grow, never shrink"
    else:
        return None
    return Change(path_text(where), was, becomes, rule, _MOVES.get(where, ""))


_ELSEWHERE = (
    "to move the data: `ziggurat backup now`, then `ziggurat restore` into a new platform "
    "(docs/operations.md, Another database)"
)
_MOVES: dict[Where, str] = {
    (part, key): _ELSEWHERE for part in ("database", "artifacts") for key in ("mode", "storageClass")
}
"""How data moves where a value may not change, by the value's place."""


def _value(data: Any, where: Where) -> str:
    """The value at a place as text; empty where there is none."""
    for key in where:
        data = child(data, key)
    return "" if data is None else str(data)
