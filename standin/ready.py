"""When an object is ready: one pure function per kind, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from standin.checkpoint import at, text_at
from standin.normal import group_of
from standin.wire import Object


@dataclass(frozen=True)
class Verdict:
    """Whether an object is ready, and what is still missing."""

    done: bool
    message: str = ""
    failed: bool = False
    """It never will be ready: waiting on is of no use."""


@dataclass(frozen=True)
class Query:
    """Other objects that readiness depends on."""

    api_version: str
    kind: str
    namespace: str
    name: str = ""
    labels: str = ""
    """A label selector; with neither name nor labels, all of them."""


Lookup = Callable[[Query], list[Object]]
Check = Callable[[Object, Lookup], Verdict]

READY: Final = Verdict(done=True)
MINUTE: Final = 60.0


@dataclass(frozen=True)
class Await:
    """How a kind is awaited."""

    check: Check
    limit: float = 10 * MINUTE
    """Seconds, unless the resource says otherwise."""
    on_read: bool = False
    """Whether a refresh reports an object that is not ready."""
    looks_around: bool = False
    """Whether other objects count too (so that watching this one alone is not enough)."""


def _waiting(message: str) -> Verdict:
    return Verdict(done=False, message=message)


def _number(manifest: Object, *keys: str, default: int = 0) -> int:
    value = at(manifest, *keys)
    return int(value) if isinstance(value, int | float) else default


def condition(manifest: Object, name: str) -> Object:
    """A condition of the object's status; {} where it has none of that type."""
    for item in cast("list[Object]", at(manifest, "status", "conditions") or []):
        if item.get("type") == name:
            return item
    return {}


def _is_true(manifest: Object, name: str) -> bool:
    return condition(manifest, name).get("status") == "True"


def _observed(manifest: Object) -> bool:
    return _number(manifest, "status", "observedGeneration") >= _number(manifest, "metadata", "generation")


def _reason(found: Object) -> str:
    parts = (str(found.get("reason") or ""), str(found.get("message") or ""))
    return ": ".join(part for part in parts if part)


def deployment(manifest: Object, _: Lookup) -> Verdict:
    """Its newest replica set is rolled out, and as many pods as wanted are ready."""
    wanted = _number(manifest, "spec", "replicas", default=1)
    if not _observed(manifest):
        return _waiting("the controller has not seen the change yet")
    progressing, available = condition(manifest, "Progressing"), condition(manifest, "Available")
    refused = condition(manifest, "ReplicaFailure")
    if refused.get("status") == "True":
        return _waiting(f"its pods cannot be created: {refused.get('message')}")
    counts = [_number(manifest, "status", key) for key in ("updatedReplicas", "readyReplicas", "replicas")]
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return _waiting(f"the roll-out does not get on: {progressing.get('message')}")
    rolled_out = progressing.get("reason") == "NewReplicaSetAvailable" and progressing.get("status") == "True"
    # A Deployment without deadline for progress has no such condition.
    if progressing and not rolled_out:
        return _waiting(f"{counts[1]} of {wanted} pods are ready, {counts[0]} updated")
    if available.get("status") == "True" and counts == [wanted] * 3:
        return READY
    return _waiting(f"{counts[1]} of {wanted} pods are ready, {counts[0]} updated")


def stateful_set(manifest: Object, _: Lookup) -> Verdict:
    """All pods are ready and of the newest revision."""
    if not _observed(manifest):
        return _waiting("the controller has not seen the change yet")
    wanted = _number(manifest, "spec", "replicas", default=1)
    status = cast("Object", manifest.get("status") or {})
    ready = _number(manifest, "status", "readyReplicas")
    message = f"{ready} of {wanted} pods are ready"
    if _number(manifest, "status", "replicas") != wanted or ready != wanted:
        return _waiting(message)
    if text_at(manifest, "spec", "updateStrategy", "type") == "OnDelete":
        return READY
    partition = _number(manifest, "spec", "updateStrategy", "rollingUpdate", "partition")
    if partition:
        updated = _number(manifest, "status", "updatedReplicas")
        return (
            READY
            if updated >= wanted - partition
            else _waiting(f"{updated} of {wanted - partition} are updated")
        )
    if status.get("currentRevision") != status.get("updateRevision"):
        return _waiting(f"{_number(manifest, 'status', 'updatedReplicas')} of {wanted} pods are updated")
    return READY if _number(manifest, "status", "currentReplicas") == wanted else _waiting(message)


def daemon_set(manifest: Object, _: Lookup) -> Verdict:
    """Every node that should have a pod has a ready one, of the newest revision."""
    if not _observed(manifest) or at(manifest, "status", "desiredNumberScheduled") is None:
        return _waiting("the controller has not seen the change yet")
    wanted = _number(manifest, "status", "desiredNumberScheduled")
    keys = ["currentNumberScheduled", "numberAvailable", "numberReady"]
    if text_at(manifest, "spec", "updateStrategy", "type") != "OnDelete":
        keys.append("updatedNumberScheduled")
    short = {
        key: _number(manifest, "status", key) for key in keys if _number(manifest, "status", key) < wanted
    }
    return _waiting(f"{min(short.values())} of {wanted} pods are ready") if short else READY


def pod(manifest: Object, _: Lookup) -> Verdict:
    """It runs and is ready, or has ended well."""
    phase = text_at(manifest, "status", "phase")
    if phase == "Succeeded":
        return READY
    if phase == "Failed":
        return Verdict(
            done=False,
            failed=True,
            message=f"the pod has failed: {at(manifest, 'status', 'message') or phase}",
        )
    for name in ("PodScheduled", "Initialized", "Ready"):
        if not _is_true(manifest, name):
            return _waiting(_reason(condition(manifest, name)) or f"the pod is not {name}")
    return READY


def job(manifest: Object, _: Lookup) -> Verdict:
    """It is complete; a job that has failed stays failed."""
    if _is_true(manifest, "Complete"):
        return READY
    if _is_true(manifest, "Failed"):
        return Verdict(
            done=False, failed=True, message=f"the job has failed: {_reason(condition(manifest, 'Failed'))}"
        )
    counts = {key: _number(manifest, "status", key) for key in ("active", "succeeded", "failed")}
    return _waiting(", ".join(f"{count} {key}" for key, count in counts.items()))


def service(manifest: Object, look: Lookup) -> Verdict:
    """It has an address if it asks for one, and every pod that it selects is ready to serve."""
    kind = text_at(manifest, "spec", "type")
    if kind == "LoadBalancer" and not at(manifest, "status", "loadBalancer", "ingress"):
        return _waiting("the load balancer has no address yet")
    headless = text_at(manifest, "spec", "clusterIP") == "None"
    if kind == "ExternalName" or headless or not at(manifest, "spec", "selector"):
        return READY
    ready, unready = _endpoints(manifest, look)
    if not ready and not unready:
        return _waiting("the service selects no pods yet")
    return _waiting(f"{unready} of its {ready + unready} pods are not ready") if unready else READY


def _endpoints(manifest: Object, look: Lookup) -> tuple[int, int]:
    """How many endpoints of a service are ready, and how many are not."""
    name, namespace = text_at(manifest, "metadata", "name"), text_at(manifest, "metadata", "namespace")
    slices = look(
        Query("discovery.k8s.io/v1", "EndpointSlice", namespace, labels=f"kubernetes.io/service-name={name}")
    )
    states = [
        at(endpoint, "conditions", "ready") is not False
        for item in slices
        for endpoint in cast("list[Object]", item.get("endpoints") or [])
        if at(endpoint, "conditions", "terminating") is not True
    ]
    return states.count(True), states.count(False)


def ingress(manifest: Object, look: Lookup) -> Verdict:
    """It has an address, and the services behind it have pods that are ready."""
    namespace = text_at(manifest, "metadata", "namespace")
    for name in sorted(_backends(manifest)):
        found = look(Query("v1", "Service", namespace, name=name))
        if not found:
            return _waiting(f"the service {name} behind it does not exist")
        if text_at(found[0], "spec", "type") != "ExternalName" and not _endpoints(found[0], look)[0]:
            return _waiting(f"the service {name} behind it has no pod that is ready")
    if not at(manifest, "status", "loadBalancer", "ingress"):
        return _waiting("no controller has given it an address yet")
    return READY


def _backends(manifest: Object) -> set[str]:
    paths = [
        path
        for rule in cast("list[Object]", at(manifest, "spec", "rules") or [])
        for path in cast("list[Object]", at(rule, "http", "paths") or [])
    ]
    names = {text_at(path, "backend", "service", "name") for path in paths}
    return {name for name in names | {text_at(manifest, "spec", "defaultBackend", "service", "name")} if name}


def replication_controller(manifest: Object, _: Lookup) -> Verdict:
    """As many pods as wanted are available."""
    wanted = _number(manifest, "spec", "replicas", default=1)
    available = _number(manifest, "status", "availableReplicas")
    return READY if available == wanted else _waiting(f"{available} of {wanted} pods are available")


def volume_claim(manifest: Object, look: Lookup) -> Verdict:
    """It is bound, or waits for its first pod as its storage class says."""
    phase = text_at(manifest, "status", "phase")
    if phase == "Bound":
        return READY
    if phase == "Lost":
        return Verdict(done=False, failed=True, message="the volume of the claim is lost")
    name = text_at(manifest, "spec", "storageClassName")
    found = look(Query("storage.k8s.io/v1", "StorageClass", "", name=name)) if name else []
    if phase == "Pending" and found and found[0].get("volumeBindingMode") == "WaitForFirstConsumer":
        return READY
    storage = f"storage class {name}" if found else f"there is no storage class {name!r}"
    return _waiting(f"the claim is {phase or 'new'}, not bound ({storage})")


def volume(manifest: Object, _: Lookup) -> Verdict:
    """It is available or bound."""
    phase = text_at(manifest, "status", "phase")
    return READY if phase in ("Available", "Bound") else _waiting(f"the volume is {phase or 'new'}")


def resource_quota(manifest: Object, _: Lookup) -> Verdict:
    """The quota controller has taken over the limits."""
    same = at(manifest, "spec", "hard") == at(manifest, "status", "hard")
    return READY if same else _waiting("the quota is not in force yet")


def token_secret(manifest: Object, _: Lookup) -> Verdict:
    """A token is there, if it is a Secret that is to hold one."""
    if manifest.get("type") != "kubernetes.io/service-account-token" or manifest.get("data"):
        return READY
    return _waiting("no token has been issued yet")


def anything(manifest: Object, _: Lookup) -> Verdict:
    """What any object may say of itself: the generation it is about, and a Ready condition."""
    if at(manifest, "status", "observedGeneration") is not None and not _observed(manifest):
        return _waiting("the controller has not seen the change yet")
    found: Any = condition(manifest, "Ready")
    return (
        READY if not found or found.get("status") == "True" else _waiting(_reason(found) or "not ready yet")
    )


_INGRESS: Final = Await(ingress, on_read=True, looks_around=True)

AWAITED: Final[dict[tuple[str, str], Await]] = {
    ("apps", "Deployment"): Await(deployment, on_read=True),
    ("apps", "StatefulSet"): Await(stateful_set, on_read=True),
    ("apps", "DaemonSet"): Await(daemon_set, on_read=True),
    ("", "Pod"): Await(pod, on_read=True),
    ("batch", "Job"): Await(job, on_read=True),
    ("", "Service"): Await(service, on_read=True, looks_around=True),
    ("networking.k8s.io", "Ingress"): _INGRESS,
    ("extensions", "Ingress"): _INGRESS,
    ("", "ReplicationController"): Await(replication_controller),
    ("", "PersistentVolumeClaim"): Await(volume_claim, 5 * MINUTE),
    ("", "PersistentVolume"): Await(volume, 5 * MINUTE),
    ("", "ResourceQuota"): Await(resource_quota, MINUTE),
    ("", "Secret"): Await(token_secret, 5.0),
}
"""Per API group and kind. Everything else is ready as soon as it is stored."""

ANYTHING: Final = Await(anything)


def awaited(manifest: Object) -> Await | None:
    """How this object is awaited, None where it is not."""
    return AWAITED.get((group_of(manifest), str(manifest.get("kind"))))
