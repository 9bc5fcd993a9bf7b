"""The normal form of inputs, so that two ways of saying the same thing are never a difference.

The API server rewrites built-in kinds when it stores them: quantities get their canonical spelling, empty
values of optional fields are dropped, `stringData` of a Secret becomes `data`. Inputs are brought to the
same form before they are compared, sent or stored. Custom resources are left alone, as the server does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, cast

from standin.quantity import canonical
from standin.wire import Object, Unknown

BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "core",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""API groups of Kubernetes itself; objects of any other group are custom resources."""

_READ_ONLY: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
"""Fields of metadata that only the server writes."""

_VERBATIM: Final = frozenset(
    {"annotations", "labels", "matchLabels", "data", "binaryData", "stringData", "parameters"}
)
"""Maps with keys of the user's own: nothing in them is a field of Kubernetes."""

_QUANTITY_MAPS: Final = frozenset(
    {
        "requests",
        "limits",
        "overhead",
        "hard",
        "capacity",
        "min",
        "max",
        "default",
        "defaultRequest",
        "maxLimitRequestRatio",
    }
)
"""Fields that map resource names to quantities."""

_QUANTITIES: Final = frozenset(
    {
        ("emptyDir", "sizeLimit"),
        ("resourceFieldRef", "divisor"),
        ("target", "value"),
        ("target", "averageValue"),
        ("scaleUp", "tolerance"),
        ("scaleDown", "tolerance"),
        ("", "capacity"),
        ("", "maximumVolumeSize"),
    }
)
"""Single quantities, by the name of the field that holds them and their own."""

_DROPPED_SCALARS: Final = frozenset(
    [
        "clusterIP",
        "component",
        "concurrencyPolicy",
        "description",
        "dnsPolicy",
        "externalName",
        "externalTrafficPolicy",
        "failureThreshold",
        "generateName",
        "globalDefault",
        "healthCheckNodePort",
        "host",
        "hostIP",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostPort",
        "hostname",
        "imagePullPolicy",
        "initialDelaySeconds",
        "loadBalancerIP",
        "medium",
        "message",
        "messageExpression",
        "minReadySeconds",
        "nodePort",
        "paused",
        "persistentVolumeReclaimPolicy",
        "podManagementPolicy",
        "priorityClassName",
        "publishNotReadyAddresses",
        "readOnly",
        "schedulerName",
        "scheme",
        "serviceAccount",
        "serviceAccountName",
        "sessionAffinity",
        "stdin",
        "stdinOnce",
        "subPath",
        "subPathExpr",
        "subdomain",
        "successThreshold",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "tty",
        "unschedulable",
        "whenDeleted",
        "whenScaled",
        "workingDir",
    ]
)
"""Optional fields that are no pointers in the API's types: a false, 0 or "" there is not stored."""

_DROPPED_SCALARS_IN: Final = frozenset(
    {("env", "value"), ("tolerations", "value"), ("tolerations", "operator")}
)
"""The same where only one of several fields of that name is like this, by the field that holds the list."""

_DROPPED_MAPS: Final = frozenset(
    {"annotations", "binaryData", "labels", "matchLabels", "nodeSelector", "stringData", "volumeAttributes"}
) | (_QUANTITY_MAPS - {"capacity"})
"""Optional maps: an empty one is not stored. (An empty object elsewhere means something: `emptyDir: {}`.)"""

_KEPT_LISTS: Final = frozenset(
    [
        "admissionReviewVersions",
        "containers",
        "nodeSelectorTerms",
        "paths",
        "rules",
        "sources",
        "topologyKeys",
        "values",
        "verbs",
        "versions",
    ]
)
"""Lists that are stored when they are empty; any other empty list is not."""


def group_of(manifest: Mapping[str, Any]) -> str:
    """The API group of an object; "" is the core group."""
    version = str(manifest.get("apiVersion", ""))
    group = version.partition("/")[0] if "/" in version else ""
    return "" if group == "core" else group


def is_secret(manifest: Mapping[str, Any]) -> bool:
    """Whether it is a core Secret."""
    return manifest.get("kind") == "Secret" and group_of(manifest) == ""


def is_crd(manifest: Mapping[str, Any]) -> bool:
    """Whether it is a CustomResourceDefinition."""
    return manifest.get("kind") == "CustomResourceDefinition" and group_of(manifest) == "apiextensions.k8s.io"


def normalise(manifest: Object) -> Object:
    """A copy of `manifest` in normal form; safe with values that are not known yet."""
    if is_crd(manifest):
        result = _normal_crd(manifest)
    elif is_secret(manifest):
        result = _normal_secret(manifest)
    elif group_of(manifest) in BUILT_IN_GROUPS and "kind" in manifest:
        result = {
            key: item for key, value in manifest.items() if (item := _normal(value, "", key)) is not None
        }
    else:
        result = dict(manifest)
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        known = cast("Object", metadata)
        result["metadata"] = {key: value for key, value in known.items() if key not in _READ_ONLY}
    return result


def _normal_crd(manifest: Object) -> Object:
    result = {key: value for key, value in manifest.items() if key != "status"}
    spec = result.get("spec")
    if isinstance(spec, dict) and spec.get("preserveUnknownFields") is False:  # pyright: ignore[reportUnknownMemberType]
        result["spec"] = {
            key: value for key, value in cast("Object", spec).items() if key != "preserveUnknownFields"
        }
    return result


def _normal_secret(manifest: Object) -> Object:
    result = dict(manifest)
    text, data = result.get("stringData"), result.get("data")
    if isinstance(data, dict):
        result["data"] = {key: _normal_base64(value) for key, value in cast("Object", data).items()}
    if isinstance(text, dict) and text and not isinstance(data, Unknown):
        encoded = {key: _base64(value) for key, value in cast("Object", text).items()}
        result["data"] = {**(result.get("data") or {}), **encoded}
        del result["stringData"]
    return result


def _base64(value: Any) -> Any:
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def _normal_base64(value: Any) -> Any:
    """Without line breaks and spaces; anything that is no base64 is left for the server to refuse."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64encode(base64.b64decode("".join(value.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        return value


def _normal(value: Any, parent: str, key: str) -> Any:
    """The normal form of field `key` in `parent`; None where the server would not store it."""
    if isinstance(value, dict):
        return _normal_map(cast("Object", value), parent, key)
    if isinstance(value, list):
        items = [_normal_item(item, key) for item in cast("list[Any]", value)]
        return items if items or key in _KEPT_LISTS else None
    if isinstance(value, str | int | float) and (parent, key) in _QUANTITIES:
        return canonical(str(value))
    dropped = key in _DROPPED_SCALARS or (parent, key) in _DROPPED_SCALARS_IN
    return None if dropped and not value else value


def _normal_map(value: Object, parent: str, key: str) -> Object | None:
    if not value:
        return None if key in _DROPPED_MAPS else value
    if key in _VERBATIM:
        return value
    if key in _QUANTITY_MAPS:
        return {name: _normal_quantity(item) for name, item in value.items()}
    return {name: item for name, field in value.items() if (item := _normal(field, key, name)) is not None}


def _normal_item(value: Any, key: str) -> Any:
    """An item of the list `key`; a map's fields are normalised, the item itself is never dropped."""
    if isinstance(value, dict):
        item = cast("Object", value)
        return {
            name: field for name, given in item.items() if (field := _normal(given, key, name)) is not None
        }
    return value


def _normal_quantity(value: Any) -> Any:
    return (
        canonical(str(value))
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else value
    )
