"""Schemas of custom resources, from CustomResourceDefinitions that are at hand.

Ziggurat ships none: they come with the charts. Where the environment variable ZIGGURAT_TEST_CRDS names
a folder of them, custom resources are checked as strictly as Kubernetes' own objects.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, cast

from standin.definitions import FOLDER, of_group

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_KEPT = (
    "type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "required", "oneOf", "anyOf", "allOf", "not", "multipleOf",
)  # fmt: skip
"""What of a definition's schema JSON Schema means too; defaults, descriptions and CEL rules are left out."""


def find(api_version: str, kind: str) -> dict[str, Any] | None:
    """A strict JSON Schema of a custom resource; None where no definition of it is at hand.

    It refers to Kubernetes' own definition of metadata (`#/$defs/…`).
    """
    folder = os.environ.get(FOLDER)
    return _find(folder, api_version, kind) if folder and "/" in api_version else None


@cache
def _find(folder: str, api_version: str, kind: str) -> dict[str, Any] | None:
    group, _, version = api_version.partition("/")
    for document in of_group(folder, group):
        spec = document["spec"]
        if spec["names"]["kind"] == kind:
            for served in spec["versions"]:
                if served["name"] == version:
                    return _root(served["schema"]["openAPIV3Schema"])
    return None


def _root(schema: dict[str, Any]) -> dict[str, Any]:
    strict = _strict(schema)
    properties = strict.setdefault("properties", {})
    properties |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{_METADATA}"},
    }
    return strict


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` as JSON Schema that allows no field which Kubernetes would drop."""
    made = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    if isinstance(schema.get("items"), dict):
        made["items"] = _strict(schema["items"])
    properties: dict[str, Any] = schema.get("properties") or {}
    if properties:
        made["properties"] = {name: _strict(field) for name, field in properties.items()}
    more: Any = schema.get("additionalProperties")
    if isinstance(more, dict):
        made["additionalProperties"] = _strict(cast("dict[str, Any]", more))
    elif properties and not schema.get(_PRESERVE) and more is not True:
        made["additionalProperties"] = False
    return made
