"""From a blueprint to its plan."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ziggurat.plan.model import Plan, PlannedComponent, PlannedObject, Registered, SchemaReport
from ziggurat.plan.schemas import DEFAULT_VERSION, report_schemas

if TYPE_CHECKING:
    from blueprints import Loaded
    from ziggurat.plan.recording import Recording

PLANNING_SECRET = base64.b64encode(b"ziggurat plan: no secret at all!").decode()
"""The root secret of a plan for which none is given: public, and never used to provision anything.

Passwords are masked in a plan whatever they derive from. What shows are the fingerprints of credentials on
pod templates: they are those of this secret, so they differ from those of a stack.
"""

_KUBERNETES = "kubernetes:"


def plan(
    loaded: Loaded,
    root_secret: str | None = None,
    *,
    rotations: Mapping[str, int] | None = None,
    kubernetes_version: str = DEFAULT_VERSION,
) -> Plan:
    """The plan of a blueprint, checked against the schemas nearest to `kubernetes_version`.

    `root_secret` defaults to the public `PLANNING_SECRET`; `rotations` are the rotation numbers of its
    credentials, by default none. Whatever the program raises comes out; ValueError says that `root_secret` or
    `kubernetes_version` cannot be used.
    """
    from stacks import program

    secret = PLANNING_SECRET if root_secret is None else root_secret
    blueprint = loaded.blueprint
    return plan_program(
        lambda: program.build(loaded, secret, None, None, rotations),
        platform=blueprint.name,
        phase=str(blueprint.phase),
        kubernetes_version=kubernetes_version,
    )


def plan_program(
    program: Callable[[], None], *, platform: str, phase: str, kubernetes_version: str = DEFAULT_VERSION
) -> Plan:
    """The plan of any program that registers Kubernetes objects; `plan` is this with a blueprint's."""
    # Late, so that whoever only checks schemas does not import pulumi.
    from ziggurat.plan.recording import record

    recording = record(program)
    resources = sorted(recording.resources, key=lambda resource: resource.urn)
    planned = (_object(each) for each in resources if each.type.startswith(_KUBERNETES))
    objects = tuple(sorted(planned, key=lambda each: each.order))
    return Plan(
        platform=platform,
        phase=phase,
        objects=objects,
        components=_components(recording),
        others=tuple(r for r in resources if r.custom and not r.type.startswith(_KUBERNETES)),
        outputs=recording.outputs.get(recording.stack, {}),
        schemas=_checked(objects, kubernetes_version),
    )


def _checked(objects: Iterable[PlannedObject], kubernetes_version: str) -> SchemaReport:
    """The check of everything that is an object; of a chart's release nothing can be known offline."""
    listed = list(objects)
    report = report_schemas((each.manifest for each in listed if not each.is_release), kubernetes_version)
    releases = tuple(each.label for each in listed if each.is_release)
    return replace(report, unchecked=(*report.unchecked, *releases))


def plan_object_set(plan: Plan) -> frozenset[tuple[str, str, str]]:
    """What a plan comes to, to be compared with what an engine's preview comes to.

    For each Kubernetes object: its type, its URN without the stack's name, and its masked inputs as
    canonical JSON. A Secret's values are left out: a preview masks them as a whole, and the plugin turns
    `stringData` into `data`. Give the plan the stack's own root secret, else fingerprints differ.
    """
    return frozenset(comparable(each.type, each.urn, each.manifest) for each in plan.objects)


def comparable(type_: str, urn: str, inputs: dict[str, Any]) -> tuple[str, str, str]:
    """One entry of `plan_object_set`; for the inputs of a resource in a preview as well."""
    if inputs.get("kind") == "Secret":
        inputs = {key: value for key, value in inputs.items() if key not in ("data", "stringData")}
    return (type_, stackless(urn), json.dumps(inputs, sort_keys=True))


def stackless(urn: str) -> str:
    """A URN without the stack's name: `ziggurat::TYPES::NAME`."""
    return urn.split("::", 1)[1]


def _object(resource: Registered) -> PlannedObject:
    manifest = resource.inputs
    # A chart's release is registered without apiVersion and kind; its token tells them.
    module, _, kind = resource.type.removeprefix(_KUBERNETES).rpartition(":")
    metadata: dict[str, Any] = manifest.get("metadata") or {}
    return PlannedObject(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        api_version=manifest.get("apiVersion") or module.removeprefix("core/"),
        kind=manifest.get("kind") or kind,
        namespace=metadata.get("namespace") or manifest.get("namespace"),
        object_name=metadata.get("name") or manifest.get("name") or "",
        manifest=manifest,
        protected=resource.protected,
        parent=resource.parent,
        dependencies=resource.dependencies,
        provider=resource.provider,
    )


def _components(recording: Recording) -> tuple[PlannedComponent, ...]:
    """Components, each followed by those under it, in the order of their names."""
    found = {each.urn: each for each in recording.resources if not each.custom}
    below: dict[str, list[Registered]] = {}
    for each in sorted(found.values(), key=lambda each: (each.type, each.name)):
        below.setdefault(each.parent if each.parent in found else "", []).append(each)

    ordered: list[PlannedComponent] = []
    pending = below.get("", [])[::-1]
    while pending:
        each = pending.pop()
        outputs = recording.outputs.get(each.urn)
        ordered.append(PlannedComponent(each.urn, each.type, each.name, each.parent, outputs))
        pending += below.get(each.urn, [])[::-1]
    return tuple(ordered)
