"""What a plan is: plain, frozen data that commands and tests read. Nothing of Pulumi is needed to hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MASK = "[secret]"
"""Stands for every secret value; the same text as in Pulumi's own previews."""

RELEASE = "kubernetes:helm.sh/v3:Release"
"""The type token of a chart's release."""

_PARTIAL = frozenset({"Pooler"})
"""Kinds whose pod template says what differs from what their operator makes, and is no whole one."""

UNKNOWN = "[unknown]"
"""Stands for a value that only an update would tell. A plan of Ziggurat holds none (principle 1)."""


@dataclass(frozen=True)
class Registered:
    """One resource that the program registered, whatever it is; secrets are masked already."""

    urn: str
    type: str
    """The type token, such as `kubernetes:apps/v1:Deployment`."""
    name: str
    """The logical name, which is part of the URN and never changes once released."""
    custom: bool
    """Whether a provider manages it; components are not custom."""
    parent: str
    """The URN of its parent; empty for the stack."""
    dependencies: tuple[str, ...]
    """URNs that come first, sorted."""
    protected: bool
    provider: str
    """The URN of its provider; empty for components and providers."""
    inputs: dict[str, Any]


@dataclass(frozen=True)
class PlannedObject:
    """One Kubernetes object that the platform consists of."""

    urn: str
    type: str
    name: str
    """The logical name."""
    api_version: str
    kind: str
    namespace: str | None
    """None for objects of the whole cluster."""
    object_name: str
    """`metadata.name`."""
    manifest: dict[str, Any]
    """The object as YAML would hold it, secrets replaced by `[secret]`."""
    protected: bool
    """Whether it holds data, so that no run replaces or deletes it unless the user names it."""
    parent: str
    dependencies: tuple[str, ...]
    provider: str = ""
    """The URN of the provider that manages it; empty would mean an ambient one."""

    @property
    def label(self) -> str:
        """How people call it: `Kind namespace/name`."""
        name = f"{self.namespace}/{self.object_name}" if self.namespace else self.object_name
        return f"{self.kind} {name}"

    @property
    def is_release(self) -> bool:
        """Whether it is a chart's release, which Helm turns into objects; it is none itself."""
        return self.type == RELEASE

    @property
    def order(self) -> tuple[str, str, str, str]:
        """What listings are sorted by; objects of the whole cluster come first."""
        return (self.namespace or "", self.kind, self.object_name, self.urn)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same object to Kubernetes: API group, kind, namespace and name."""
        group = self.api_version.partition("/")[0] if "/" in self.api_version else ""
        return (group, self.kind, self.namespace or "", self.object_name)


@dataclass(frozen=True)
class PlannedComponent:
    """One component: a part of the platform that groups objects."""

    urn: str
    type: str
    name: str
    parent: str
    outputs: dict[str, Any] | None
    """What it registered as outputs, secrets masked; None if it never did, which is a defect of it."""

    @property
    def title(self) -> str:
        """How people call it: the class and, where they differ, the name."""
        return f"{self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True, order=True)
class SchemaProblem:
    """Something in an object that Kubernetes of one version would refuse, or silently drop."""

    object: str
    """The object, as `Kind namespace/name`."""
    path: str
    """Where in it, such as `spec.template.spec.containers[0].imagePullPolicyy`."""
    message: str
    """What is wrong. No value is shown, as it might be a secret."""
    remedy: str = ""
    """What to do, or the nearest valid field."""

    def __str__(self) -> str:
        """`object: path: what is wrong — what to do`."""
        head = ": ".join(part for part in (self.object, self.path, self.message) if part)
        return f"{head} — {self.remedy}" if self.remedy else head


@dataclass(frozen=True)
class SchemaReport:
    """What the check of a set of objects against one Kubernetes version's schemas came to."""

    version: str
    """The Kubernetes version whose schemas were used, such as `1.36`."""
    checked: int
    """How many objects were checked."""
    problems: tuple[SchemaProblem, ...]
    unchecked: tuple[str, ...]
    """Objects for whose kind there is no schema (custom resources, chart releases)."""


@dataclass(frozen=True)
class Plan:
    """Everything that a blueprint comes to, without engine, cluster or network."""

    platform: str
    phase: str
    objects: tuple[PlannedObject, ...]
    """In the order of namespace, kind and name; those of the whole cluster first."""
    components: tuple[PlannedComponent, ...]
    """Each after its parent."""
    others: tuple[Registered, ...]
    """What is neither a Kubernetes object nor a component: the provider, the kept blueprint."""
    outputs: dict[str, Any]
    """The stack's outputs, secrets masked."""
    schemas: SchemaReport

    @property
    def problems(self) -> tuple[SchemaProblem, ...]:
        """What Kubernetes would refuse; empty when all is well."""
        return self.schemas.problems

    @cached_property
    def children(self) -> dict[str, tuple[PlannedObject, ...]]:
        """The objects right under each component, by the component's URN."""
        found: dict[str, list[PlannedObject]] = {}
        for planned in self.objects:
            found.setdefault(planned.parent, []).append(planned)
        return {parent: tuple(group) for parent, group in found.items()}

    def pod_templates(self) -> Iterator[tuple[PlannedObject, dict[str, Any]]]:
        """Each object that makes pods, with its pod template."""
        for planned in self.objects:
            spec: dict[str, Any] = planned.manifest.get("spec") or {}
            if planned.kind == "CronJob":
                spec = spec.get("jobTemplate", {}).get("spec", {})
            template = {"metadata": planned.manifest.get("metadata", {}), "spec": spec}
            if planned.kind != "Pod":
                template = spec.get("template") if planned.kind not in _PARTIAL else None
            if planned.kind == "TrainingRuntime":
                yield from ((planned, job["template"]["spec"]["template"]) for job in _jobs(spec))
            elif isinstance(template, dict) and "containers" in template.get("spec", {}):
                yield planned, template


def _jobs(runtime: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Jobs of a TrainingRuntime, which is none of Kubernetes' own kinds and makes pods all the same."""
    yield from runtime["template"]["spec"]["replicatedJobs"]
