"""Jobs made from a CronJob's template: started, followed to their end, and their logs."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ziggurat import job_logs
from ziggurat.cluster import Cluster, Object
from ziggurat.errors import ClusterError, InterruptedRunError, ZigguratError
from ziggurat.progress import Progress

KEPT_SECONDS = 24 * 3600
"""How long a Job that nobody deleted stays."""
_POLL_SECONDS = 1.0
_CONTROLLER = (
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
)
"""Labels that the cluster gives to the pods of one Job."""


class Failure(Exception):  # noqa: N818 - callers turn it into an error that says what it means for the user
    """A Job that failed: in which container, with which exit code, and the last lines of its log."""

    def __init__(self, job: str, container: str = "", exit_code: int | None = None, log: str = "") -> None:
        super().__init__(job)
        self.job, self.container, self.exit_code, self.log = job, container, exit_code, log

    @property
    def said(self) -> str:
        """Its last words; of one that said nothing (killed for its memory, for example), how it ended."""
        if self.log:
            return self.log
        return "its pod was ended" if self.exit_code is None else f"exit code {self.exit_code}, no message"


def from_cron_job(cron_job: Object, suffix: str) -> Object:
    """A Job as `kubectl create job --from` makes it; tried once, and deleted after a day at the latest."""
    metadata, template = cron_job["metadata"], copy.deepcopy(cron_job["spec"]["jobTemplate"])
    job = _job(metadata["namespace"], f"{metadata['name']}-{suffix}", template["spec"]["template"])
    if "activeDeadlineSeconds" in template["spec"]:
        job["spec"]["activeDeadlineSeconds"] = template["spec"]["activeDeadlineSeconds"]
    job["metadata"]["labels"] = template.get("metadata", {}).get("labels", {})
    job["metadata"]["annotations"] = {"cronjob.kubernetes.io/instantiate": "manual"}
    return job


def again(job: Object, suffix: str) -> Object:
    """A Job that does what `job` did."""
    metadata, template = job["metadata"], copy.deepcopy(job["spec"]["template"])
    labels = template["metadata"].get("labels", {})
    template["metadata"] = {
        key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")
    } | {"labels": {key: value for key, value in labels.items() if key not in _CONTROLLER}}
    name = metadata["labels"]["app.kubernetes.io/name"]
    made = _job(metadata["namespace"], f"{name}-{suffix}", template)
    made["metadata"]["labels"] = {
        key: value for key, value in metadata["labels"].items() if key not in _CONTROLLER
    }
    return made


def _job(namespace: str, name: str, template: Object) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{name}-{secrets.token_hex(3)}", "namespace": namespace},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": KEPT_SECONDS, "template": template},
    }


def only(job: Object, container: str, *arguments: str) -> Object:
    """The Job with one of its containers alone, whose command ends with other arguments."""
    spec = job["spec"]["template"]["spec"]
    every = cast("list[Object]", [*spec.pop("initContainers", ()), *spec["containers"]])
    chosen = next(each for each in every if each["name"] == container)
    chosen["command"] = [*chosen["command"][: -len(arguments)], *arguments]
    spec["containers"] = [chosen]
    return job


def set_environment(job: Object, values: Mapping[str, Any]) -> Object:
    """The Job with other values of variables that its containers have; a mapping is a `valueFrom`."""
    spec = job["spec"]["template"]["spec"]
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        for variable in container.get("env", ()):
            if variable["name"] in values:
                value = values[variable["name"]]
                name = variable["name"]
                variable.clear()
                variable |= {"name": name, "valueFrom" if isinstance(value, Mapping) else "value": value}
    return job


def run(
    cluster: Cluster,
    job: Object,
    title: str,
    progress: Progress,
    *,
    seconds: float,
    shown: bool = False,
    container: str = "",
) -> str:
    """Runs a Job to its end and deletes it: the log of its last container, or of the one that is named. One
    to be `shown` has no secrets.

    Failure if it fails: then it is left for a day, to be looked into. ZigguratError if it takes longer than
    `seconds`: it goes on. InterruptedRunError on Ctrl-C: it goes on as well.
    """
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    cluster.create(job)
    try:
        pods = _follow(cluster, namespace, name, title, progress, seconds)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"stopped waiting: {title}",
            where=f"Job {namespace}/{name}, which goes on; what was to follow it was not begun",
            remedy=f"see what became of it: kubectl logs -n {namespace} -l job-name={name} --all-containers",
        ) from None
    main = job["spec"]["template"]["spec"]["containers"][0]["name"]
    read = job_logs.masked if shown else job_logs.whole
    text = read(cluster, namespace, pods[-1], container or main)
    cluster.delete("batch/v1", "Job", namespace, name)
    return text


def _follow(
    cluster: Cluster, namespace: str, name: str, title: str, progress: Progress, seconds: float
) -> list[Object]:
    """The pods of a Job, once it is complete."""
    deadline = time.monotonic() + seconds
    with progress.step(title) as step:
        while True:
            found = cluster.find("batch/v1", "Job", namespace, name)
            pods = cluster.objects("v1", "Pod", namespace, f"batch.kubernetes.io/job-name={name}")
            step.detail = _doing(pods)
            match _outcome(found):
                case "Complete":
                    return pods
                case "Failed":
                    raise _failure(cluster, namespace, name, pods)
                case _ if time.monotonic() > deadline:
                    why = step.detail or _refusal(cluster, namespace, name) or "its pod does not start"
                    described = (
                        f"pod -n {namespace} -l job-name={name}" if pods else f"job -n {namespace} {name}"
                    )
                    raise ZigguratError(
                        f"not done after {seconds:.0f} s: {why}",
                        where=f"Job {namespace}/{name}, which goes on",
                        remedy=f"see how it is: kubectl describe {described}",
                    )
                case _:
                    time.sleep(_POLL_SECONDS)


def _refusal(cluster: Cluster, namespace: str, name: str) -> str:
    """Why the cluster makes no pod of a Job, such as a quota, as its last event says; empty if none does."""
    try:
        events = cluster.objects("v1", "Event", namespace)
    except ClusterError:  # this account may not read events
        return ""
    said = [
        str(event.get("message", ""))
        for event in events
        if event.get("reason") == "FailedCreate" and event.get("involvedObject", {}).get("name") == name
    ]
    return said[-1] if said else ""


def _outcome(job: Object | None) -> str | None:
    if job is None:
        raise ClusterError("somebody deleted the Job while it ran", remedy="run the same command again")
    conditions = cast("list[Object]", job.get("status", {}).get("conditions") or [])
    return next(
        (
            each["type"]
            for each in conditions
            if each["status"] == "True" and each["type"] in ("Complete", "Failed")
        ),
        None,
    )


def _doing(pods: Sequence[Object]) -> str:
    """The step that runs, or why none does."""
    for status in (each for pod in pods for each in job_logs.statuses(pod)):
        state = status.get("state", {})
        if "running" in state:
            return str(status["name"])
        waiting = state.get("waiting", {}).get("reason", "PodInitializing")
        if waiting not in ("PodInitializing", "ContainerCreating"):
            return f"{status['name']}: {waiting}"
    return ""


def _failure(cluster: Cluster, namespace: str, name: str, pods: Sequence[Object]) -> Failure:
    found = job_logs.failed(pods)
    if found is None:
        return Failure(f"{namespace}/{name}")
    pod, container, exit_code = found
    log = job_logs.masked(cluster, namespace, pod, container, lines=8)
    return Failure(f"{namespace}/{name}", container, exit_code, log.strip())
