"""Strict checks of Kubernetes objects against Kubernetes' own schemas, offline.

Neither the engine's first preview (every dry run ends at a namespace that does not exist yet) nor the
official plugin (it drops misspelt fields) tells of a misspelt field before it is missing in the cluster.

The schemas are the data of the package kubernetes-validate, which carries those of many releases, strict
ones too. Its own code is not used (16 ms an object and 0.2 s of import): the definitions that one kind
needs are cut out and compiled by jsonschema-rs once, in 1 to 6 ms; an object then takes microseconds
(docs/plan.md has the figures).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import jsonschema_rs

from ziggurat.errors import ToolError
from ziggurat.plan import definitions
from ziggurat.plan.model import MASK, SchemaProblem, SchemaReport

DEFAULT_VERSION = "1.36"
"""The Kubernetes version that objects are checked for where none is named."""

_FOLDER = re.compile(r"v(\d+)\.(\d+)\.\d+-local-strict")
_NUMBERS = re.compile(r"v?(\d+)\.(\d+)\+?(?:[.+-].*)?")
_ROOT = "#/$defs/"


@cache
def available_versions() -> tuple[str, ...]:
    """The Kubernetes versions whose schemas are installed, oldest first, such as `("1.25", ..., "1.37")`."""
    found = (_FOLDER.fullmatch(entry.name) for entry in _schemas().iterdir())
    return tuple(f"{major}.{minor}" for major, minor in sorted(_pair(*m.groups()) for m in found if m))


def nearest_version(version: str) -> str:
    """The installed version that comes nearest to a cluster's `version` (such as `v1.33.4-gke.12`).

    The newest that is not newer than the cluster; for a cluster older than all of them, the oldest.
    ValueError if `version` does not begin like a Kubernetes version.
    """
    numbers = _NUMBERS.fullmatch(version.strip())
    if not numbers:
        raise ValueError(f"{version!r} is not a Kubernetes version such as {DEFAULT_VERSION}")
    wanted = _pair(*numbers.groups())
    versions = available_versions()
    return next((known for known in reversed(versions) if _pair(*known.split(".")) <= wanted), versions[0])


def check_schemas(
    manifests: Iterable[Mapping[str, Any]], kubernetes_version: str = DEFAULT_VERSION
) -> tuple[SchemaProblem, ...]:
    """What Kubernetes would refuse or drop in `manifests`, in their order; empty when all is well.

    Objects whose kind has no schema are left out: `report_schemas` names them. ValueError if
    `kubernetes_version` is none; `ToolError` if no schemas are installed.
    """
    return report_schemas(manifests, kubernetes_version).problems


def report_schemas(
    manifests: Iterable[Mapping[str, Any]], kubernetes_version: str = DEFAULT_VERSION
) -> SchemaReport:
    """Checks `manifests` strictly against the schemas nearest to `kubernetes_version`.

    Values masked as `[secret]` are taken to be right. Raises as `check_schemas` does.
    """
    schemas = _version(nearest_version(kubernetes_version))
    problems: list[SchemaProblem] = []
    unchecked: list[str] = []
    checked = 0
    for manifest in manifests:
        api_version, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
        label = describe(manifest)
        if definition := schemas.kinds.get((api_version, kind)):
            checked += 1
            problems += schemas.problems(definition, label, manifest)
        elif _group(api_version) in schemas.groups:
            checked += 1
            problems.append(schemas.unknown_kind(label, api_version, kind))
        elif custom := definitions.find(api_version, kind):
            checked += 1
            problems += schemas.problems(schemas.learn(api_version, kind, custom), label, manifest)
        else:
            unchecked.append(label)
    return SchemaReport(schemas.version, checked, tuple(problems), tuple(unchecked))


def describe(manifest: Mapping[str, Any]) -> str:
    """How people call an object: `Kind namespace/name`."""
    metadata = manifest.get("metadata")
    names = cast("Mapping[str, Any]", metadata if isinstance(metadata, Mapping) else {})
    name = "/".join(str(names[key]) for key in ("namespace", "name") if names.get(key))
    return f"{manifest.get('kind', '?')} {name or '?'}"


class _Version:
    """The schemas of one Kubernetes version."""

    def __init__(self, version: str, definitions: dict[str, Any]) -> None:
        self.version = version
        self._definitions = definitions
        self._custom: set[str] = set()
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    @cached_property
    def kinds(self) -> dict[tuple[str, str], str]:
        """The name of the definition of each kind, by API version and kind."""
        return {
            (f"{of['group']}/{of['version']}" if of["group"] else of["version"], of["kind"]): name
            for name, definition in self._definitions.items()
            for of in definition.get("x-kubernetes-group-version-kind", ())
        }

    @cached_property
    def groups(self) -> frozenset[str]:
        """The API groups that Kubernetes itself serves; others are those of custom resources."""
        return frozenset(_group(api_version) for api_version, _ in self.kinds)

    def learn(self, api_version: str, kind: str, schema: dict[str, Any]) -> str:
        """Adds the schema of a custom resource; the name of its definition."""
        name = f"{api_version}.{kind}".replace("/", ".")  # a slash would be a step in a reference
        self._definitions.setdefault(name, schema)
        self._custom.add(name)
        return name

    def problems(self, definition: str, label: str, manifest: Mapping[str, Any]) -> Iterator[SchemaProblem]:
        """What is wrong with one object of the kind that `definition` describes."""
        validator = self._validators.get(definition)
        if validator is None:
            validator = self._validators[definition] = self._compile(definition)
        if validator.is_valid(manifest):
            return
        for error in validator.iter_errors(manifest):
            if error.instance != MASK:
                yield from self._explain(definition, label, error)

    def unknown_kind(self, label: str, api_version: str, kind: str) -> SchemaProblem:
        """That Kubernetes has no such kind in a group of its own."""
        elsewhere = sorted(version for version, known in self.kinds if known == kind)
        near = _near(kind, [known for version, known in self.kinds if version == api_version])
        remedy = f"{kind} is in {', '.join(elsewhere)}" if elsewhere else near
        return SchemaProblem(label, "kind", f"Kubernetes {self.version} has no {api_version} {kind}", remedy)

    def _compile(self, definition: str) -> jsonschema_rs.Draft202012Validator:
        # Only what the kind needs: compiling all 800 definitions takes ten times as long.
        needed: dict[str, Any] = {}
        wanted = [definition]
        while wanted:
            name = wanted.pop()
            if name not in needed:
                needed[name] = self._definitions[name]
                wanted += _references(needed[name])
        return jsonschema_rs.Draft202012Validator({"$ref": _ROOT + definition, "$defs": needed})

    def _explain(
        self, definition: str, label: str, error: jsonschema_rs.ValidationError
    ) -> Iterator[SchemaProblem]:
        path = list(error.instance_path)
        kind: Any = error.kind
        match kind.name:
            case "additionalProperties":
                fields = sorted(self._fields(definition, path))
                for field in kind.unexpected:
                    custom = definition in self._custom
                    message = f"{'its kind' if custom else f'Kubernetes {self.version}'} has no such field"
                    yield SchemaProblem(label, dotted([*path, field]), message, _near(field, fields))
            case "required":
                yield SchemaProblem(label, dotted(path), f"the field `{kind.property}` is missing", "set it")
            case "type":
                types = " or ".join(t for t in kind.types if t != "null")
                yield SchemaProblem(label, dotted(path), f"must be of type {types}", "change its type")
            case "enum":
                options = ", ".join(map(str, kind.options))
                yield SchemaProblem(label, dotted(path), "is not a value it may have", f"use {options}")
            case "oneOf" | "anyOf":
                message, remedy = "has a value of the wrong type", "write a string or a number"
                yield SchemaProblem(label, dotted(path), message, remedy)
            case name:
                message = f"breaks the rule `{name}` of its schema"
                remedy = "see the field in the Kubernetes API reference"
                yield SchemaProblem(label, dotted(path), message, remedy)

    def _fields(self, definition: str, path: Sequence[str | int]) -> Iterable[str]:
        """The fields that the schema knows at `path`."""
        schema: dict[str, Any] = self._definitions[definition]
        for step in path:
            known: dict[str, Any] = schema.get("properties", {})
            at: Any = schema.get("items") if isinstance(step, int) else known.get(step)
            schema = at or schema.get("additionalProperties") or {}
            while isinstance(schema.get("$ref"), str):
                schema = self._definitions[schema["$ref"].removeprefix(_ROOT)]
        properties: dict[str, Any] = schema.get("properties", {})
        return properties


def dotted(path: Sequence[str | int]) -> str:
    """A path into an object as people write it: `spec.containers[0].image`, `metadata.labels["a/b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 12 else "leave it out"


def _references(schema: Any) -> Iterator[str]:
    """The names of the definitions that `schema` refers to."""
    if isinstance(schema, dict):
        fields = cast("dict[str, Any]", schema)
        for key, value in fields.items():
            # One kind has a field that is called "$ref": there its value is a schema, not a name.
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_ROOT)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in cast("list[Any]", schema):
            yield from _references(item)


def _group(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""


def _pair(major: str, minor: str) -> tuple[int, int]:
    return (int(major), int(minor))


@cache
def _version(version: str) -> _Version:
    newest = max(_schemas().glob(f"v{version}.*-local-strict"))
    return _Version(version, json.loads((newest / "_definitions.json").read_bytes())["$defs"])


@cache
def _schemas() -> Path:
    # Found, not imported: the package's code pulls in all that it validates with.
    spec = find_spec("kubernetes_validate")
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place) / "kubernetes-json-schema"
        if folder.is_dir():
            return folder
    raise ToolError(
        "Kubernetes' schemas are not installed, so objects cannot be checked",
        where="package kubernetes-validate",
        remedy="install Ziggurat's dependencies: pip install kubernetes-validate",
    )
