"""The last words of a Job that failed, without the secrets that its pod was given."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import cast
from urllib.parse import quote, urlencode

from ziggurat.cluster import Cluster, Object
from ziggurat.errors import ClusterError

_MOST = 2000
"""How many characters of a log a message may have."""
_SHORTEST_SECRET = 6
"""What is shorter is a user name or a port, and would black out words of the log."""
_MASK = "[secret]"


def failed(pods: Sequence[Object]) -> tuple[Object, str, int] | None:
    """(pod, container, exit code) of what failed last; None if no container did."""
    for pod in sorted(pods, key=_made, reverse=True):
        for status in statuses(pod):
            ended = status.get("state", {}).get("terminated", {})
            if ended.get("exitCode"):
                return pod, str(status["name"]), int(ended["exitCode"])
    return None


def statuses(pod: Object) -> list[Object]:
    """How each container of a pod is, in their order."""
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _made(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp", ""))


def whole(cluster: Cluster, namespace: str, pod: Object, container: str, lines: int = 0) -> str:
    """The log of a container, or its last `lines`, as the container wrote it."""
    query = {"container": container, **({"tailLines": lines} if lines else {})}
    return cluster.text(
        f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log?{urlencode(query)}"
    )


def masked(cluster: Cluster, namespace: str, pod: Object, container: str, lines: int = 0) -> str:
    """The same to be shown: without the values of the Secrets that the pod was given."""
    text = whole(cluster, namespace, pod, container, lines)
    for value in sorted(_secrets(cluster, namespace, pod), key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text


def _secrets(cluster: Cluster, namespace: str, pod: Object) -> set[str]:
    found: set[str] = set()
    for name in set(_secret_names(pod)):
        secret = cluster.find("v1", "Secret", namespace, name) or {}
        for encoded in cast("dict[str, str]", secret.get("data") or {}).values():
            value = base64.b64decode(encoded).decode(errors="replace").strip()
            if len(value) >= _SHORTEST_SECRET:
                found |= {value, quote(value, safe="")}
    return found


def _secret_names(pod: Object) -> Iterator[str]:
    spec = pod.get("spec", {})
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        for variable in container.get("env") or ():
            source: Object = variable.get("valueFrom") or {}
            if "secretKeyRef" in source:
                yield str(source["secretKeyRef"]["name"])
        for source in container.get("envFrom") or ():
            if reference := source.get("secretRef"):
                yield str(reference["name"])
    for volume in spec.get("volumes") or ():
        if reference := volume.get("secret"):
            yield str(reference["secretName"])


def last_words(cluster: Cluster, namespace: str, name: str, lines: int = 20) -> str:
    """The end of a failed Job's log; empty where none can be had, or its secrets cannot be masked."""
    try:
        pods = cluster.objects("v1", "Pod", namespace, f"batch.kubernetes.io/job-name={name}")
        found = failed(pods)
        if found is None:
            return ""
        pod, container, _ = found
        return masked(cluster, namespace, pod, container, lines).strip()[-_MOST:]
    except ClusterError:
        return ""
