"""What runs: pods that pass the `restricted` Pod Security level, and the objects that keep them running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.manifests.metadata import CONFIG_HASH, App, Manifest
from components.manifests.pools import GPU

_RETRIES = 3
NEVER = "0 0 31 2 *"
"""The 31st of February: a CronJob has to have a schedule, even if it is suspended for ever."""


@dataclass(frozen=True)
class Resources:
    """What a container asks for, as Kubernetes quantities.

    There is no CPU limit: it would throttle a container while its node idles.
    """

    cpu: str
    memory: str
    memory_limit: str
    gpus: int = 0

    def manifest(self) -> Manifest:
        """`resources` of a container."""
        gpus = {GPU: str(self.gpus)} if self.gpus else {}  # requests and limits of devices are equal
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory, **gpus},
            "limits": {"memory": self.memory_limit, **gpus},
        }


@dataclass(frozen=True)
class Volume:
    """A volume of a pod and where its one container sees it."""

    name: str
    source: Mapping[str, Any]
    path: str
    read_only: bool = False
    sub_path: str | None = None


def scratch(name: str, path: str, size: str = "256Mi") -> Volume:
    """A folder to write in: the root file system is read-only."""
    return Volume(name, {"emptyDir": {"sizeLimit": size}}, path)


def config_files(name: str, config_map: str, path: str) -> Volume:
    """The files of a ConfigMap."""
    return Volume(name, {"configMap": {"name": config_map}}, path, read_only=True)


def secret_files(name: str, secret_name: str, path: str, items: Mapping[str, str] | None = None) -> Volume:
    """The files of a Secret, or those of `items` (key: file name); readable by the pod's group alone."""
    chosen = {"items": [{"key": key, "path": file} for key, file in items.items()]} if items else {}
    source = {"secret": {"secretName": secret_name, "defaultMode": 0o440, **chosen}}
    return Volume(name, source, path, read_only=True)


def claimed(name: str, claim: str, path: str) -> Volume:
    """A volume with data."""
    return Volume(name, {"persistentVolumeClaim": {"claimName": claim}}, path)


def ephemeral(
    name: str, path: str, size: str, labels: Mapping[str, str], storage_class: str | None
) -> Volume:
    """A volume of its own for each pod, deleted with it: for more than a node's disk should be asked for."""
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    return Volume(name, {"ephemeral": {"volumeClaimTemplate": template}}, path)


def plain(values: Mapping[str, str]) -> list[Manifest]:
    """Environment variables with plain values. An empty one is left out, as the API server leaves it out."""
    return [{"name": name, **({"value": value} if value else {})} for name, value in values.items()]


def from_secret(secret_name: str, keys: Mapping[str, str]) -> list[Manifest]:
    """Environment variables (name: key) from a Secret."""
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": key}}}
        for name, key in keys.items()
    ]


def http_probe(path: str, port: int, **timing: int) -> Manifest:
    """A probe by HTTP; `timing` as Kubernetes names it (`periodSeconds`, `failureThreshold`, …)."""
    return {"httpGet": {"path": path, "port": port}, "timeoutSeconds": 5, **timing}


def exec_probe(*command: str, **timing: int) -> Manifest:
    """A probe by a command inside the container."""
    return {"exec": {"command": list(command)}, "timeoutSeconds": 5, **timing}


def storage_probes(alive: Manifest) -> dict[str, Manifest]:
    """The probes of a server that keeps data on a volume, by a probe that succeeds while it answers.

    It has five minutes to get its files ready, which after a crash it repairs. Then it may be away for three:
    one that waits for its disk under a large backup is not dead, and a restart adds to what it waits for.
    """
    return {
        "startupProbe": {**alive, "periodSeconds": 2, "failureThreshold": 150},
        "readinessProbe": {**alive, "periodSeconds": 5},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 18},
    }


def container(
    name: str,
    image: str,
    *,
    resources: Resources,
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Sequence[Manifest] = (),
    ports: Mapping[str, int] | None = None,
    volumes: Sequence[Volume] = (),
    probes: Mapping[str, Manifest] | None = None,
) -> Manifest:
    """A container; `probes` are keyed as in Kubernetes (`readinessProbe`, …)."""
    optional: dict[str, Any] = {
        "command": list(command),
        "args": list(args),
        "env": list(env),
        "ports": [{"name": key, "containerPort": port} for key, port in (ports or {}).items()],
        "volumeMounts": [_mount(volume) for volume in volumes],
    }
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        **{key: value for key, value in optional.items() if value},
        "resources": resources.manifest(),
        **(probes or {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _mount(volume: Volume) -> Manifest:
    mount: Manifest = {"name": volume.name, "mountPath": volume.path}
    if volume.read_only:
        mount["readOnly"] = True
    if volume.sub_path:
        mount["subPath"] = volume.sub_path
    return mount


def pod_template(
    app: App,
    main: Manifest,
    *,
    user: int,
    config_hash: str,
    volumes: Sequence[Volume] = (),
    service_account: str | None = None,
    pull_secret: str | None = None,
    labels: Mapping[str, str] | None = None,
    spread: bool = False,
    once: bool = False,
    first: Sequence[Manifest] = (),
    beside: Sequence[Manifest] = (),
    node_selector: Mapping[str, str] | None = None,
    tolerations: Sequence[Manifest] = (),
) -> Manifest:
    """A pod of one container that runs as `user` (also its group), without a token of the Kubernetes API.

    `once` is for Jobs: it fails instead of being restarted, so the logs of each try stay. Containers that
    come `first` run one after another before it; those `beside` it run as long as it does.
    """
    optional: dict[str, Any] = {
        "imagePullSecrets": [{"name": pull_secret}] if pull_secret else [],
        "initContainers": list(first),
        "volumes": [{"name": volume.name, **volume.source} for volume in volumes],
        "topologySpreadConstraints": spread_over(app.selector) if spread else [],
        "nodeSelector": dict(node_selector or {}),
        "tolerations": list(tolerations),
    }
    return {
        "metadata": {
            "labels": {**app.labels, **(labels or {})},
            "annotations": {CONFIG_HASH: config_hash},
        },
        "spec": {
            "serviceAccountName": service_account or app.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                # `Always` sets PostgreSQL's data folder to 2770 at each mount: it refuses to start so.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [main, *beside],
            **{key: value for key, value in optional.items() if value},
            **({"restartPolicy": "Never"} if once else {}),
        },
    }


def spread_over(selector: Mapping[str, str]) -> list[Manifest]:
    """Pods of `selector` on different zones and nodes, where there are any.

    It asks nothing of a single replica, so raising the number of replicas restarts nothing.
    """
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def deployment(app: App, template: Manifest, replicas: int = 1) -> Manifest:
    """Stateless servers: a new one is ready before an old one goes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": app.metadata(),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": app.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def stateful_set(app: App, template: Manifest) -> Manifest:
    """One server on one volume: its old pod is gone before its new one starts."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": app.metadata(),
        "spec": {
            "replicas": 1,
            "serviceName": app.name,
            "selector": {"matchLabels": app.selector},
            "template": template,
        },
    }


def service(app: App, ports: Mapping[str, int]) -> Manifest:
    """A name and an address inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": app.metadata(),
        "spec": {
            "type": "ClusterIP",
            "selector": app.selector,
            "ports": [{"name": name, "port": port, "targetPort": name} for name, port in ports.items()],
        },
    }


def job(app: App, config_hash: str, template: Manifest) -> Manifest:
    """A run to completion. Its name holds the hash of all that it reads, so a change makes a new run.

    It has no `ttlSecondsAfterFinished`: a Job that the cluster removes would be made anew by each `up`. It is
    tried four times, 10, 20 and 40 s apart: enough for a server that restarts, and a run that cannot go on
    says so within two minutes. (Kubernetes' own 6 retries take longer than the ten minutes of the engine.)
    One that failed stays failed for good: the next `up` makes it anew instead of waiting for it.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": app.metadata(f"{app.name}-{config_hash}", {"pulumi.com/replaceUnready": "true"}),
        "spec": {"backoffLimit": _RETRIES, "template": template},
    }


@dataclass(frozen=True)
class Runs:
    """How the runs of a CronJob behave."""

    concurrency: str = "Forbid"
    """Kubernetes' `concurrencyPolicy`."""
    retries: int = 2
    deadline_seconds: int | None = None
    """After how long a run is ended; None means never."""
    succeeded: int = 3
    """Finished runs that are kept."""
    failed: int = 3


def cron_job(
    app: App,
    name: str,
    schedule: str,
    template: Manifest,
    *,
    suspended: bool = False,
    runs: Runs | None = None,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """Runs on a schedule, in UTC; one that is `suspended` is a template for Jobs, which have `labels` too."""
    runs = runs or Runs()
    deadline = {"activeDeadlineSeconds": runs.deadline_seconds} if runs.deadline_seconds else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": app.metadata(name),
        "spec": {
            "schedule": schedule,
            "timeZone": "Etc/UTC",
            "suspend": suspended,
            "concurrencyPolicy": runs.concurrency,
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": runs.succeeded,
            "failedJobsHistoryLimit": runs.failed,
            "jobTemplate": {
                "metadata": {"labels": {**app.labels, **(labels or {})}},
                "spec": {"backoffLimit": runs.retries, **deadline, "template": template},
            },
        },
    }


def disruption_budget(app: App) -> Manifest:
    """At most one pod at a time may be evicted.

    Not `minAvailable: 1`: with a single replica, which is all that the starter has, that would stop every
    drain of its node for ever. With several replicas this keeps all but one.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": app.metadata(),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": app.selector},
        },
    }
