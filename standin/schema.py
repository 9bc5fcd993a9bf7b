"""Fields that Kubernetes does not know, found with the API server's OpenAPI schemas (lenient mode only)."""

from __future__ import annotations

import threading
from typing import Any, cast

from standin.client import ApiError, Client
from standin.discovery import GroupVersionKind
from standin.wire import Object


class Schemas:
    """The schemas of one API server, fetched per API group when first needed."""

    def __init__(self, client: Client) -> None:
        """Asks nothing yet."""
        self._client = client
        self._lock = threading.Lock()
        self._documents: dict[tuple[str, str], Object] = {}

    def prune(self, kind: GroupVersionKind, manifest: Object) -> tuple[Object, list[str]]:
        """`manifest` without the fields that its schema does not have, and their paths."""
        group, version, name = kind
        components = self._components(group, version)
        wanted = {"group": group, "version": version, "kind": name}
        for schema in components.values():
            if wanted in cast(
                "list[Any]", cast("Object", schema).get("x-kubernetes-group-version-kind") or []
            ):
                dropped: list[str] = []
                return cast(
                    "Object", _prune(manifest, cast("Object", schema), components, "", dropped)
                ), dropped
        return manifest, []

    def _components(self, group: str, version: str) -> Object:
        with self._lock:
            known = self._documents.get((group, version))
            if known is None:
                path = f"/openapi/v3/apis/{group}/{version}" if group else f"/openapi/v3/api/{version}"
                try:
                    document = self._client.get(path)
                except ApiError:
                    document = {}
                parts = cast("Object", document.get("components") or {})
                known = self._documents[group, version] = cast("Object", parts.get("schemas") or {})
            return known


def _resolve(schema: Object, components: Object) -> Object:
    """The schema that a reference (alone, or wrapped for its description) leads to."""
    if "$ref" in schema:
        return cast("Object", components.get(str(schema["$ref"]).rpartition("/")[2]) or {})
    wrapped = cast("list[Object]", schema.get("allOf") or [])
    return _resolve(wrapped[0], components) if len(wrapped) == 1 else schema


def _prune(value: Any, schema: Object, components: Object, path: str, dropped: list[str]) -> Any:
    schema = _resolve(schema, components)
    if isinstance(value, list) and "items" in schema:
        items, of = cast("list[Any]", value), cast("Object", schema["items"])
        return [_prune(item, of, components, f"{path}[{index}]", dropped) for index, item in enumerate(items)]
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return cast("Any", value)
    known, properties = cast("Object", value), cast("Object", schema.get("properties") or {})
    if not properties:
        return known
    kept: Object = {}
    for key, item in known.items():
        here = f"{path}.{key}".lstrip(".")
        if key in properties:
            kept[key] = _prune(item, cast("Object", properties[key]), components, here, dropped)
        else:
            dropped.append(here)
    return kept
