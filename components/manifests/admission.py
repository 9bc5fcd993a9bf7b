"""ValidatingAdmissionPolicies: rules in CEL that the API server itself evaluates.

Each looks at pods and at whatever has a template of pods, so that a Deployment is refused when it is made and
not later, where nobody looks, when its pods are. What was there before a policy may be changed and deleted,
as long as its containers stay as they are: else a finalizer could not be taken from an old pod.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.manifests.metadata import TEAM, App, Manifest

API_VERSION = "admissionregistration.k8s.io/v1"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""The label by which work says in which of Kueue's queues it waits."""

_TEMPLATES = {
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}


@dataclass(frozen=True)
class Policy:
    """One rule: what is wrong, and what to tell whoever did it."""

    name: str
    """What it is called after the platform's name."""
    wrong: str
    """A CEL list of texts: what is wrong of `containers`, one for each. Empty means that all is well."""
    message: str
    """What is said before that list."""
    remedy: str
    """What is said after it."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further CEL variables that `wrong` needs, in their order."""
    unchanged: str = "true"
    """What else, beside the containers, must be as it was for an update to be let through."""


def _spec(of: str) -> str:
    """The pods' spec of an object. `dyn`: the type checker warns of fields that only some kinds have."""
    return (
        f"{of}.kind == 'Pod' ? dyn({of}).spec : "
        f"{of}.kind == 'CronJob' ? dyn({of}).spec.jobTemplate.spec.template.spec : "
        f"dyn({of}).spec.template.spec"
    )


def _containers(spec: str) -> str:
    optional = [
        f"(has({spec}.{name}) ? {spec}.{name} : [])" for name in ("initContainers", "ephemeralContainers")
    ]
    return " + ".join([f"{spec}.containers", *optional])


def _labels(of: str) -> str:
    """The labels by which Kueue finds the queue: a CronJob's are those of the Jobs that it makes."""
    metadata = f"({of}.kind == 'CronJob' ? dyn({of}).spec.jobTemplate : dyn({of}))"
    return f"has({metadata}.metadata) && has({metadata}.metadata.labels) ? {metadata}.metadata.labels : {{}}"


_COMMON = {
    "spec": _spec("object"),
    "containers": _containers("variables.spec"),
    "oldSpec": f"request.operation == 'UPDATE' ? ({_spec('oldObject')}) : {{'containers': []}}",
    "oldContainers": _containers("variables.oldSpec"),
    # A controller that runs elsewhere, as the cluster's own do: the Job that it works on was checked itself.
    "byController": (
        "request.userInfo.username == 'system:kube-controller-manager' || "
        "(request.userInfo.username.startsWith('system:serviceaccount:') && "
        "!request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':'))"
    ),
}


def registries(allowed: Sequence[str], own: Sequence[str]) -> Policy:
    """Images come from allowed registries; `own` are images of the platform, which always may."""
    # What has no registry is Docker Hub's, and there what has no path is in `library`.
    full = (
        "c.image.matches('^(localhost|[^/]+[.:][^/]*)/') ? c.image : "
        "c.image.contains('/') ? 'docker.io/' + c.image : 'docker.io/library/' + c.image"
    )
    return Policy(
        "registries",
        wrong=(
            "variables.containers.filter(c, !(c.image in variables.own) && "
            f"!variables.allowed.exists(registry, ({full}).startsWith(registry + '/')))"
            ".map(c, c.name + ': ' + c.image)"
        ),
        message="images from registries that are not allowed here:",
        remedy=f"allowed: {', '.join(allowed)}; push the image there, or have its registry added to "
        "`admission.allowedRegistries` of the platform's blueprint",
        variables={"allowed": _list(allowed), "own": _list(own)},
    )


def tags() -> Policy:
    """Images are named by a tag that stays, or by their digest."""
    return Policy(
        "tags",
        wrong=(
            "variables.containers.filter(c, !c.image.contains('@sha256:') && "
            "(c.image.endsWith(':latest') || c.image.matches('^([^/]*/)*[^/:]+$')))"
            ".map(c, c.name + ': ' + c.image)"
        ),
        message="images that change without notice, for they have no tag or the tag latest:",
        remedy="name a version, such as :1.4.2, or a digest, @sha256:...",
    )


def requests() -> Policy:
    """Every container says how much CPU and memory it needs."""
    asked = "has(c.resources) && has(c.resources.requests) && 'cpu' in c.resources.requests && "
    asked += "'memory' in c.resources.requests"
    return Policy(
        "requests",
        wrong=(
            f"variables.byController ? [] : variables.templates.filter(c, !({asked})).map(c, string(c.name))"
        ),
        message="containers that do not ask for CPU and memory:",
        remedy="set resources.requests.cpu and resources.requests.memory of each",
        variables={
            # Ephemeral containers may not have any.
            "templates": "variables.spec.containers + "
            "(has(variables.spec.initContainers) ? variables.spec.initContainers : [])"
        },
    )


def gpu_queue() -> Policy:
    """What needs GPUs waits in its team's queue."""
    gpus = "k.startsWith('nvidia.com/') || k.startsWith('amd.com/') || k.startsWith('gpu.intel.com/')"
    asks = " || ".join(
        f"(has(c.resources) && has(c.resources.{kind}) && c.resources.{kind}.exists(k, {gpus}))"
        for kind in ("requests", "limits")
    )
    return Policy(
        "gpu-queue",
        wrong=(
            "variables.byController || variables.queue == variables.team ? [] : "
            f"variables.containers.filter(c, {asks}).map(c, string(c.name))"
        ),
        message="containers that take GPUs past the team's queue:",
        remedy=f"label the object (of a CronJob: its jobTemplate) {QUEUE_LABEL} with the name of the team",
        variables={
            "labels": _labels("object"),
            "queue": f"'{QUEUE_LABEL}' in variables.labels ? variables.labels['{QUEUE_LABEL}'] : ''",
            "oldLabels": f"request.operation == 'UPDATE' ? ({_labels('oldObject')}) : {{}}",
            "oldQueue": f"'{QUEUE_LABEL}' in variables.oldLabels ? variables.oldLabels['{QUEUE_LABEL}'] : ''",
            "team": f"namespaceObject.metadata.labels['{TEAM}']",
        },
        unchanged="variables.queue == variables.oldQueue",
    )


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values))  # CEL writes lists of texts as JSON does


def policy(app: App, rule: Policy) -> Manifest:
    """The policy. It does nothing without its binding."""
    variables = {**_COMMON, **rule.variables, "wrong": rule.wrong}
    same = f"variables.containers == variables.oldContainers && {rule.unchanged}"
    before, after = json.dumps(f"{rule.message} "), json.dumps(f". To do: {rule.remedy}")
    told = f"{before} + variables.wrong.join(', ') + {after}"
    return {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(app, rule),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    _resources("", ["pods"], ["CREATE", "UPDATE"]),
                    _resources("", ["pods/ephemeralcontainers"], ["UPDATE"]),
                    *(_resources(group, kinds, ["CREATE", "UPDATE"]) for group, kinds in _TEMPLATES.items()),
                ]
            },
            "variables": [{"name": name, "expression": text} for name, text in variables.items()],
            "validations": [
                {
                    "expression": f"variables.wrong.size() == 0 || (request.operation == 'UPDATE' && {same})",
                    "message": f"{rule.message.rstrip(':')}. To do: {rule.remedy}",
                    "messageExpression": told,
                }
            ],
            "auditAnnotations": [
                {
                    "key": rule.name,
                    "valueExpression": "variables.wrong.join(', ')",  # left out if it is empty
                }
            ],
        },
    }


def binding(app: App, rule: Policy, action: str) -> Manifest:
    """Puts the policy into force in the platform's own team namespaces, which alone have these labels.

    The action is part of the name, so that another one is another object. `validationActions` is a set:
    where it is changed in place, the dry run of a preview sees the old and the new actions together, and two
    of them exclude each other.
    """
    metadata = _metadata(app, rule)
    metadata["name"] += f"-{action.lower()}"
    return {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {
            "policyName": _name(app, rule),
            "validationActions": ["Audit"] if action == "Audit" else [action, "Audit"],
            "matchResources": {
                "namespaceSelector": {
                    "matchLabels": {
                        "app.kubernetes.io/instance": app.platform,
                        "app.kubernetes.io/managed-by": "ziggurat",
                    },
                    "matchExpressions": [{"key": TEAM, "operator": "Exists"}],
                }
            },
        },
    }


def _resources(group: str, resources: list[str], operations: list[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }


def _metadata(app: App, rule: Policy) -> Manifest:
    return {"name": _name(app, rule), "labels": app.labels}


def _name(app: App, rule: Policy) -> str:
    return f"{app.platform}-{rule.name}"
