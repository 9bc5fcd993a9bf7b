"""What a plan asks of a cluster: CPU, memory, storage and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from blueprints.quantities import amount
from ziggurat.plan.model import Plan, PlannedObject

_ONCE = frozenset({"Job", "CronJob"})
"""Kinds whose pods come and go: what they ask for is told apart from what runs all the time."""


@dataclass(frozen=True)
class Requests:
    """CPU in cores, memory and storage in bytes."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    storage: Decimal = Decimal(0)

    def __add__(self, other: Requests) -> Requests:
        """Both together."""
        return Requests(self.cpu + other.cpu, self.memory + other.memory, self.storage + other.storage)

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any((self.cpu, self.memory, self.storage))

    def __str__(self) -> str:
        """`250m CPU, 768Mi, 10Gi storage`, leaving out what is nothing."""
        parts = (
            f"{cores(self.cpu)} CPU" if self.cpu else "",
            binary(self.memory) if self.memory else "",
            f"{binary(self.storage)} storage" if self.storage else "",
        )
        return ", ".join(part for part in parts if part)

    def as_json(self) -> dict[str, str]:
        """As Kubernetes quantities."""
        return {"cpu": cores(self.cpu), "memory": binary(self.memory), "storage": binary(self.storage)}


@dataclass(frozen=True)
class Footprint:
    """What all objects of a plan ask for together."""

    running: Requests
    """What runs all the time, and the volumes that are kept."""
    jobs: Requests
    """What Jobs ask for while they run, if all of them ran at once."""
    images: tuple[str, ...]
    """Every image that is pulled, sorted."""


def footprint(plan: Plan) -> Footprint:
    """What `plan` asks of a cluster. DaemonSets count once, as the number of nodes is not known."""
    return Footprint(
        running=total(each for each in plan.objects if each.kind not in _ONCE),
        jobs=total(each for each in plan.objects if each.kind in _ONCE),
        images=tuple(sorted({*_pulled(plan), *(image for each in plan.objects for image in named(each))})),
    )


def _pulled(plan: Plan) -> Iterator[str]:
    return (image for _, pod in plan.pod_templates() for image in images(pod["spec"]))


def named(planned: PlannedObject) -> tuple[str, ...]:
    """The images that a custom resource names for the pods which its operator makes."""
    found = _OPERATED.get(planned.kind)
    return found.images(planned.manifest["spec"]) if found else ()


def total(objects: Iterable[PlannedObject]) -> Requests:
    """What some objects ask for together."""
    return sum((requests(each) for each in objects), Requests())


def requests(planned: PlannedObject) -> Requests:
    """What one object asks for: all its pods, and its volumes."""
    spec: dict[str, Any] = planned.manifest.get("spec") or {}
    if planned.kind == "PersistentVolumeClaim":
        return Requests(storage=_asked(spec, "storage"))
    if planned.kind in _OPERATED:
        return _OPERATED[planned.kind].requests(spec)
    if planned.kind == "CronJob":
        spec = spec.get("jobTemplate", {}).get("spec", {})
    pod: dict[str, Any] = spec if planned.kind == "Pod" else spec.get("template", {}).get("spec", {})
    if "containers" not in pod:
        return Requests()
    count = int(spec.get("replicas", spec.get("parallelism", 1)))
    claims = sum(
        (_asked(claim["spec"], "storage") for claim in spec.get("volumeClaimTemplates", ())), Decimal()
    )
    return Requests(count * _pod(pod, "cpu"), count * _pod(pod, "memory"), count * claims)


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every container of a pod's spec, those that run first included."""
    yield from pod.get("initContainers") or ()
    yield from pod.get("containers") or ()


def images(pod: dict[str, Any]) -> Iterator[str]:
    """Every image of a pod's spec."""
    return (container["image"] for container in containers(pod) if "image" in container)


def cores(number: Decimal) -> str:
    """CPU as people write it: `250m`, `1`, `1.5`."""
    return f"{number * 1000:.0f}m" if 0 < number < 1 else f"{number.normalize():f}"


def binary(number: Decimal) -> str:
    """Bytes as people write them: `768Mi`, `2.5Gi`; one decimal at most."""
    unit = ""
    for larger in ("Ki", "Mi", "Gi", "Ti", "Pi"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    if unit in ("Gi", "Ti", "Pi") and number * 10 % 1 and number < 10:
        # 1.75Gi would be rounded: tell the exact megabytes instead.
        number, unit = number * 1024, {"Gi": "Mi", "Ti": "Gi", "Pi": "Ti"}[unit]
    return f"{number:.1f}".removesuffix(".0") + unit


def _pod(pod: dict[str, Any], resource: str) -> Decimal:
    """The scheduler's rule: the containers together, or the hungriest of those that run first."""
    together = sum((_asked(container, resource) for container in pod["containers"]), Decimal())
    first = (_asked(container, resource) for container in pod.get("initContainers") or ())
    return max(together, *first) if pod.get("initContainers") else together


def _asked(holder: dict[str, Any], resource: str) -> Decimal:
    resources: dict[str, Any] = holder.get("resources") or {}
    asked: dict[str, Any] = resources.get("requests") or {}
    return amount(str(asked.get(resource, 0)))


@dataclass(frozen=True)
class _Operated:
    """What a custom resource comes to, whose pods and volumes an operator makes."""

    requests: Callable[[dict[str, Any]], Requests]
    images: Callable[[dict[str, Any]], tuple[str, ...]]


def _cluster(spec: dict[str, Any]) -> Requests:
    count = int(spec["instances"])
    size = amount(str(spec["storage"]["size"]))
    return Requests(count * _asked(spec, "cpu"), count * _asked(spec, "memory"), count * size)


def _pooler(spec: dict[str, Any]) -> Requests:
    count, pod = int(spec["instances"]), spec["template"]["spec"]
    return Requests(count * _pod(pod, "cpu"), count * _pod(pod, "memory"))


_OPERATED = {
    "Cluster": _Operated(_cluster, lambda spec: (spec["imageName"],)),
    "Pooler": _Operated(_pooler, lambda spec: (spec["pgbouncer"]["image"],)),
}
"""CloudNativePG's, by kind. What the pods of charts ask for is not counted."""
