"""Who may do what: the parts of the engine at Kubernetes, and people and programs at the engine.

The engine's parts look for work in the whole cluster, as they can be told of one namespace or of all; so they
may list and watch what they are for everywhere. They may act in the teams' namespaces alone: a ClusterRole is
bound there.

Of people and programs the API server asks Kubernetes, by name alone: no groups (2.17.0). What it asks about
are resources that exist nowhere, of the API group pipelines.kubeflow.org.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.manifests.metadata import App, Manifest
from components.pipelines.configuration import LAUNCHER, MLFLOW_SECRET
from components.pipelines.parts import RUNNER, STORE_SECRET, Parts

_RBAC = "rbac.authorization.k8s.io"
_SEE = ["list", "watch"]
_READ = ["get", "list", "watch"]
_WRITE = ["create", "get", "list", "watch", "update", "patch", "delete"]
_PIPELINES = "pipelines.kubeflow.org"
_ARGO = "argoproj.io"
_KUBEFLOW = "kubeflow.org"


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> Manifest:
    only = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **only}


@dataclass(frozen=True)
class Rights:
    """What one part may do."""

    part: App
    why: str
    """Why its pods have a token of Kubernetes."""
    everywhere: tuple[Manifest, ...] = ()
    """In the whole cluster."""
    teams: tuple[Manifest, ...] = ()
    """In the teams' namespaces."""
    home: tuple[Manifest, ...] = ()
    """In the platform's namespace."""


def rights(parts: Parts, *, page: bool) -> tuple[Rights, ...]:
    """Those of every part that speaks to Kubernetes."""
    found = (_server(parts), _agent(parts), _schedules(parts), _workflows(parts))
    return (*found, _page(parts)) if page else found


def _server(parts: Parts) -> Rights:
    return Rights(
        parts.server,
        "it makes runs, and asks Kubernetes who calls and whether they may",
        everywhere=(
            _rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
            _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
        ),
        teams=(
            _rule("", ["pods", "pods/log"], ["get", "list", "delete"]),
            _rule(_ARGO, ["workflows"], _WRITE),
            _rule(_KUBEFLOW, ["scheduledworkflows"], _WRITE),
            _rule(_KUBEFLOW, ["scheduledworkflows/finalizers"], ["update"]),
            _rule("", ["configmaps"], ["get"], [LAUNCHER]),
            _rule("", ["secrets"], ["get"], [MLFLOW_SECRET]),
        ),
    )


def _agent(parts: Parts) -> Rights:
    return Rights(
        parts.persistence,
        "it reads what became of runs",
        everywhere=(
            _rule(_ARGO, ["workflows"], _READ),
            _rule(_KUBEFLOW, ["scheduledworkflows"], _READ),
            # Asked of no namespace in particular.
            _rule(_PIPELINES, ["scheduledworkflows", "workflows"], ["report"]),
        ),
        teams=(_rule(_PIPELINES, ["runs"], ["reportMetrics", "readArtifact"]),),
    )


def _schedules(parts: Parts) -> Rights:
    return Rights(
        parts.schedules,
        "it starts scheduled runs",
        everywhere=(
            _rule(_ARGO, ["workflows"], _SEE),
            _rule(_KUBEFLOW, ["scheduledworkflows"], _SEE),
        ),
        teams=(
            _rule(_ARGO, ["workflows"], _WRITE),
            _rule(_KUBEFLOW, ["scheduledworkflows", "scheduledworkflows/finalizers"], _WRITE),
            _rule(_PIPELINES, ["runs"], ["create"]),
            _rule("", ["events"], ["create", "patch"]),
        ),
    )


def _workflows(parts: Parts) -> Rights:
    return Rights(
        parts.workflows,
        "it makes the pods of runs",
        everywhere=(
            _rule("", ["pods", "configmaps"], _SEE),
            _rule(
                _ARGO,
                [
                    "workflows",
                    "workflowtasksets",
                    "workflowtaskresults",
                    "workflowartifactgctasks",
                    "workflowtemplates",
                    "cronworkflows",
                ],
                _SEE,
            ),
        ),
        teams=(
            _rule("", ["pods", "pods/exec"], _WRITE),
            _rule("", ["configmaps"], ["get"]),
            _rule("", ["serviceaccounts"], ["get", "list"]),
            _rule(
                "",
                ["persistentvolumeclaims", "persistentvolumeclaims/finalizers"],
                ["create", "update", "delete", "get"],
            ),
            _rule("", ["events"], ["create", "patch"]),
            _rule("policy", ["poddisruptionbudgets"], ["create", "get", "delete"]),
            _rule(
                _ARGO,
                [
                    "workflows",
                    "workflows/finalizers",
                    "workflowtasksets",
                    "workflowtasksets/finalizers",
                    "workflowtasksets/status",
                    "workflowartifactgctasks",
                    "workflowartifactgctasks/status",
                    "cronworkflows",
                    "cronworkflows/finalizers",
                ],
                _WRITE,
            ),
            _rule(_ARGO, ["workflowtemplates", "workflowtemplates/finalizers"], _READ),
            _rule(_ARGO, ["workflowtaskresults"], ["list", "watch", "deletecollection"]),
        ),
        home=(
            _rule("", ["configmaps"], _READ, [parts.workflows.name]),
            _rule("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
            _rule("", ["events"], ["create", "patch"]),
        ),
    )


def _page(parts: Parts) -> Rights:
    return Rights(
        parts.page,
        "it reads the logs of runs' pods",
        teams=(
            _rule("", ["pods", "pods/log"], ["get"]),
            _rule("", ["events"], ["list"]),
            _rule("", ["secrets"], ["get"], [STORE_SECRET]),
            _rule(_ARGO, ["workflows"], ["get", "list"]),
        ),
    )


def runner_rules() -> list[Manifest]:
    """What the pods of a run may do in their namespace, and with them what tasks do there."""
    return [
        _rule(_ARGO, ["workflowtaskresults"], ["create", "patch"]),
        _rule(_ARGO, ["workflows"], ["get"]),  # a driver reads for when its run was scheduled
        _rule("", ["configmaps"], ["get"], [LAUNCHER]),
        _rule("", ["secrets"], ["get"], [STORE_SECRET]),
        _rule("", ["pods"], ["get"]),
        _rule("", ["persistentvolumeclaims"], ["create", "get", "delete"]),  # CreatePVC, DeletePVC
    ]


def member_rules() -> list[Manifest]:
    """What members and programs of a team may do at the API server."""
    records = ["archive", "create", "delete", "get", "list", "unarchive"]
    return [
        _rule(_PIPELINES, ["pipelines", "pipelineversions"], ["create", "delete", "get", "list", "update"]),
        _rule(_PIPELINES, ["experiments"], records),
        _rule(_PIPELINES, ["runs"], [*records, "readArtifact", "retry", "terminate"]),
        _rule(_PIPELINES, ["jobs"], ["create", "delete", "disable", "enable", "get", "list"]),
        _rule(_KUBEFLOW, ["viewers"], ["get"]),  # pods' logs and artifacts, on the page
    ]


def reader_rules() -> list[Manifest]:
    """What members of a team may do with kubectl: see runs, and ask for a token as its programs have one."""
    return [
        _rule(_ARGO, ["workflows"], _READ),
        _rule(_KUBEFLOW, ["scheduledworkflows"], _READ),
        _rule("", ["serviceaccounts/token"], ["create"], [RUNNER]),
    ]


def cluster_role(part: App, name: str, rules: Sequence[Manifest]) -> Manifest:
    """A ClusterRole; `name` is unique in the cluster."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": part.labels},
        "rules": list(rules),
    }


def role(part: App, name: str, rules: Sequence[Manifest]) -> Manifest:
    """A Role in the namespace of `part`."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": part.metadata(name),
        "rules": list(rules),
    }


def binding(
    owner: App,
    name: str,
    role_kind: str,
    role_name: str,
    subjects: Sequence[Mapping[str, str]],
    *,
    everywhere: bool = False,
) -> Manifest:
    """Gives a role to `subjects`: in the namespace of `owner`, or in the whole cluster."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
        "metadata": {"name": name, "labels": owner.labels} if everywhere else owner.metadata(name),
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role_name},
        "subjects": [dict(subject) for subject in subjects],
    }


def account(namespace: str, name: str) -> dict[str, str]:
    """A ServiceAccount, as a binding names it."""
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def person(name: str) -> dict[str, str]:
    """A person, as a binding names them."""
    return {"apiGroup": _RBAC, "kind": "User", "name": name}


def group(name: str) -> dict[str, str]:
    """A group, as a binding names it."""
    return {"apiGroup": _RBAC, "kind": "Group", "name": name}


def name_of(part: App, where: str) -> str:
    """What the roles and bindings of a part are called: unique in the cluster."""
    return f"{part.platform}:{part.name}:{where}"
