"""How a platform is: what the stack says should be there beside what the cluster says is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ziggurat.cluster import Cluster
from ziggurat.engine.changes import Change
from ziggurat.engine.readiness import Verdict, verdict
from ziggurat.engine.runs import change_lines, describe
from ziggurat.engine.stack import Engine
from ziggurat.engine.state import Managed, State
from ziggurat.engine.target import Target


@dataclass(frozen=True)
class ObjectHealth:
    """How one object is."""

    label: str
    kind: str
    component: str
    found: bool
    ready: bool
    why: str


@dataclass(frozen=True)
class LastUpdate:
    """How the last run of the engine ended."""

    kind: str
    result: str
    ended: str
    """In ISO 8601, UTC; empty where the engine does not know."""


@dataclass(frozen=True)
class Health:
    """How a platform is."""

    target: Target
    phase: str
    objects: tuple[ObjectHealth, ...]
    last: LastUpdate | None
    interrupted: bool = False
    drift: tuple[Change, ...] | None = None
    """What differs from the last run; None if nobody asked."""
    idle: tuple[str, ...] = ()
    """Objects that nothing acts on, as the charts of their kinds are recorded and not installed."""

    @property
    def ready(self) -> bool:
        """Whether the platform is there and all of it is ready."""
        return bool(self.objects) and all(item.ready for item in self.objects)

    def components(self) -> dict[str, tuple[ObjectHealth, ...]]:
        """The objects by the part of the platform that they belong to."""
        ordered = sorted(self.objects, key=lambda item: item.component)
        return {name: tuple(items) for name, items in groupby(ordered, key=lambda item: item.component)}

    def as_json(self) -> dict[str, Any]:
        """The health for a machine."""
        return {
            **describe(self.target, self.phase),
            "ready": self.ready,
            "components": {
                name: {
                    "desired": len(items),
                    "live": sum(item.found for item in items),
                    "ready": all(item.ready for item in items),
                    "notReady": [{"object": item.label, "why": item.why} for item in items if not item.ready],
                }
                for name, items in self.components().items()
            },
            "volumes": {item.label: item.ready for item in self._volumes()},
            "notActedOn": list(self.idle),
            "lastUpdate": (
                {"kind": self.last.kind, "result": self.last.result, "ended": self.last.ended}
                if self.last
                else None
            ),
            "interrupted": self.interrupted,
            "drift": None if self.drift is None else [change.as_json() for change in self.drift],
        }

    def _volumes(self) -> list[ObjectHealth]:
        return [item for item in self.objects if item.kind == "PersistentVolumeClaim"]

    def text(self) -> str:
        """The health for a person."""
        lines = [f"{self.target.platform} ({self.phase}) on {self.target.description}"]
        if not self.objects:
            return f"{lines[0]}: nothing is there yet; provision it: ziggurat up {self.target.blueprint}"
        width = max(map(len, self.components()))
        for name, items in self.components().items():
            state = "ready" if all(item.ready for item in items) else "NOT READY"
            lines.append(
                f"  {name:<{width}}  {sum(item.found for item in items)} of {len(items)} objects, {state}"
            )
            lines += [f"      {item.label}: {item.why}" for item in items if not item.ready]
        volumes = self._volumes()
        if volumes:
            lines.append(f"  volumes: {sum(item.ready for item in volumes)} of {len(volumes)} bound")
        if self.idle:
            lines.append(
                f"  {len(self.idle)} objects are stored and nothing acts on them: their charts are recorded, "
                "not installed (docs/stand-in.md)"
            )
        if self.last:
            lines.append(f"  last run: {self.last.kind}, {self.last.result}, {self.last.ended}")
        if self.interrupted:
            lines.append("  the last run did not finish; `ziggurat up` goes on from there")
        return "\n".join(lines + self._drift_lines())

    def _drift_lines(self) -> list[str]:
        if self.drift is None:
            return []
        if not self.drift:
            return ["  no drift: the cluster is as the last run left it"]
        return ["  changed outside of Ziggurat:", *(f"    {line}" for line in change_lines(self.drift))]


def examine(engine: Engine, cluster: Cluster, phase: str, *, drift: bool = False) -> Health:
    """How the platform is now; with `drift` the engine also compares every value (it changes nothing)."""
    last = engine.last_update()
    idle = idle_kinds(engine.state)
    return Health(
        engine.target,
        phase,
        tuple(objects_health(engine.state.objects, cluster, idle)),
        LastUpdate(last.kind, last.result, last.end_time.isoformat() if last.end_time else "")
        if last
        else None,
        interrupted=engine.state.half_done or (last is not None and last.result != "succeeded"),
        drift=engine.find_drift().drift if drift and engine.state.exists else None,
        idle=tuple(item.label for item in engine.state.objects if _kind(item) in idle),
    )


def idle_kinds(state: State) -> frozenset[tuple[str, str]]:
    """Group and kind of what the stack's recorded charts would act on, if they were installed."""
    from components.versions import CHARTS

    recorded = {release.chart for release in state.releases if release.recorded}
    return frozenset(
        (definition.group, definition.kind)
        for chart in CHARTS
        if chart.name in recorded
        for definition in chart.definitions
    )


def _kind(item: Managed) -> tuple[str, str]:
    return item.api_version.rpartition("/")[0], item.kind


def objects_health(
    objects: Iterable[Managed], cluster: Cluster, idle: frozenset[tuple[str, str]] = frozenset()
) -> Iterable[ObjectHealth]:
    """How each object is; one request for each kind in each namespace; pods where something waits.

    Of the kinds in `idle` nobody would ever say more than that they are there.
    """

    def place(item: Managed) -> tuple[str, str, str]:
        return (item.api_version, item.kind, item.namespace)

    pods: dict[str, list[dict[str, Any]]] = {}
    for (api_version, kind, namespace), group in groupby(sorted(objects, key=place), key=place):
        live = {found["metadata"]["name"]: found for found in cluster.objects(api_version, kind, namespace)}
        for item in group:
            found = live.get(item.name)
            shown = {**found, "kind": "" if _kind(item) in idle else kind} if found else None
            judged = verdict(shown)
            if not judged.ready and shown and namespace:
                if namespace not in pods:
                    pods[namespace] = cluster.objects("v1", "Pod", namespace)
                judged = verdict(shown, pods[namespace])
            yield _health(item, found is not None, judged)


def _health(item: Managed, found: bool, judged: Verdict) -> ObjectHealth:
    return ObjectHealth(item.label, item.kind, item.component, found, judged.ready, judged.why)
