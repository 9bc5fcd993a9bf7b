"""Namespaces and the bounds of what happens in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blueprints.model.teams import Quota
from components.manifests.metadata import EXCEPTION, App, Manifest

_POD_SECURITY = "pod-security.kubernetes.io"


def namespace(
    app: App,
    *,
    privileged: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """A namespace, called `app.namespace`, that admits restricted pods alone; `labels` are more.

    `privileged` is why it has to admit any pod.
    """
    level = "privileged" if privileged else "restricted"
    levels = {f"{_POD_SECURITY}/{mode}": level for mode in ("enforce", "audit", "warn")}
    why = {"annotations": {EXCEPTION: privileged}} if privileged else {}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": app.namespace, "labels": {**app.labels, **levels, **(labels or {})}, **why},
    }


def resource_quota(app: App, quota: Quota) -> Manifest:
    """The most that may be asked for at once."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": app.metadata("quota"),
        "spec": {
            "hard": {
                "requests.cpu": quota.cpu,
                "requests.memory": quota.memory,
                "requests.storage": quota.storage,
                "requests.nvidia.com/gpu": str(quota.gpus),  # extended resources know `requests.` only
                "pods": str(quota.pods),
                # Doors into the cluster are the platform's business, not a team's.
                "services.loadbalancers": "0",
                "services.nodeports": "0",
            }
        },
    }


def limit_range(app: App) -> Manifest:
    """What a container gets that asks for nothing: the quota would refuse it otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": app.metadata("defaults"),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
                    "default": {"memory": "1Gi"},
                }
            ]
        },
    }


_EDIT = ["get", "list", "watch", "create", "update", "patch", "delete"]
_READ = ["get", "list", "watch"]


def team_role(app: App) -> Manifest:
    """What members of a team may do in its namespace: run things, and see why they do not run.

    Left out on purpose: roles, service accounts, network policies, quotas. Those are the bounds.
    """
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": app.metadata("member"),
        "rules": [
            _rule("", ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims"], _EDIT),
            _rule("", ["pods/log", "events", "resourcequotas", "limitranges"], _READ),
            _rule("", ["pods/exec", "pods/attach", "pods/portforward"], ["get", "create"]),
            _rule("apps", ["deployments", "statefulsets"], _EDIT),
            _rule("apps", ["replicasets"], _READ),
            _rule("batch", ["jobs", "cronjobs"], _EDIT),
        ],
    }


@dataclass(frozen=True)
class Grant:
    """What holders of a role may do with objects of one API group."""

    group: str
    resources: tuple[str, ...]
    edits: bool = False
    """Whether they make, change and delete them, too."""


def role(app: App, name: str, *grants: Grant) -> Manifest:
    """Lets its holders read, or edit, objects of some API groups."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": app.metadata(name),
        "rules": [
            _rule(grant.group, list(grant.resources), _EDIT if grant.edits else _READ) for grant in grants
        ],
    }


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def team_role_binding(app: App, groups: Sequence[str], role: str = "member") -> Manifest:
    """Gives a role to the groups of the team, as the API server's own authentication names them."""
    api_group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api_group}/v1",
        "kind": "RoleBinding",
        "metadata": app.metadata(role),
        "roleRef": {"apiGroup": api_group, "kind": "Role", "name": role},
        "subjects": [{"apiGroup": api_group, "kind": "Group", "name": group} for group in groups],
    }
