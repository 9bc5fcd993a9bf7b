"""A platform with backups in front of the commands: its own objects, and a cluster that plays their Jobs."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "check"))  # the API server of its tests

from kube_api import KubeApi

from blueprints import load
from ziggurat.plan import plan

NAMESPACE = "acme-ml"
CORE, BATCH = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/batch/v1/namespaces/{NAMESPACE}"
BLUEPRINT = "apiVersion: ziggurat/v1\nname: acme-ml\nphase: starter\nteams: {vision: {}}\nbackup: {keep: 7}\n"
WITH_PIPELINES = f"{BLUEPRINT.replace('starter', 'orchestration')}pipelines: {{}}\n"
SERVERS = ("mlflow", "metadata-grpc-service", "ml-pipeline-server")
SERVED = {
    "CronJob": f"{BATCH}/cronjobs",
    "Job": f"{BATCH}/jobs",
    "Secret": f"{CORE}/secrets",
}

Object = dict[str, Any]


def snapshot(short_id: str, when: str, *tags: str) -> Object:
    """One as restic lists it."""
    summary = {"total_bytes_processed": 3 * 1024**2, "total_files_processed": 12}
    return {"short_id": short_id, "time": when, "tags": [*tags], "summary": summary, "hostname": NAMESPACE}


FIRST = snapshot("aaaa1111", "2026-03-01T03:30:00.123456789+02:00", "scheduled")
SECOND = snapshot("bbbb2222", "2026-03-02T01:30:00Z", "manual")


@dataclass
class Ending:
    """How a Job is to end: well, or with a container that fails, waits for ever, or never comes to be."""

    container: str = ""
    code: int = 0
    log: str = ""
    waits: str = ""
    """Why the container waits."""
    refused: str = ""
    """Why no pod is made at all."""


@dataclass
class Jobs:
    """The cluster's Job controller, as the test wants it."""

    api: KubeApi
    snapshots: list[Object] = field(default_factory=lambda: [FIRST, SECOND])
    endings: dict[str, Ending] = field(default_factory=dict[str, Ending])
    """By the verb: `backup`, `list`, `verify`, `restore`, `upgrade`, `accounts`; others end well."""
    pipelines: str = ""
    """What the step `fetch` of a restore says becomes of pipelines."""
    ran: list[str] = field(default_factory=list[str])
    """The verbs in their order."""
    _count: Any = field(default_factory=itertools.count)

    def on_made(self, item: Object) -> None:
        if item["kind"] != "Job":
            return
        verb = verb_of(item)
        self.ran.append(verb)
        ending = self.endings.get(verb, Ending())
        if ending.refused:
            self.refuse(item, ending.refused)
            return
        pod = self.pod(item, ending)
        if ending.waits:
            return
        item["status"] = {"conditions": [{"type": "Failed" if ending.code else "Complete", "status": "True"}]}
        name = pod["metadata"]["name"]
        if verb == "backup" and not ending.code:
            kind = environment(item)["TAG"]
            self.snapshots.append(snapshot(f"cccc{next(self._count):04}", "2026-03-03T01:30:00Z", kind))
        log = ending.log if ending.code or ending.log else self.log(verb)
        self.api.objects[f"{CORE}/pods/{name}/log"] = log
        if verb == "restore" and self.pipelines:
            said = f"restoring snapshot\npipelines: {self.pipelines}\n"
            self.api.objects[f"{CORE}/pods/{name}/log?container=fetch"] = said

    def log(self, verb: str) -> str:
        return json.dumps(self.snapshots) if verb == "list" else "done"

    def pod(self, job: Object, ending: Ending) -> Object:
        name = job["metadata"]["name"]
        template = job["spec"]["template"]
        labels = template["metadata"].get("labels", {})
        pod = {
            "metadata": {
                "name": f"{name}-x",
                "labels": {**labels, "batch.kubernetes.io/job-name": name, "job-name": name},
            },
            "spec": template["spec"],
            "status": {
                "initContainerStatuses": [
                    {"name": each["name"], "state": state(each["name"], ending)}
                    for each in template["spec"].get("initContainers", ())
                ],
                "containerStatuses": [
                    {"name": each["name"], "state": state(each["name"], ending)}
                    for each in template["spec"]["containers"]
                ],
            },
        }
        self.api.add(f"{CORE}/pods", pod)
        return pod

    def refuse(self, job: Object, why: str) -> None:
        event = {
            "metadata": {"name": f"{job['metadata']['name']}.1"},
            "involvedObject": {"kind": "Job", "name": job["metadata"]["name"]},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": why,
        }
        self.api.add(f"{CORE}/events", event)

    def on_deleted(self, path: str) -> None:
        """A pod of a server that goes is replaced by another."""
        name, _, number = path.rpartition("/")[2].rpartition("-")
        if name in SERVERS:
            self.api.add(f"{CORE}/pods", server(name, int(number) + 1))


def state(container: str, ending: Ending) -> Object:
    if container != ending.container:
        waits = {"waiting": {"reason": "PodInitializing"}}
        return waits if ending.waits else {"terminated": {"exitCode": 0}}
    if ending.waits:
        return {"waiting": {"reason": ending.waits}}
    return {"terminated": {"exitCode": ending.code}}


def server(name: str, number: int = 0) -> Object:
    return {
        "metadata": {"name": f"{name}-{number}", "labels": {"app.kubernetes.io/name": name}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def containers(job: Object) -> list[Object]:
    spec = job["spec"]["template"]["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def environment(job: Object) -> dict[str, Any]:
    """Each variable of a Job's containers, by its value or where it is from."""
    return {
        each["name"]: each.get("value", each.get("valueFrom"))
        for container in containers(job)
        for each in container.get("env", ())
    }


def verb_of(job: Object) -> str:
    names = [each["name"] for each in containers(job)]
    if names == ["fetch"]:
        return containers(job)[0]["command"][-1]
    known = {"save": "backup", "database": "restore", "upgrade": "upgrade", "accounts": "accounts"}
    return known.get(names[-1], names[-1])


@cache
def planned(blueprint: str) -> str:
    """The CronJobs, Jobs and Secrets of the platform's plan, as JSON."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "blueprint.yaml"
        file.write_text(blueprint)
        objects = plan(load(file)).objects
    return json.dumps(
        [each.manifest for each in objects if each.namespace == NAMESPACE and each.kind in SERVED]
    )


def serve_platform(api: KubeApi, blueprint: str = BLUEPRINT) -> Jobs:
    """Fills the API server with the platform, and has it play the platform's Jobs."""
    for item in json.loads(planned(blueprint)):
        item["metadata"]["creationTimestamp"] = "2026-03-01T00:00:00Z"
        if item["metadata"]["name"] == "backup-repository":
            item["data"] = {"password": "Y2FuYXJ5LXJlcG9zaXRvcnk="}  # canary-repository
        api.add(SERVED[item["kind"]], item)
    for name in SERVERS:
        api.add(f"{CORE}/pods", server(name))
    jobs = Jobs(api)
    api.on_made, api.on_deleted = jobs.on_made, jobs.on_deleted
    return jobs
