"""The JSON Schema of the language, generated from the model and kept in blueprints/schema.json.

Editors complete blueprints with it; error messages and docs/blueprint.md take their words from it, so
each key is explained in one place: the string under its field. `python -m blueprints.schema` writes it;
a test fails while the file is stale.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("schema.json")

Schema = dict[str, Any]


@cache
def schema() -> Schema:
    """The committed schema."""
    loaded: Schema = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def generate() -> Schema:
    """The schema that the model has now (draft 2020-12)."""
    from blueprints.model import Blueprint
    from blueprints.model.base import Part
    from blueprints.phases import CAPABILITIES

    made = Blueprint.model_json_schema()
    parts = {part.__name__: part for part in _descendants(Part)}
    for name, definition in {"Blueprint": made, **made["$defs"]}.items():
        documentation = field_docs(parts[name]) if name in parts else {}
        for key, node in definition.get("properties", {}).items():
            definition["properties"][key] = _tidy({**node, "description": documentation.get(key, "")})
        definition.pop("title", None)
    for capability in CAPABILITIES:
        node = made["properties"][capability.key]
        node["x-phase"] = capability.since.value
        node["x-built"] = capability.built
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ziggurat blueprint",
        **made,
    }


def field_docs(part: type[Any]) -> dict[str, str]:
    """What the strings under the fields of a model say, by the key that the file has for the field."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(part))).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - the source of a class is a class
    docs: dict[str, str] = {}
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            alias = part.model_fields[statement.target.id].alias
            docs[alias or statement.target.id] = " ".join(str(following.value.value).split())
    return docs


def _descendants(part: type[Any]) -> list[type[Any]]:
    return [one for child in part.__subclasses__() for one in (child, *_descendants(child))]


def _tidy(node: Schema) -> Schema:
    """Without what pydantic adds for Python's sake: titles, and null for keys that may be left out.

    A blueprint has no nulls: an empty value is refused.
    """
    node = {key: value for key, value in node.items() if key != "title" and value is not None}
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del node["anyOf"]
        node = {**options[0], **node}
    if "patternProperties" in node:
        # pydantic's way to say what keys look like leaves keys that do not match unchecked.
        [(pattern, inner)] = node.pop("patternProperties").items()
        node["propertyNames"] = {"pattern": pattern, **node["propertyNames"]}
        node["additionalProperties"] = inner
    return node


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(generate(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
