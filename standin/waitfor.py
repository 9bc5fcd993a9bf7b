"""The annotation `pulumi.com/waitFor`: conditions of the user's own for when an object is ready.

`condition=TYPE[=STATUS]`, `jsonpath={PATH}[=VALUE]`, or a JSON list of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, cast

from standin.ready import Check, Lookup, Verdict, condition
from standin.wire import Object

_STEP: Final = re.compile(
    r"\.\.|\.?\[\?\(@\.([\w.-]+)\s*(==|!=)\s*['\"]?([^'\")]*)['\"]?\)\]"
    r"|\.?\[(\*|-?\d+)\]|\.?\[['\"]([^'\"]+)['\"]\]|\.((?:[\w-]|\\\.)+|\*)"
)


def parse(text: str) -> Check:
    """The check that the annotation asks for. Raises ValueError for what is none."""
    try:
        listed: Any = json.loads(text)
    except ValueError:
        listed = [text]
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"waitFor: at least one condition must be specified, got {text!r}")
    checks = [_single(str(item)) for item in cast("list[Any]", listed)]

    def check(manifest: Object, look: Lookup) -> Verdict:
        verdicts = [one(manifest, look) for one in checks]
        missing = [verdict.message for verdict in verdicts if not verdict.done]
        return Verdict(done=not missing, message="; ".join(missing))

    return check


def _single(text: str) -> Check:
    if text.startswith("condition="):
        return _condition(text.removeprefix("condition="))
    if text.startswith("jsonpath="):
        return _json_path(text.removeprefix("jsonpath="))
    raise ValueError(f'waitFor: expected a "jsonpath=" or "condition=" prefix, got {text!r}')


def _condition(text: str) -> Check:
    name, _, wanted = text.partition("=")
    status = wanted or "True"

    def check(manifest: Object, _: Lookup) -> Verdict:
        found = condition(manifest, name)
        done = str(found.get("status", "")).lower() == status.lower()
        said = f": {found['message']}" if found.get("message") else ""
        return Verdict(
            done,
            f"waiting for condition {name} to be {status}, it is {found.get('status', 'not there')}{said}",
        )

    return check


def _json_path(text: str) -> Check:
    match = re.fullmatch(r"\{\s*(.*?)\s*\}(?:=(.*))?", text)
    if match is None or match[2] == "":
        raise ValueError(f"waitFor: expected {{.path}} or {{.path}}=value, got {text!r}")
    steps, wanted = _steps(match[1]), match[2]

    def check(manifest: Object, _: Lookup) -> Verdict:
        found = _select([manifest], steps)
        if wanted is None or not found:
            return Verdict(bool(found), f"waiting for {match[1]} to be there")
        shown = _shown(found[0])
        return Verdict(shown == wanted, f"waiting for {match[1]} to be {wanted}, it is {shown}")

    return check


Step = tuple[str, ...]


def _steps(path: str) -> list[Step]:
    path = path.removeprefix("$")
    path = path if path.startswith((".", "[")) else f".{path}"
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match[0] == "..":
            raise ValueError(f"waitFor: this JSONPath is not supported: {path!r}")
        field, operator, value, index, quoted, plain = match.groups()
        if field is not None:
            steps.append(("filter", field, operator, value.strip()))
        elif index is not None:
            steps.append(("all",) if index == "*" else ("index", index))
        else:
            name = quoted or plain.replace("\\.", ".")
            steps.append(("all",) if name == "*" else ("key", name))
        at = match.end()
    return steps


def _select(values: list[Any], steps: Sequence[Step]) -> list[Any]:
    for step in steps:
        values = [found for value in values for found in _apply(value, step)]
    return values


def _apply(value: Any, step: Step) -> list[Any]:
    if step[0] == "key":
        known = cast("Object", value) if isinstance(value, dict) else {}
        return [known[step[1]]] if step[1] in known else []
    items = cast("list[Any]", value) if isinstance(value, list) else []
    if step[0] == "index":
        index = int(step[1])
        return [items[index]] if -len(items) <= index < len(items) else []
    if step[0] == "filter":
        field = [("key", part) for part in step[1].split(".")]
        hits = [(item, _select([item], field)) for item in items]
        return [item for item, found in hits if found and (_shown(found[0]) == step[3]) == (step[2] == "==")]
    return list(cast("Object", value).values()) if isinstance(value, dict) else items


def _shown(value: Any) -> str:
    """A value as Go prints it."""
    if isinstance(value, dict | list):
        raise ValueError("waitFor: the JSONPath leads to a map or a list, not to a single value")  # noqa: TRY004
    return str(value).lower() if isinstance(value, bool) else str(value)
