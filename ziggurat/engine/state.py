"""What the state of a stack says, read from its export: pure functions over plain data, secrets encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from components.manifests.metadata import EXCEPTION
from ziggurat.engine.changes import RELEASE, as_mapping, mask

RECORD = "pulumi:index:Stash"
"""The type of the records in which the program keeps what it has applied."""

_STACK = "pulumi:pulumi:Stack"

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Managed:
    """A Kubernetes object that a stack manages."""

    urn: str
    api_version: str
    kind: str
    name: str
    namespace: str
    protected: bool
    labels: Mapping[str, str]
    created: str = ""
    exception: str = ""
    """Why a bound of the platform does not hold for it, as the platform declared; empty where all do."""

    @property
    def label(self) -> str:
        """`Deployment acme-ml/mlflow`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def component(self) -> str:
        """The part of the platform that it belongs to, from its label; `platform` where it has none."""
        return str(self.labels.get("app.kubernetes.io/component") or "platform")


@dataclass(frozen=True)
class Release:
    """A chart's release that a stack manages."""

    namespace: str
    name: str
    chart: str
    """The chart's name, without its repository."""
    version: str
    recorded: bool
    """Whether it is on record only: the stand-in for Pulumi's plugin installs no chart."""


@dataclass(frozen=True)
class State:
    """The state of a stack."""

    exists: bool
    """Whether there is a stack at all."""
    objects: tuple[Managed, ...] = ()
    blueprint: Mapping[str, Any] | None = None
    """The resolved blueprint last applied; None before the first run."""
    rotations: Mapping[str, int] = field(default_factory=dict[str, int])
    """The rotation numbers of the last run that was completed, by the credentials' labels."""
    outputs: Mapping[str, Any] | None = None
    """What the platform tells its users, secrets masked; None before the first run."""
    pending: tuple[Managed, ...] = ()
    """Objects whose making was under way when a run was killed: they may exist or not."""
    releases: tuple[Release, ...] = ()
    """The charts' releases, which are no objects of Kubernetes."""
    half_done: bool = False
    """Whether a run left something half-way: pending operations, or replacements not finished."""
    encryption: str = ""
    """What encrypts the secrets in the state, such as `passphrase`; empty before the first run."""
    clear: tuple[str, ...] = ()
    """Kubernetes Secrets whose values the state holds in the clear."""

    @property
    def empty(self) -> bool:
        """Whether the stack manages nothing."""
        return not self.objects and not self.pending


def read(export: Mapping[str, Any] | None) -> State:
    """The state that `pulumi stack export` printed; None for a stack that does not exist."""
    if export is None:
        return State(exists=False)
    deployment: Mapping[str, Any] = export.get("deployment") or {}
    resources: list[Resource] = list(deployment.get("resources") or ())
    operations: list[Mapping[str, Any]] = list(deployment.get("pending_operations") or ())
    return State(
        exists=True,
        objects=tuple(managed(item) for item in resources if _is_object(item) and not item.get("delete")),
        blueprint=_record(resources, "blueprint"),
        rotations=_record(resources, "rotations") or {},
        outputs=next((mask(item.get("outputs") or {}) for item in resources if item["type"] == _STACK), None),
        pending=tuple(
            managed(item["resource"])
            for item in operations
            if item.get("type") == "creating" and _is_object(item["resource"])
        ),
        releases=tuple(_release(item) for item in resources if item["type"] == RELEASE),
        half_done=bool(operations)
        or any(item.get("pendingReplacement") or item.get("delete") for item in resources),
        encryption=str(as_mapping(deployment.get("secrets_providers")).get("type", "")),
        clear=tuple(managed(item).label for item in resources if _is_object(item) and _in_the_clear(item)),
    )


def _in_the_clear(resource: Resource) -> bool:
    inputs, outputs = as_mapping(resource.get("inputs")), as_mapping(resource.get("outputs"))
    if inputs.get("kind") != "Secret":
        return False
    given = [inputs.get(key) for key in ("data", "stringData") if inputs.get(key)]
    answered = [outputs.get(key) for key in ("data", "stringData") if outputs.get(key)]
    return not any(map(_has_secret, given)) or not all(map(_has_secret, answered))


def _has_secret(value: Any) -> bool:
    """Whether a value, or one in it, is encrypted."""
    return mask(value) != value


def managed(resource: Resource) -> Managed:
    """One resource of the state as the Kubernetes object that it stands for."""
    inputs: Mapping[str, Any] = resource.get("inputs") or {}
    metadata = as_mapping(inputs.get("metadata"))
    return Managed(
        urn=str(resource["urn"]),
        api_version=str(inputs.get("apiVersion", "")),
        kind=str(inputs.get("kind", "")),
        name=str(metadata.get("name", "")),
        namespace=str(metadata.get("namespace", "")),
        protected=bool(resource.get("protect")),
        labels=cast("Mapping[str, str]", as_mapping(metadata.get("labels"))),
        created=str(resource.get("created", "")),
        exception=str(as_mapping(metadata.get("annotations")).get(EXCEPTION, "")),
    )


def _release(resource: Resource) -> Release:
    inputs = as_mapping(resource.get("inputs"))
    status = as_mapping(as_mapping(resource.get("outputs")).get("status"))
    return Release(
        namespace=str(inputs.get("namespace", "")),
        name=str(inputs.get("name", "")),
        chart=str(inputs.get("chart", "")).rpartition("/")[2],
        version=str(inputs.get("version", "")),
        recorded=status.get("status") == "recorded",
    )


def _is_object(resource: Resource) -> bool:
    return str(resource.get("type", "")).startswith("kubernetes:") and bool(
        as_mapping(resource.get("inputs")).get("kind")
    )


def _record(resources: list[Resource], name: str) -> Mapping[str, Any] | None:
    """What a record was given last. Not its `output`: the engine keeps there what it was given first."""
    for item in resources:
        if item["type"] == RECORD and str(item["urn"]).endswith(f"::{name}"):
            return as_mapping(as_mapping(item.get("inputs")).get("input"))
    return None
