"""What `destroy` could not take away: objects that do not go, and what is left when all should be gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from components.versions import CHARTS
from ziggurat.cluster import Cluster
from ziggurat.engine.state import Managed, Release, State
from ziggurat.errors import ClusterError, ZigguratError
from ziggurat.progress import Progress

Object = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_CLUSTER_WIDE: tuple[tuple[str, str], ...] = (
    ("v1", "Namespace"),
    (_RBAC, "ClusterRole"),
    (_RBAC, "ClusterRoleBinding"),
    (_ADMISSION, "MutatingWebhookConfiguration"),
    (_ADMISSION, "ValidatingWebhookConfiguration"),
    (_ADMISSION, "ValidatingAdmissionPolicy"),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("node.k8s.io/v1", "RuntimeClass"),
)
"""Kinds of the whole cluster that Ziggurat or a chart makes, beside those that charts bring."""
_ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    (_RBAC, "Role", "kube-system"),
    (_RBAC, "RoleBinding", "kube-system"),
)
"""What charts make in a namespace that is not the platform's."""
_BY_HELM = "app.kubernetes.io/managed-by=Helm"
_RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
_DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_VOLUME = ("v1", "PersistentVolume")
_VOLUMES_SECONDS = 90.0
"""How long volumes are waited for: a cloud's disk is detached, then deleted, within about a minute."""


@dataclass(frozen=True)
class Left:
    """What is still on the cluster of a platform that was destroyed with its data."""

    objects: tuple[str, ...] = ()
    """By label; what is being deleted says what it waits for."""
    definitions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of each chart that leaves them, the definitions of custom resources that are there."""
    unseen: tuple[str, ...] = ()
    """Kinds that this account may not list."""

    def labels(self) -> list[str]:
        """Everything that is left."""
        kinds = (f"CustomResourceDefinition {name}" for _, names in self.definitions for name in names)
        return [*self.objects, *kinds]

    def text(self) -> list[str]:
        """For a person, and what to do about it."""
        lines = ["left on the cluster: " + (", ".join(self.objects) or "nothing of this platform")]
        for chart, names in self.definitions:
            lines.append(
                f"Helm leaves the {len(names)} definitions of the chart {chart}; if nothing else on the"
            )
            lines.append(f"  cluster uses them: kubectl delete crd {' '.join(names)}")
        if self.unseen:
            lines.append(f"not looked for, as this account may not list them: {', '.join(self.unseen)}")
        return lines


def await_volumes(
    cluster: Cluster, before: State, progress: Progress, seconds: float = _VOLUMES_SECONDS
) -> None:
    """Waits for the volumes that go after their claims, as a report made at once would name them as left.
    What is kept (reclaim policy Retain) or does not go in time is not an error: the report has it."""
    spaces = _spaces(before)

    def going() -> int:
        try:
            volumes = cluster.objects(*_VOLUME, "")
        except ClusterError:
            return 0
        return sum(1 for each in volumes if _is_of(each, spaces) and not _is_kept(each))

    if not going():
        return
    deadline = time.monotonic() + seconds
    with progress.step("volumes of the deleted claims") as step:
        while (left := going()) and time.monotonic() < deadline:
            step.detail = f"{left} still there"
            time.sleep(1)


def what_is_left(cluster: Cluster, before: State) -> Left:
    """What is still there of a platform whose state was `before`: of its own objects and of what its charts
    made, and the volumes that its claims leave behind."""
    spaces = _spaces(before)
    unseen: dict[str, None] = {}

    def listed(api_version: str, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        try:
            return cluster.objects(api_version, kind, namespace, selector)
        except ClusterError:
            unseen[kind] = None
            return []

    found = [*_own(cluster, before.objects, spaces)]
    platforms = {item.labels.get("app.kubernetes.io/instance") for item in before.objects} - {None}
    for api_version, kind, namespace in _places(before.releases):
        for platform in sorted(map(str, platforms)):
            selector = f"app.kubernetes.io/instance={platform},app.kubernetes.io/part-of=ziggurat"
            found += [_label(kind, item) for item in listed(api_version, kind, namespace, selector)]
        if before.releases:
            helms = listed(api_version, kind, namespace, _BY_HELM)
            found += [_label(kind, item) for item in helms if _of_release(item, before.releases)]
    found += _volumes(listed(*_VOLUME), spaces)
    definitions = _definitions(listed, before.releases)
    return Left(tuple(dict.fromkeys(found)), definitions, tuple(unseen))


def _own(cluster: Cluster, objects: Iterable[Managed], spaces: set[str]) -> Iterator[str]:
    """Objects of the state that do not lie in a namespace which went itself."""
    for item in objects:
        if not item.namespace or item.namespace not in spaces:
            live = cluster.find(item.api_version, item.kind, item.namespace, item.name)
            if live:
                yield _label(item.kind, live)


def _places(releases: Iterable[Release]) -> Iterator[tuple[str, str, str]]:
    yield from ((api_version, kind, "") for api_version, kind in _CLUSTER_WIDE)
    yield from _ELSEWHERE
    charts = {release.chart for release in releases}
    for chart in CHARTS:
        if chart.name in charts:
            for each in chart.definitions:
                if not each.namespaced:
                    yield f"{each.group}/{each.versions[-1]}", each.kind, ""


def _of_release(item: Object, releases: Iterable[Release]) -> bool:
    notes = cast("Object", item["metadata"].get("annotations") or {})
    owner = (notes.get(_RELEASE_NAMESPACE), notes.get("meta.helm.sh/release-name"))
    return owner in {(release.namespace, release.name) for release in releases}


def _spaces(before: State) -> set[str]:
    return {item.name for item in before.objects if item.kind == "Namespace"}


def _volumes(volumes: Iterable[Object], spaces: set[str]) -> list[str]:
    return [
        _label("PersistentVolume", volume) + (" (kept: its reclaim policy)" if _is_kept(volume) else "")
        for volume in volumes
        if _is_of(volume, spaces)
    ]


def _is_of(volume: Object, spaces: set[str]) -> bool:
    claim = cast("Object", cast("Object", volume.get("spec") or {}).get("claimRef") or {})
    return claim.get("namespace") in spaces


def _is_kept(volume: Object) -> bool:
    """Whether nobody deletes it: its class says so, and no person has."""
    policy = cast("Object", volume.get("spec") or {}).get("persistentVolumeReclaimPolicy")
    return policy != "Delete" and not volume["metadata"].get("deletionTimestamp")


def _definitions(
    listed: Callable[..., list[Object]], releases: Iterable[Release]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    charts = {release.chart for release in releases}
    mine = [chart for chart in CHARTS if chart.name in charts and chart.definitions]
    there = {item["metadata"]["name"] for item in listed(*_DEFINITION)} if mine else set[str]()
    named = ((chart.name, [f"{each.plural}.{each.group}" for each in chart.definitions]) for chart in mine)
    kept = ((name, tuple(sorted(there.intersection(names)))) for name, names in named)
    return tuple((name, names) for name, names in kept if names)


def _label(kind: str, item: Object) -> str:
    """`Namespace acme`, and what it waits for where it is being deleted."""
    metadata = item["metadata"]
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    waits = f" (being deleted: {_waits_for(item)})" if metadata.get("deletionTimestamp") else ""
    return f"{kind} {where}{metadata['name']}{waits}"


def _waits_for(item: Object) -> str:
    """What an object that is being deleted waits for, in the words of whoever knows."""
    spec = cast("Object", item.get("spec") or {})
    finalizers = [*(item["metadata"].get("finalizers") or ()), *(spec.get("finalizers") or ())]
    status = cast("Object", item.get("status") or {})
    said = [
        str(condition.get("message"))
        for condition in cast("list[Object]", status.get("conditions") or [])
        if condition.get("type") in _TELLING and condition.get("status") == "True"
    ]
    said += [str(status["message"])] if status.get("message") else []
    return "; ".join(said) or (
        f"finalizers {', '.join(finalizers)}" if finalizers else "its pods or parts end"
    )


_TELLING = (
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionContentFailure",
)
"""Conditions by which a namespace says what keeps it."""


@dataclass(frozen=True)
class Stuck:
    """An object that is being deleted and is still there."""

    label: str
    waits_for: str
    remedy: str


def stuck(cluster: Cluster, objects: Iterable[Managed]) -> list[Stuck]:
    """Those of `objects` that are being deleted, and what each waits for."""

    def place(item: Managed) -> tuple[str, str, str]:
        return (item.api_version, item.kind, item.namespace)

    found: list[Stuck] = []
    for (api_version, kind, namespace), group in groupby(sorted(objects, key=place), key=place):
        names = {item.name for item in group}
        for live in cluster.objects(api_version, kind, namespace):
            metadata = live["metadata"]
            if metadata["name"] in names and metadata.get("deletionTimestamp"):
                label = f"{kind} {f'{namespace}/' if namespace else ''}{metadata['name']}"
                found.append(Stuck(label, _waits_for(live), _remedy(kind, namespace, metadata)))
    return found


def _remedy(kind: str, namespace: str, metadata: Object) -> str:
    finalizers = [name for name in metadata.get("finalizers") or () if name != "foregroundDeletion"]
    if not finalizers:
        return ""
    where = f"--namespace {namespace} " if namespace else ""
    patch = """'{"metadata":{"finalizers":null}}'"""
    return (
        f"the controller that set {', '.join(finalizers)} takes it away when it has cleaned up: see that it "
        "runs. If it is gone for good: "
        f"kubectl {where}patch {kind.lower()} {metadata['name']} --type=merge --patch {patch}"
    )


def with_stuck(error: ZigguratError, cluster: Cluster, objects: Iterable[Managed]) -> ZigguratError:
    """The error, and which objects keep the run from its end; the error alone where the cluster is silent."""
    try:
        found = stuck(cluster, objects)
    except ZigguratError:
        return error
    if not found:
        return error
    lines = [error.message, "  being deleted, and still there:"]
    for item in found:
        lines.append(f"    {item.label}: {item.waits_for}")
        lines += [f"      {item.remedy}"] if item.remedy else []
    return type(error)("\n".join(lines), where=error.where, remedy=error.remedy)
