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
    "": ["replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}
_NOTEBOOKS = {**_TEMPLATES, "kubeflow.org": ["notebooks"]}
"""A Notebook's template of pods is where a Deployment's is. Its controller says nothing of what is refused
to it, so a member would wait for a pod. A cluster without this kind has nothing to match."""


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
    owners: Sequence[str] = ()
    """The kinds that it looks at, of those whose controllers make pods; empty: pods and their templates."""
    templates: Mapping[str, Sequence[str]] = field(default_factory=lambda: _NOTEBOOKS)
    """What it looks at beside pods then, by API group."""


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


_UNKNOWN = ("DaemonSet", "ReplicaSet", "ReplicationController")


def _labels(of: str) -> str:
    """The labels by which Kueue finds the queue.

    A CronJob's are those of the Jobs that it makes. Kueue has no integration for the kinds of _UNKNOWN
    (0.19): what they are labelled with stays theirs, and their pods wait only by labels of their own. To a
    Deployment's and a StatefulSet's pods it hands the object's label down.
    """
    metadata = (
        f"({of}.kind == 'CronJob' ? dyn({of}).spec.jobTemplate : "
        f"{of}.kind in {_list(_UNKNOWN)} ? dyn({of}).spec.template : dyn({of}))"
    )
    return f"has({metadata}.metadata) && has({metadata}.metadata.labels) ? {metadata}.metadata.labels : {{}}"


# A controller that runs elsewhere, as the cluster's own do: the Job that it works on was checked itself.
_BY_CONTROLLER = (
    "request.userInfo.username == 'system:kube-controller-manager' || "
    "(request.userInfo.username.startsWith('system:serviceaccount:') && "
    "!request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':'))"
)
_OF_TRIAL = (
    "has(object.metadata.ownerReferences) && "
    "object.metadata.ownerReferences.exists(owner, owner.kind == 'Trial')"
)
"""Whether Katib made it: an Experiment may take its template from a ConfigMap, where no rule sees it."""

_COMMON = {
    "spec": _spec("object"),
    "containers": _containers("variables.spec"),
    "oldSpec": f"request.operation == 'UPDATE' ? ({_spec('oldObject')}) : {{'containers': []}}",
    "oldContainers": _containers("variables.oldSpec"),
    "byController": _BY_CONTROLLER,
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


_GPUS = "k.startsWith('nvidia.com/') || k.startsWith('amd.com/') || k.startsWith('gpu.intel.com/')"
_TEAM = f"namespaceObject.metadata.labels['{TEAM}']"


def gpu_queue() -> Policy:
    """What needs GPUs waits in its team's queue."""
    asks = " || ".join(
        f"(has(c.resources) && has(c.resources.{kind}) && c.resources.{kind}.exists(k, {_GPUS}))"
        for kind in ("requests", "limits")
    )
    return Policy(
        "gpu-queue",
        wrong=(
            "(variables.byController && !variables.ofTrial) || variables.queue == variables.team ? [] : "
            f"variables.containers.filter(c, {asks}).map(c, string(c.name))"
        ),
        message="containers that take GPUs past the team's queue:",
        remedy=f"label the object (of a CronJob: its jobTemplate; of a DaemonSet, ReplicaSet or "
        f"ReplicationController: its template) "
        f"{QUEUE_LABEL} with the name of the team",
        variables={
            "ofTrial": _OF_TRIAL,
            "labels": _labels("object"),
            "queue": f"'{QUEUE_LABEL}' in variables.labels ? variables.labels['{QUEUE_LABEL}'] : ''",
            "oldLabels": f"request.operation == 'UPDATE' ? ({_labels('oldObject')}) : {{}}",
            "oldQueue": f"'{QUEUE_LABEL}' in variables.oldLabels ? variables.oldLabels['{QUEUE_LABEL}'] : ''",
            "team": _TEAM,
        },
        unchanged="variables.queue == variables.oldQueue",
        templates=_TEMPLATES,  # Notebooks are looked at by `gpu_owners`
    )


_OWNERS = {
    "TrainJob": ("trainer.kubeflow.org", "v1alpha1", "trainjobs"),
    "InferenceService": ("serving.kserve.io", "v1beta1", "inferenceservices"),
    "Notebook": ("kubeflow.org", "v1", "notebooks"),
    "Experiment": ("kubeflow.org", "v1beta1", "experiments"),
}
"""The kinds whose controllers make pods for teams: group, version, resource."""


def gpu_owners(kinds: Sequence[str], runtimes: Sequence[str]) -> Policy:
    """What needs GPUs waits in its team's queue: of kinds whose controllers make the pods.

    Their controllers are let through by `gpu_queue`, and Kueue finds the queue by the label of the object: of
    a TrainJob by itself, of an InferenceService and a Notebook since their pods take its labels over. So they
    are looked at here. `runtimes` are the names of runtimes that take GPUs by themselves.
    """
    return Policy(
        "gpu-queue-owners",
        wrong=(
            "(variables.byController && !variables.ofTrial) || variables.queue == variables.team ? [] : "
            "variables.kind == 'TrainJob' ? variables.training : "
            "variables.kind == 'InferenceService' ? variables.serving : variables.templates"
        ),
        message="work that takes GPUs past the team's queue:",
        remedy=f"label the object (of an Experiment: its trialSpec) {QUEUE_LABEL} with the name of the team",
        variables={
            "byController": _BY_CONTROLLER,
            "ofTrial": _OF_TRIAL,
            "team": _TEAM,
            "runtimes": _list(runtimes),
            "subject": _subject("object"),
            "kind": "has(variables.subject.kind) ? variables.subject.kind : ''",
            "queue": _queue("variables.subject"),
            "oldSubject": f"request.operation == 'UPDATE' ? ({_subject('oldObject')}) : dyn({{}})",
            "oldQueue": _queue("variables.oldSubject"),
            "training": _training("variables.subject.spec"),
            "serving": _serving("variables.subject.spec"),
            "templates": _templates("variables.subject"),
        },
        unchanged="variables.queue == variables.oldQueue",
        owners=kinds,
    )


def _subject(of: str) -> str:
    """What is queued: of an Experiment what its trials are made of."""
    template = f"dyn({of}).spec.trialTemplate"
    return (
        f"{of}.kind == 'Experiment' ? "
        f"(has({template}) && has({template}.trialSpec) ? {template}.trialSpec : dyn({{}})) : dyn({of})"
    )


def _queue(subject: str) -> str:
    labels = f"{subject}.metadata.labels"
    return (
        f"has({subject}.metadata) && has({labels}) && '{QUEUE_LABEL}' in {labels} ? "
        f"string({labels}['{QUEUE_LABEL}']) : ''"
    )


def _asks(resources: str) -> str:
    """Whether requests or limits name a GPU."""
    of = f"{resources}[part]"
    return f"['requests', 'limits'].exists(part, part in {resources} && {of}.exists(k, {_GPUS}))"


def _training(spec: str) -> str:
    """What a TrainJob asks for, and what its runtime does: Trainer merges the two, name by name."""
    own = f"{spec}.trainer.resourcesPerNode"
    runtime = f"{spec}.runtimeRef.name"
    return (
        f"(has({spec}.trainer) && has({own}) && {_asks(own)} ? ['trainer'] : []) + "
        f"(has({spec}.runtimeRef) && {runtime} in variables.runtimes ? ['runtime ' + {runtime}] : [])"
    )


def _serving(spec: str) -> str:
    """The parts of an InferenceService: its model or an old predictor, its containers, its runtime."""
    part = f"{spec}[p]"
    of_container = f"has(c.resources) && {_asks('c.resources')}"
    takes = " || ".join(
        (
            f"{part}.exists(f, type({part}[f]) == map && 'resources' in {part}[f] && "
            f"{_asks(f'{part}[f].resources')})",
            f"(has({part}.containers) && {part}.containers.exists(c, {of_container}))",
            f"(has({part}.workerSpec) && has({part}.workerSpec.containers) && "
            f"{part}.workerSpec.containers.exists(c, {of_container}))",
            f"(has({part}.model) && has({part}.model.runtime) && {part}.model.runtime in variables.runtimes)",
        )
    )
    return f"['predictor', 'transformer', 'explainer'].filter(p, p in {spec} && ({takes}))"


def _templates(of: str) -> str:
    """The containers of a Notebook, or of a trial's Job."""
    pod = f"{of}.spec.template.spec"
    has_pod = f"has({of}.spec) && has({of}.spec.template) && has({of}.spec.template.spec)"
    return (
        f"{has_pod} ? ({_containers(pod)}).filter(c, has(c.resources) && {_asks('c.resources')})"
        ".map(c, string(c.name)) : []"
    )


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values))  # CEL writes lists of texts as JSON does


def policy(app: App, rule: Policy) -> Manifest:
    """The policy. It does nothing without its binding."""
    common = {} if rule.owners else _COMMON
    variables = {**common, **rule.variables, "wrong": rule.wrong}
    as_it_was = (
        "dyn(object).spec == dyn(oldObject).spec"
        if rule.owners
        else "variables.containers == variables.oldContainers"
    )
    same = f"{as_it_was} && {rule.unchanged}"
    before, after = json.dumps(f"{rule.message} "), json.dumps(f". To do: {rule.remedy}")
    told = f"{before} + variables.wrong.join(', ') + {after}"
    return {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(app, rule),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": _owned(rule.owners) if rule.owners else _pods_and(rule.templates)
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
    """Puts the policy into force in the platform's own team namespaces.

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
            "matchResources": in_team_namespaces(app),
        },
    }


def in_team_namespaces(app: App) -> Manifest:
    """What a binding is for: the platform's own team namespaces, which alone have these labels."""
    return {
        "namespaceSelector": {
            "matchLabels": {
                "app.kubernetes.io/instance": app.platform,
                "app.kubernetes.io/managed-by": "ziggurat",
            },
            "matchExpressions": [{"key": TEAM, "operator": "Exists"}],
        }
    }


def _pods_and(templates: Mapping[str, Sequence[str]]) -> list[Manifest]:
    return [
        _resources("", ["pods"], ["CREATE", "UPDATE"]),
        _resources("", ["pods/ephemeralcontainers"], ["UPDATE"]),
        *(_resources(group, list(kinds), ["CREATE", "UPDATE"]) for group, kinds in templates.items()),
    ]


def _owned(kinds: Sequence[str]) -> list[Manifest]:
    places = (_OWNERS[kind] for kind in kinds)
    return [
        _resources(group, [resource], ["CREATE", "UPDATE"], version) for group, version, resource in places
    ]


def _resources(group: str, resources: list[str], operations: list[str], version: str = "v1") -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }


def _metadata(app: App, rule: Policy) -> Manifest:
    return {"name": _name(app, rule), "labels": app.labels}


def _name(app: App, rule: Policy) -> str:
    return f"{app.platform}-{rule.name}"
