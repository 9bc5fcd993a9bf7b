"""The reference page of the language, docs/blueprint.md, generated from the JSON Schema.

`python -m blueprints.reference` writes it; a test fails while it is stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from blueprints.guide import expand, modes
from blueprints.phases import BUILT_PHASES, CAPABILITIES, DEFAULTS, MODES, Phase
from blueprints.schema import Schema, generate

FILE = Path(__file__).parents[1] / "docs" / "blueprint.md"

_HEAD = """\
# The blueprint

<!-- Generated from the model by `python -m blueprints.reference`; change the model, not this page. -->

A blueprint is one YAML file that declares a platform. `ziggurat validate` says everything that is wrong with
it; `ziggurat validate --resolved` shows it with every default filled in, and where each value came from.

How it is read:

- It is plain YAML 1.2: no anchors, aliases, merge keys or tags, each key once, one document, at most 1 MiB.
  Only `true` and `false` are booleans; `yes`, `no`, `on` and `off` are text.
- An empty value is refused. Leave a key out to get its default; write `{}` for a part with all its defaults.
- A quantity is Kubernetes' own (`500m`, `2`, `20Gi`); a plain number is taken as one.
- Maps are keyed by name, so their order never matters.
- A key that the phase does not unlock, or that this version does not build, is refused, never ignored.
- With `cluster:`, placeholders and documentation's host names (`example.com`, `*.example`) are refused.
- Secrets are never in a blueprint: it names Secrets that exist, or Ziggurat derives them.
"""


def page() -> str:
    """The text of the page."""
    top = generate()
    parts = [_HEAD, *_capabilities(), *_table("", top)]
    for key, node in top["properties"].items():
        parts += _part(key, expand(node))
    return "\n".join(parts).rstrip() + "\n"


def _capabilities() -> Iterator[str]:
    """What each phase unlocks, and what of it this version builds."""
    yield "## Phases\n"
    yield f"This version builds: {', '.join(f'`{phase}`' for phase in Phase if phase in BUILT_PHASES)}.\n"
    yield "| key | what it is | from phase | built |"
    yield "|---|---|---|---|"
    for capability in CAPABILITIES:
        yield f"| `{capability.key}` | {capability.title} | {capability.since} | {_yes(capability.built)} |"
    for mode in MODES:
        yield f"| `{mode.part}.mode: {mode.mode}` | {mode.title} | {mode.since} | {_yes(mode.built)} |"
    yield ""
    yield "Where the blueprint is silent, the phase sets:\n"
    yield "```json"
    yield json.dumps(DEFAULTS[Phase.STARTER], indent=2)
    yield "```\n"
    yield "A phase never changes the default of something that holds data.\n"


def _part(path: str, node: Schema) -> Iterator[str]:
    """The sections of a part and of the parts in it."""
    entries: Schema = node.get("additionalProperties") or {}
    if entries:
        inner, inner_path = expand(entries), f"{path}.<name>"
        if modes(inner):
            yield from _part(inner_path, inner)
            return
        yield from _table(inner_path, inner, node)
        yield from _parts_of(inner_path, inner)
    elif modes(node):
        for mode, inner in modes(node).items():
            yield from _table(f"{path} (mode: {mode})", inner)
            yield from _parts_of(path, inner)
    elif "properties" in node:
        yield from _table(path, node)
        yield from _parts_of(path, node)


def _parts_of(path: str, node: Schema) -> Iterator[str]:
    for key, inner in node.get("properties", {}).items():
        yield from _part(f"{path}.{key}", expand(inner))


def _table(path: str, node: Schema, map_node: Schema | None = None) -> Iterator[str]:
    """A heading, what the part is, and a table of its keys."""
    yield f"## `{path}`\n" if path else "## The top of the file\n"
    yield f"{node.get('description', '')}\n"
    names = (map_node or {}).get("propertyNames", {}).get("patternErrorMessage")
    if names:
        yield f"Names: {names}.\n"
    if not node.get("properties"):
        yield "It has no keys: write `{}`.\n"
        return
    yield "| key | value | default | what it is |"
    yield "|---|---|---|---|"
    for key, inner in node["properties"].items():
        required = key in node.get("required", ())
        yield f"| `{key}` | {_value(expand(inner))} | {_default(inner, required)} | {_about(inner)} |"
    yield ""


def _value(node: Schema) -> str:
    """What can be written there."""
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " or ".join(f"`{word}`" for word in node["enum"])
    if "x-quantity" in node:
        bounds = node["x-quantity"]
        return f"quantity from {bounds['minimum']} to {bounds['maximum']}"
    if modes(node):
        return f"mode {' or '.join(f'`{mode}`' for mode in modes(node))}"
    if node.get("type") == "array":
        return f"list of {_value(expand(node['items']))}"
    if node.get("type") == "object":
        return "map" if isinstance(node.get("additionalProperties"), dict) else "part"
    words = {"integer": "whole number", "boolean": "`true` or `false`", "string": "text"}[node["type"]]
    low, high = node.get("minimum"), node.get("maximum")
    bounds = f" from {low} to {high}" if high is not None else f" from {low} on" if low is not None else ""
    rule = node.get("patternErrorMessage")
    return f"{words}{bounds}" + (f": {rule}" if rule else "")


def _default(node: Schema, required: bool) -> str:
    if required:
        return "required"
    default = node.get("default")
    return "" if default is None or default in ([], {}) else f"`{json.dumps(default).strip(chr(34))}`"


def _about(node: Schema) -> str:
    """The key's documentation and what else is to be known of it."""
    notes = [node["description"]]
    if node.get("x-immutable"):
        notes.append("*Cannot be changed later.*")
    if node.get("x-built") is False:
        notes.append(f"*From phase {node['x-phase']} on; not built by this version.*")
    return " ".join(notes).replace("|", "\\|")


def _yes(value: bool) -> str:
    return "yes" if value else "not yet"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
