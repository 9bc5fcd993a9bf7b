"""Kueue on the node: its chart applied and taken away, and work that waits in its queues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.manifests.queues import QUEUE_LABEL
from onenode.platform import Platform, until

Manifest = dict[str, Any]

DEPLOYMENT = "kueue-controller-manager"
PODS = "app.kubernetes.io/name=kueue,control-plane=controller-manager"
WEBHOOK = "vclusterqueue.kb.io"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
_LEASE = "c1f6bfd2.kueue.x-k8s.io"
_JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, labels: {labels}}}
spec:
  backoffLimit: 0
  template:
    spec: {spec}
"""
_REFUSED = """\
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {name: refused}
spec:
  resourceGroups:
  - coveredResources: [cpu]
    flavors: [{name: any, resources: [{name: cpu, nominalQuota: "-1"}]}]
"""


def install(platform: Platform, made: Sequence[Manifest]) -> None:
    """As Helm does, and waits until Kueue answers."""
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(made)})
    platform.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=stdin)
    wait_ready(platform)


def remove(platform: Platform, made: Sequence[Manifest]) -> None:
    """In the other order, so that no webhook is asked which is gone; with what Kueue made itself."""
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(reversed(made))})
    platform.kubectl("delete", "--ignore-not-found", "--timeout=120s", "-f", "-", stdin=stdin)
    platform.kubectl("delete", "lease", _LEASE, "-n", platform.name, "--ignore-not-found")


def left(platform: Platform) -> list[str]:
    """What of Kueue is on the cluster."""
    kinds = "crd,apiservice,clusterrole,clusterrolebinding,mutatingwebhookconfiguration"
    kinds += ",validatingwebhookconfiguration,role,rolebinding,lease,secret,configmap,deployment,pod,service"
    shown = platform.kubectl("get", f"{kinds},serviceaccount", "-A", "-o", "name")
    return [line for line in shown.split() if "kueue" in line]


def wait_ready(platform: Platform) -> None:
    """Until the API server reaches Kueue's webhooks and its part of the API."""
    where = ("-n", platform.name, "--timeout=180s")
    platform.kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", *where)
    service = "apiservice/v1beta2.visibility.kueue.x-k8s.io"
    platform.kubectl("wait", "--for=condition=Available", service, "--timeout=60s")
    until(lambda: WEBHOOK in refusal(platform), True, lambda: refusal(platform))


def refusal(platform: Platform) -> str:
    """What is said of a ClusterQueue that Kueue's webhook has to refuse."""
    return platform.kubectl("create", "--dry-run=server", "-f", "-", stdin=_REFUSED, check=False)


@dataclass(frozen=True)
class Work:
    """What one team runs. Each pod runs until it is told to end."""

    platform: Platform
    team: str

    @property
    def namespace(self) -> str:
        return f"{self.platform.name}-{self.team}"

    def job(
        self,
        name: str,
        queue: str | None = "",
        *user: str,
        cpu: str = "100m",
        priority: str = "",
        check: bool = True,
    ) -> str:
        """A Job, in its team's queue unless another, or None, is named. Returns what was said."""
        labels = self._labels(queue) | ({PRIORITY_LABEL: priority} if priority else {})
        text = _JOB.format(name=name, labels=json.dumps(labels), spec=json.dumps(_spec(cpu)))
        return self.platform.kubectl(
            "create", "-n", self.namespace, *user, "-f", "-", stdin=text, check=check
        )

    def pod(self, name: str, check: bool = True) -> str:
        """The same as a Pod of its own. Returns what was said."""
        head = {"name": name, "labels": self._labels("")}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": _spec("100m")}
        words = ("create", "-n", self.namespace, "-f", "-")
        return self.platform.kubectl(*words, stdin=json.dumps(pod), check=check)

    def _labels(self, queue: str | None) -> dict[str, str]:
        return {} if queue is None else {QUEUE_LABEL: queue or self.team}

    def end(self, *jobs: str) -> None:
        """Tells the pods of Jobs to end, which is success."""
        for job in jobs:
            words = ("exec", "-n", self.namespace, f"job/{job}", "--", "touch", "/tmp/done")
            self.platform.kubectl(*words)

    def running(self) -> set[str]:
        """The Jobs whose pod runs."""
        return {_name(each) for each in self._jobs() if each["status"].get("ready")}

    def suspended(self) -> set[str]:
        """The Jobs that Kueue holds back."""
        return {_name(each) for each in self._jobs() if each["spec"].get("suspend")}

    def complete(self) -> set[str]:
        """The Jobs that ended well."""
        return {_name(each) for each in self._jobs() if each["status"].get("succeeded")}

    def _jobs(self) -> list[Manifest]:
        return self.platform.objects("jobs.batch", self.namespace)

    def workloads(self) -> dict[str, Manifest]:
        """What Kueue made of Jobs and Pods, by their names."""
        found = self.platform.objects("workloads.kueue.x-k8s.io", self.namespace)
        return {
            owner["name"]: each for each in found for owner in each["metadata"].get("ownerReferences", ())
        }

    def condition(self, name: str, kind: str) -> Manifest:
        """A condition of the workload of a Job or Pod; empty where there is none."""
        status: Manifest = self.workloads().get(name, {}).get("status", {})
        found: list[Manifest] = [each for each in status.get("conditions", ()) if each["type"] == kind]
        return found[0] if found else {}

    def wait(self, running: set[str], seconds: float = 60) -> float:
        """Until just these Jobs run; the seconds that it took."""
        return until(self.running, running, self.shown, seconds)

    def shown(self) -> str:
        """What there is, for a message."""
        kinds = "jobs,pods,workloads,events"
        return self.platform.kubectl("get", kinds, "-n", self.namespace, "-o", "wide", check=False)

    def clear(self) -> None:
        """Removes all of it, and waits until Kueue has forgotten it."""
        words = ("-n", self.namespace, "--all", "--timeout=60s")
        self.platform.kubectl("delete", "jobs.batch", "--cascade=foreground", *words)
        self.platform.kubectl("delete", "pods", "-l", QUEUE_LABEL, *words[:2], words[3])
        until(self.workloads, {}, self.shown)


def _name(found: Manifest) -> str:
    return found["metadata"]["name"]


def _spec(cpu: str) -> Manifest:
    wait = "until [ -e /tmp/done ]; do sleep 0.2; done"
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "main",
                "image": "docker.io/library/debian:12-slim",
                "command": ["sh", "-c", wait],
                "resources": {
                    "requests": {"cpu": cpu, "memory": "32Mi"},
                    "limits": {"memory": "64Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
