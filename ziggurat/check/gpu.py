"""Whether teams get a GPU of each pool and whether it works; where they do not, why."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ziggurat import job_logs
from ziggurat.check.report import Outcome, Result
from ziggurat.errors import ClusterError, ZigguratError

if TYPE_CHECKING:
    from blueprints import Blueprint
    from blueprints.model.pools import GpuPool
    from ziggurat.cluster import Cluster, Object
    from ziggurat.progress import Progress, Step

_POLL_SECONDS = 1.0
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class GpuCheck:
    """What is to be checked: one pool, as one team."""

    blueprint: Blueprint
    pool: str
    team: str
    seconds: float
    """After how long a GPU is no longer waited for."""

    @property
    def definition(self) -> GpuPool:
        """The pool as the blueprint has it."""
        return self.blueprint.gpu_pools[self.pool]


class NotGot(Exception):  # noqa: N818 - what becomes a result
    """No working GPU: what is in the way, and what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


def chosen(
    blueprint: Blueprint, pool: str | None, team: str | None, seconds: float
) -> Iterator[GpuCheck | Result]:
    """A check for each pool, or for one, as the first team that may take GPUs, or as one team.

    A Result where nobody may. ZigguratError for a pool or team that is not there.
    """
    for kind, name, known in (("pool", pool, blueprint.gpu_pools), ("team", team, blueprint.teams)):
        if name is not None and name not in known:
            raise ZigguratError(
                f"there is no {kind} {name}",
                where=f"the blueprint's {kind}s: {', '.join(sorted(known)) or 'none'}",
                remedy="name one of these, or leave it out",
            )
    teams = [team] if team else sorted(blueprint.teams)
    able = [name for name in teams if blueprint.teams[name].quota.gpus > 0]
    for name in [pool] if pool else sorted(blueprint.gpu_pools):
        if able:
            yield GpuCheck(blueprint, name, able[0], seconds)
        else:
            who = f"team {team} has no quota" if team else "no team has a quota"
            yield Result(
                f"gpu-{name}",
                _what(name),
                0.0,
                Outcome.SKIPPED,
                f"{who} of GPUs (`quota.gpus`)",
                team=team or "",
            )


def _what(pool: str) -> str:
    return f"one GPU of pool {pool}, and a kernel on it"


def check_gpu(cluster: Cluster, wanted: GpuCheck, progress: Progress) -> Result:
    """Takes a GPU by a Job, which is deleted whatever comes of it. KeyboardInterrupt goes through."""
    started = time.monotonic()
    outcome, remedy = Outcome.OK, ""
    try:
        with progress.step(f"waiting for a GPU of pool {wanted.pool}") as step:
            detail = _try(cluster, wanted, step, started)
    except NotGot as failed:
        outcome, detail, remedy = Outcome.FAILED, str(failed), failed.remedy
    except ZigguratError as error:
        detail = f"{error.message} ({error.where})" if error.where else error.message
        outcome, remedy = Outcome.FAILED, error.remedy
    took = time.monotonic() - started
    return Result(f"gpu-{wanted.pool}", _what(wanted.pool), took, outcome, detail, remedy, wanted.team)


def _try(cluster: Cluster, wanted: GpuCheck, step: Step, started: float) -> str:
    from components.gpu_check import smoke_job
    from components.versions import ImageSource

    source = wanted.blueprint.images
    job = smoke_job(
        wanted.blueprint.name,
        wanted.team,
        wanted.pool,
        wanted.definition,
        ImageSource(source.registry, source.pull_secret),
        queued=wanted.blueprint.queues is not None,
        seconds=int(wanted.seconds) + 60,
        suffix=secrets.token_hex(3),
    )
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    cluster.create(job)
    try:
        return _follow(cluster, wanted, namespace, name, step, started)
    finally:
        cluster.delete("batch/v1", "Job", namespace, name)


def _follow(cluster: Cluster, wanted: GpuCheck, namespace: str, name: str, step: Step, started: float) -> str:
    """What the Job saw, once it is complete."""
    deadline = started + wanted.seconds
    placed = None
    while True:
        job = cluster.find("batch/v1", "Job", namespace, name)
        if job is None:
            raise NotGot("somebody deleted the Job while it ran", "run the same command again")
        pods = cluster.objects("v1", "Pod", namespace, f"batch.kubernetes.io/job-name={name}")
        if placed is None and any(pod.get("spec", {}).get("nodeName") for pod in pods):
            placed = time.monotonic() - started
        ended = _ended(job)
        if ended == "Complete" and pods:
            return _seen(cluster, namespace, pods[-1], placed)
        if ended == "Failed":
            raise _failed(cluster, wanted, namespace, pods)
        if time.monotonic() > deadline:
            raise _why(cluster, wanted, job, pods)
        step.detail = "its pod has a node" if placed is not None else "no node yet"
        time.sleep(_POLL_SECONDS)


def _ended(job: Object) -> str | None:
    conditions = _conditions(job)
    return next(
        (kind for kind in ("Complete", "Failed") if conditions.get(kind, {}).get("status") == "True"), None
    )


def _conditions(item: Mapping[str, Any]) -> dict[str, Object]:
    listed = cast("list[Object]", item.get("status", {}).get("conditions") or [])
    return {str(each["type"]): each for each in listed}


def _seen(cluster: Cluster, namespace: str, pod: Object, placed: float | None) -> str:
    from components.gpu_check import MAIN, PASSED

    log = job_logs.whole(cluster, namespace, pod, MAIN)
    gpu, _, _ = log.strip().partition("\n")
    if PASSED not in log:
        raise NotGot(
            f"the GPU computed wrong: {log.strip()[-300:]}",
            "look at the node's driver: kubectl describe node " + str(pod["spec"].get("nodeName", "NODE")),
        )
    waited = f", after {placed:.0f} s" if placed is not None else ""
    return f"{gpu}, on node {pod['spec'].get('nodeName')}{waited}"


def _failed(cluster: Cluster, wanted: GpuCheck, namespace: str, pods: list[Object]) -> NotGot:
    found = job_logs.failed(pods)
    node = next((str(pod["spec"].get("nodeName")) for pod in pods if pod.get("spec", {}).get("nodeName")), "")
    remedy = f"the driver of node {node}: kubectl describe node {node}" if node else "run it again"
    if found is None:
        return NotGot("its pod was ended before it ran", remedy)
    pod, container, code = found
    log = job_logs.whole(cluster, namespace, pod, container, lines=5).strip()
    said = log or f"exit code {code}, no message"
    if "nvidia-smi: not found" in log or "NVML" in log:
        remedy = f"the node has no working driver for the container of pool {wanted.pool}; {remedy}"
    return NotGot(said, remedy)


def _why(cluster: Cluster, wanted: GpuCheck, job: Object, pods: list[Object]) -> NotGot:
    """What is in the way of a Job that does not come to its end: its queue, a quota, its node, its image."""
    waited = f"not done after {wanted.seconds:.0f} s"
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    if job.get("spec", {}).get("suspend"):
        said = _queue_says(cluster, namespace, job)
        return NotGot(
            f"{waited}: it waits in the queue of team {wanted.team}: {said}",
            f"kubectl describe clusterqueue {namespace} says what is taken; or wait until it is free",
        )
    if not pods:
        refused = _events(cluster, namespace, name, ("FailedCreate",))
        said = refused[-1] if refused else "no pod was made of its Job"
        return NotGot(f"{waited}: {said}", f"kubectl describe job -n {namespace} {name}")
    pod = pods[-1]
    if not pod.get("spec", {}).get("nodeName"):
        return _unplaced(cluster, wanted, pod, waited)
    for status in job_logs.statuses(pod):
        waiting: Object = status.get("state", {}).get("waiting") or {}
        if waiting:
            said = " ".join(part for part in (waiting.get("reason"), waiting.get("message")) if part)
            return NotGot(
                f"{waited}: on node {pod['spec']['nodeName']}: {said}",
                f"kubectl describe pod -n {namespace} {pod['metadata']['name']}",
            )
    return NotGot(
        f"{waited}: it still runs on node {pod['spec']['nodeName']}", "give it more time: --timeout"
    )


def _queue_says(cluster: Cluster, namespace: str, job: Object) -> str:
    """Why Kueue does not let a Job start, as the condition of its Workload says."""
    uid = job["metadata"].get("uid")
    for workload in cluster.objects("kueue.x-k8s.io/v1beta2", "Workload", namespace):
        owners = cast("list[Object]", workload["metadata"].get("ownerReferences") or [])
        if any(owner.get("uid") == uid for owner in owners):
            reserved = _conditions(workload).get("QuotaReserved", {})
            return str(reserved.get("message") or "Kueue has not looked at it yet")
    return "Kueue does not know it: is Kueue there, and does the team's LocalQueue exist?"


def _unplaced(cluster: Cluster, wanted: GpuCheck, pod: Object, waited: str) -> NotGot:
    """Why a pod has no node: there is none, none says that it has GPUs, or those that do are taken."""
    from components.manifests.pools import placement

    selector: dict[str, str] = placement(wanted.pool, wanted.definition)["nodeSelector"]
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    says = str(
        _conditions(pod).get("PodScheduled", {}).get("message") or "the scheduler has not looked at it"
    )
    makers = _events(cluster, namespace, name, _MAKERS_REASONS)
    said = "; ".join([says, *makers[-1:]])
    try:
        nodes = cluster.objects("v1", "Node", "", labels)
    except ClusterError:  # this account may not list nodes
        return NotGot(f"{waited}: {said}", f"kubectl get nodes -l {labels}")
    if not nodes:
        return NotGot(f"{waited}: no node has the labels {labels}: {said}", _nobody(wanted, labels))
    if not any(int(node.get("status", {}).get("allocatable", {}).get(_GPU, 0)) for node in nodes):
        return NotGot(
            f"{waited}: {len(nodes)} nodes of the pool, and none says that it has {_GPU}: {said}",
            "its device plugin: is it on them, and does it tolerate their taints? "
            f"kubectl get pods -A -o wide --field-selector spec.nodeName={nodes[0]['metadata']['name']}",
        )
    return NotGot(
        f"{waited}: {said}", f"kubectl describe nodes -l {labels} says what is taken, and the taints"
    )


_MAKERS_REASONS = ("FailedScheduling", "NotTriggerScaleUp", "TriggeredScaleUp", "Nominated")
"""Events by which Karpenter and the cluster autoscaler say what they make of a pod; the scheduler's own
FailedScheduling is in the pod's condition."""


def _nobody(wanted: GpuCheck, labels: str) -> str:
    """What to do where there is no node, by who would make one."""
    from blueprints.pools import has_compute_class, is_of_program
    from components.manifests.nodes import node_pool_name

    pool = wanted.definition
    if pool.provider == "karpenter":
        name = node_pool_name(wanted.blueprint.name, wanted.pool, pool)
        return f"Karpenter made none: kubectl describe nodepool {name}; kubectl get nodeclaims"
    if has_compute_class(pool):
        return f"GKE made none: kubectl describe computeclass {labels.rpartition('=')[2]}"
    if is_of_program(pool):
        return "the node pool is a resource of the cloud: `pulumi up` in stacks/nodes (docs/operations.md)"
    return f"label the nodes of the pool: kubectl label node NODE {labels.replace(',', ' ')}"


def _events(cluster: Cluster, namespace: str, name: str, reasons: tuple[str, ...]) -> list[str]:
    """What events of these reasons say of an object, but the scheduler's; the last one is the newest."""
    try:
        events = cluster.objects("v1", "Event", namespace)
    except ClusterError:  # this account may not read events
        return []
    found = [
        event
        for event in events
        if event.get("reason") in reasons
        and event.get("involvedObject", {}).get("name") == name
        and _reporter(event) != "default-scheduler"
    ]
    found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [f"{_reporter(event)}: {event.get('message', '')}".removeprefix(": ") for event in found]


def _reporter(event: Object) -> str:
    return str(event.get("reportingComponent") or event.get("source", {}).get("component") or "")
