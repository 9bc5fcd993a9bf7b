"""What the language says about a place of a blueprint: its keys, its rule in words, its documentation.

A walk over the JSON Schema beside the user's data, which decides between the modes of a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blueprints.document import Where, child
from blueprints.schema import Schema, schema


def step(node: Schema, key: str | int) -> Schema:
    """The schema of what `key` holds in a part of schema `node`; empty where there is no such key."""
    if isinstance(key, int):
        return expand(node.get("items", {}))
    inner: Schema = node.get("properties", {}).get(key) or node.get("additionalProperties") or {}
    return expand(inner)


def expand(node: Schema) -> Schema:
    """`node` with what it refers to put in; its own words go before those of the other."""
    reference = node.get("$ref")
    if reference is None:
        return node
    definition: Schema = schema()["$defs"][reference.rsplit("/", 1)[1]]
    return expand({**definition, **{key: value for key, value in node.items() if key != "$ref"}})


def modes(node: Schema) -> dict[str, Schema]:
    """The modes of a part that has several, by name; empty for any other."""
    mapping: Mapping[str, str] = node.get("discriminator", {}).get("mapping", {})
    return {mode: expand({"$ref": reference}) for mode, reference in mapping.items()}


def chosen(node: Schema, data: Any) -> Schema:
    """The schema of the mode that `data` chooses; `node` itself where there is no choice."""
    mode = child(data, "mode")
    return modes(node).get(mode, node) if isinstance(mode, str) else node


def node_at(where: Where, data: Any) -> Schema:
    """The schema of the place `where` of a blueprint whose data is `data`."""
    node = schema()
    for key in where:
        node = step(chosen(node, data), key)
        data = child(data, key)
    return node


def where_of(location: Sequence[str | int], data: Any) -> tuple[Where, bool]:
    """pydantic's location of an error as a place of the file, and whether it is the key that is wrong.

    pydantic puts the chosen mode (`database`, `external`, `host`) and `[key]` among the keys.
    """
    node = schema()
    where: Where = ()
    on_key = False
    remaining = list(location)
    while remaining:
        if modes(node):
            remaining.pop(0)
            node = chosen(node, data)
            continue
        key = remaining.pop(0)
        if key == "[key]" and not remaining:
            on_key = True
            break
        where = (*where, key)
        node, data = step(node, key), child(data, key)
    return where, on_key


def summary(node: Schema) -> str:
    """The first sentence of a place's documentation."""
    description: str = node.get("description", "")
    return description.split("; ")[0].split(". ")[0].rstrip(".")
