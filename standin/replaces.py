"""Which changes cannot be made in place: the fields that force a replacement, per kind.

The table is that of the official plugin, on purpose and whole: another decision would make a takeover a
surprise. Nothing else replaces, even where the API server then refuses the change (it says so).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from standin.normal import group_of, is_secret
from standin.paths import Path
from standin.wire import Object, Unknown

Fields = tuple[str, ...]

ALWAYS: Final[Fields] = ("metadata.name", "metadata.namespace")
"""What identifies an object."""

_CONTAINER: Final = [
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
]
_POD: Final = [
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostname",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "volumes",
]
_VOLUME_SOURCES: Final = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
]


def _spec(*names: str) -> Fields:
    return tuple(f"spec.{name}" for name in names)


_STATEFUL_SET: Final = _spec(
    "selector", "podManagementPolicy", "revisionHistoryLimit", "serviceName", "volumeClaimTemplates"
)
_JOB: Final = _spec("completions", "parallelism", "selector", "template")

FORCE_NEW: Final[dict[tuple[str, str, str], Fields]] = {
    ("apps", "v1", "Deployment"): _spec("selector"),
    ("apps", "v1beta2", "Deployment"): _spec("selector"),
    ("apps", "v1", "DaemonSet"): _spec("selector"),
    ("apps", "v1beta2", "DaemonSet"): _spec("selector"),
    ("apps", "v1", "StatefulSet"): _STATEFUL_SET,
    ("apps", "v1beta1", "StatefulSet"): _STATEFUL_SET,
    ("apps", "v1beta2", "StatefulSet"): _STATEFUL_SET,
    ("batch", "v1", "Job"): _JOB,
    ("batch", "v1beta1", "Job"): _JOB,
    ("batch", "v2alpha1", "Job"): _JOB,
    ("", "v1", "Pod"): _spec(*_POD)
    + tuple(f"spec.{where}[*].{name}" for where in ("containers", "initContainers") for name in _CONTAINER),
    ("", "v1", "PersistentVolumeClaim"): _spec("accessModes", "selector", "storageClassName", "volumeName"),
    ("", "v1", "PersistentVolume"): _spec(*_VOLUME_SOURCES),
    ("", "v1", "Service"): _spec("clusterIP"),
    ("", "v1", "ResourceQuota"): _spec("scopes"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "v1beta1", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "v1alpha1", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "v1beta1", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "v1alpha1", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "v1", "StorageClass"): ("parameters", "provisioner"),
    ("policy", "v1beta1", "PodDisruptionBudget"): ("spec",),
}
"""Per API group, version and kind; `[*]` is any item of a list."""

SECRET: Final[Fields] = ("type", "data", "stringData")
SECRET_MUTABLE: Final[Fields] = ("type",)
CONFIG_MAP: Final[Fields] = ("data", "binaryData")


def force_new(manifest: Object, *, config_map_mutable: bool, secret_mutable: bool) -> Fields:
    """The fields of this object whose change replaces it. An object that says `immutable` always is."""
    group, version, kind = (
        group_of(manifest),
        str(manifest.get("apiVersion", "")).rpartition("/")[2],
        manifest.get("kind"),
    )
    immutable = manifest.get("immutable") is True
    if is_secret(manifest):
        return ALWAYS + (SECRET_MUTABLE if secret_mutable and not immutable else SECRET)
    if (group, kind) == ("", "ConfigMap"):
        return ALWAYS + (() if config_map_mutable and not immutable else CONFIG_MAP)
    return ALWAYS + FORCE_NEW.get((group, version, str(kind)), ())


def hits(fields: Fields, path: Path, value: Any) -> bool:
    """Whether the change of `path` to `value` (None: gone) touches one of `fields`.

    It does when the path lies at or below a field, or above it and the new value contains the field.
    """
    return any(_hit(tuple(_parts(field)), path, value) for field in fields)


def _parts(field: str) -> Iterator[str]:
    for part in field.split("."):
        yield part.removesuffix("[*]")
        if part.endswith("[*]"):
            yield "*"


def _hit(field: tuple[str, ...], path: Path, value: Any) -> bool:
    for part, here in zip(field, path, strict=False):
        if part != "*" and part != here:
            return False
        if part == "*" and not isinstance(here, int):
            return False
    return len(path) >= len(field) or _contains(value, field[len(path) :])


def _contains(value: Any, field: tuple[str, ...]) -> bool:
    if not field:
        return True
    if field[0] == "*":
        return isinstance(value, list) and any(
            _contains(item, field[1:]) for item in cast("list[Any]", value)
        )
    if isinstance(value, dict) and not isinstance(value, Unknown):
        known = cast("Object", value)
        return field[0] in known and _contains(known[field[0]], field[1:])
    return False
