"""Field ownership in server-side apply: whose fields are whose, and taking over what is ours."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from standin.checkpoint import at
from standin.paths import Path
from standin.wire import Object

CREATOR: Final = "pulumi-kubernetes"
"""The manager of fields when an object is made; the first update takes them over."""

_ADOPTED: Final = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)
"""Managers, by how their names start, whose fields become ours: kubectl's, and a new object's."""

_CLIENT_SIDE: Final = ("pulumi-resource-kubernetes", "pulumi-kubernetes", "pulumi-kubernetes.exe")

_CONFLICT: Final = re.compile(r'conflict with "([^"]*)"( with subresource)?')

Entry = dict[str, Any]


def entries(live: Object) -> list[Entry]:
    """The managed fields of an object."""
    return cast("list[Entry]", at(live, "metadata", "managedFields") or [])


def folded(live: Object, manager: str) -> list[Entry] | None:
    """The managed fields with all adopted ones as `manager`'s own; None where there is nothing to adopt."""
    known = entries(live)
    adopted = [entry for entry in known if _is_adopted(entry) and entry.get("manager") != manager]
    if not adopted:
        return None
    mine = [entry for entry in known if entry.get("manager") == manager and entry.get("operation") == "Apply"]
    fields: Object = {}
    for entry in mine + adopted:
        fields = _union(fields, cast("Object", entry.get("fieldsV1") or {}))
    base = (mine or adopted)[0]
    owned = {**base, "manager": manager, "operation": "Apply", "fieldsV1": fields}
    return [owned] + [entry for entry in known if entry not in mine and entry not in adopted]


def _is_adopted(entry: Entry) -> bool:
    manager, operation = str(entry.get("manager")), entry.get("operation")
    if entry.get("subresource"):
        return False
    return any(manager.startswith(name) and operation == how for name, how in _ADOPTED)


def _union(first: Object, second: Object) -> Object:
    merged = dict(first)
    for key, value in second.items():
        merged[key] = _union(cast("Object", merged[key]), cast("Object", value)) if key in merged else value
    return merged


def must_force(live: Object, *, preview: bool) -> bool:
    """Whether conflicts with other managers are to be overridden because they cannot be told apart yet."""
    known = entries(live)
    if not known:
        return True
    return preview and any(
        entry.get("operation") == "Update" and entry.get("manager") in _CLIENT_SIDE for entry in known
    )


def all_adopted(causes: list[Object]) -> bool:
    """Whether a conflict is only with managers that the real update adopts (a preview cannot)."""
    found = [_CONFLICT.search(str(cause.get("message"))) for cause in causes]
    return bool(found) and all(
        match is not None
        and _is_adopted({"manager": match[1], "operation": "Update", "subresource": match[2]})
        for match in found
    )


def is_theirs(live: Object, manager: str, path: Path) -> bool:
    """Whether others own the field at `path` and `manager` does not."""
    owners = {str(entry.get("manager")) for entry in entries(live) if _owns(entry, path)}
    return bool(owners) and manager not in owners


def _owns(entry: Entry, path: Path) -> bool:
    fields: Any = entry.get("fieldsV1")
    for part in path:
        fields = at(fields, f"f:{part}")
        if fields is None:
            return False
    return True


def without(manifest: Object, path: Path) -> Object:
    """A copy without the field at `path` (of maps)."""
    head, rest = path[0], path[1:]
    if not isinstance(head, str) or head not in manifest:
        return manifest
    if not rest:
        return {key: value for key, value in manifest.items() if key != head}
    inner = manifest[head]
    return {**manifest, head: without(cast("Object", inner), rest)} if isinstance(inner, dict) else manifest


def with_value(manifest: Object, path: Path, value: Any) -> Object:
    """A copy with the field at `path` (of maps) set; the same where the path leads through a list."""
    head, rest = path[0], path[1:]
    if not isinstance(head, str):
        return manifest
    if not rest:
        return {**manifest, head: value}
    inner = manifest.get(head, {})
    return (
        {**manifest, head: with_value(cast("Object", inner), rest, value)}
        if isinstance(inner, dict)
        else manifest
    )


def with_ignored(inputs: Object, live: Object, manager: str, ignored: tuple[Path, ...]) -> Object:
    """Inputs for an update that leaves `ignored` fields as they are.

    What others own is left out (naming it would make it ours); anything else is sent as it is on the server
    (leaving it out would unset it).
    """
    for path in ignored:
        if is_theirs(live, manager, path):
            inputs = without(inputs, path)
            continue
        value: Any = (
            at(live, *(str(part) for part in path)) if all(isinstance(part, str) for part in path) else None
        )
        if value is not None:
            inputs = with_value(inputs, path, value)
    return inputs
