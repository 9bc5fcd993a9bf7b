"""Whether a live object is ready, and if not, why: pure functions of the object and its pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """How one object is."""

    ready: bool
    why: str = ""
    """What it is waiting for; empty when it is ready."""


READY = Verdict(True)


def verdict(live: Object | None, pods: Iterable[Object] = ()) -> Verdict:
    """How an object is; None stands for one that is not there. `pods` are those of its namespace."""
    if live is None:
        return Verdict(
            False, "missing: it was deleted outside of Ziggurat; `ziggurat up --refresh` makes it anew"
        )
    if _at(live, "metadata").get("deletionTimestamp"):
        return Verdict(False, "being deleted")
    found = _JUDGES.get(str(live.get("kind")), _anything)(live)
    if found.ready:
        return found
    reasons = list(dict.fromkeys(why for pod in selected(live, pods) if (why := pod_trouble(pod))))
    return Verdict(False, "; ".join([found.why, *reasons]))


def _replicas(live: Object, counted: str) -> Verdict:
    wanted = int(_at(live, "spec").get("replicas", 1))
    status = _at(live, "status")
    if int(status.get("observedGeneration", 0)) < int(_at(live, "metadata").get("generation", 0)):
        return Verdict(False, "the latest change has not been taken up yet")
    have = int(status.get(counted) or 0)
    updated = int(status.get("updatedReplicas") or 0)
    if have >= wanted and updated >= wanted:
        return READY
    return Verdict(False, f"{min(have, updated)} of {wanted} replicas ready")


def _deployment(live: Object) -> Verdict:
    return _replicas(live, "availableReplicas")


def _stateful_set(live: Object) -> Verdict:
    return _replicas(live, "readyReplicas")


def _daemon_set(live: Object) -> Verdict:
    status = _at(live, "status")
    wanted, have = int(status.get("desiredNumberScheduled", 0)), int(status.get("numberReady", 0))
    return READY if have >= wanted else Verdict(False, f"{have} of {wanted} nodes ready")


def _job(live: Object) -> Verdict:
    for condition in _conditions(live):
        if condition.get("status") == "True" and condition.get("type") == "Complete":
            return READY
        if condition.get("status") == "True" and condition.get("type") == "Failed":
            return Verdict(False, f"failed: {condition.get('message') or condition.get('reason')}")
    return Verdict(False, "has not ended yet")


def _claim(live: Object) -> Verdict:
    phase = _at(live, "status").get("phase", "Pending")
    return READY if phase == "Bound" else Verdict(False, f"volume {str(phase).lower()}")


def _namespace(live: Object) -> Verdict:
    phase = _at(live, "status").get("phase", "Active")
    return READY if phase == "Active" else Verdict(False, str(phase).lower())


def _pod(live: Object) -> Verdict:
    why = pod_trouble(live)
    return Verdict(False, why) if why else READY


def _anything(live: Object) -> Verdict:
    """What an object of any other kind says of itself, if it says anything: the condition Ready."""
    for condition in _conditions(live):
        if condition.get("type") == "Ready" and condition.get("status") == "False":
            said = (condition.get("reason"), condition.get("message"))
            return Verdict(False, ": ".join(str(text) for text in said if text) or "not ready")
    return READY


def _cluster(live: Object) -> Verdict:
    """CloudNativePG's: well when the operator says so, whatever instances it has meanwhile."""
    status, wanted = _at(live, "status"), int(_at(live, "spec").get("instances", 1))
    have = int(status.get("readyInstances") or 0)
    if any(each.get("type") == "Ready" and each.get("status") == "True" for each in _conditions(live)):
        return READY
    phase = status.get("phase") or "its operator has not taken it up yet"
    reason = f" ({status['phaseReason']})" if status.get("phaseReason") else ""
    return Verdict(False, f"{have} of {wanted} instances ready: {phase}{reason}")


def _pooler(live: Object) -> Verdict:
    status = _at(live, "status")
    phase = str(status.get("phase") or "not taken up by its operator yet")
    return READY if phase == "active" else Verdict(False, ": ".join([phase, *_reason(status)]))


def _reason(status: Object) -> list[str]:
    return [str(status["phaseReason"])] if status.get("phaseReason") else []


_JUDGES: dict[str, Callable[[Object], Verdict]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Namespace": _namespace,
    "Pod": _pod,
    "Cluster": _cluster,
    "Pooler": _pooler,
}
"""Kinds that take time to become ready; every other is ready when it is there, unless it says otherwise."""


def pod_trouble(pod: Object) -> str:
    """Why a pod does not run, in the words of Kubernetes; empty if it does, or has ended well."""
    status = _at(pod, "status")
    name = _at(pod, "metadata").get("name", "")
    if status.get("phase") == "Succeeded":
        return ""
    for condition in _conditions(pod):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"pod {name} is not scheduled: {condition.get('message') or condition.get('reason')}"
    containers = [*_list(status.get("initContainerStatuses")), *_list(status.get("containerStatuses"))]
    for container in containers:
        waiting = _at(_at(container, "state"), "waiting")
        if waiting and waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            detail = f": {waiting['message']}" if waiting.get("message") else ""
            return f"pod {name}, container {container.get('name')}: {waiting['reason']}{detail}"
    if status.get("phase") == "Failed":
        return f"pod {name} failed: {status.get('message') or status.get('reason') or 'see its log'}"
    ready = [item for item in _conditions(pod) if item.get("type") == "Ready"]
    if ready and ready[0].get("status") != "True":
        return f"pod {name} is not ready: {ready[0].get('message') or ready[0].get('reason') or 'starting'}"
    return ""


def selected(workload: Object, pods: Iterable[Object]) -> Sequence[Object]:
    """The pods of a workload, by its selector."""
    wanted = _at(_at(workload, "spec"), "selector").get("matchLabels")
    if not isinstance(wanted, Mapping) or not wanted:
        return ()
    labels = cast("Mapping[str, str]", wanted)
    return [pod for pod in pods if labels.items() <= _at(_at(pod, "metadata"), "labels").items()]


def _conditions(live: Object) -> list[Mapping[str, Any]]:
    return _list(_at(live, "status").get("conditions"))


def _at(value: Object, key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", value) if isinstance(value, list) else []
