"""Katib's objects: its kinds (kubeflow.org/v1beta1), webhooks and rights, written by us."""

from __future__ import annotations

from collections.abc import Sequence

from components.manifests import controllers
from components.manifests.controllers import RBAC, READ, cluster_role, rule
from components.manifests.metadata import TEAM, App, Manifest
from components.manifests.refusals import Refusal

GROUP = "kubeflow.org"
API_VERSION = f"{GROUP}/v1beta1"
KINDS = {"Experiment": "experiments", "Suggestion": "suggestions", "Trial": "trials"}
INJECTION = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
"""The label of a namespace without which Katib refuses Experiments in it."""
DEPLOYMENT = "katib.kubeflow.org/deployment"
"""The label of pods that suggest parameters."""


def definitions(app: App) -> list[Manifest]:
    """The three kinds. As Katib's own, they keep every field and check none: its webhook does."""
    columns = (
        ("Type", "string", ".status.conditions[-1:].type"),
        ("Status", "string", ".status.conditions[-1:].status"),
        ("Age", "date", ".metadata.creationTimestamp"),
    )
    return [
        controllers.definition(app, GROUP, kind, plural, ("v1beta1",), columns)
        for kind, plural in KINDS.items()
    ]


def webhooks(app: App, service: str, certificate: str) -> list[Manifest]:
    """The API server asks Katib about Experiments and pods in the platform's team namespaces alone.

    What a pod of a trial lacks when Katib is away is found out by the trial; every other pod goes on.
    """

    def webhook(name: str, path: str, about: Manifest, policy: str) -> Manifest:
        return {
            "name": f"{name}.katib.kubeflow.org",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": policy,
            "timeoutSeconds": 5,  # every pod of a team waits so long where Katib hangs
            "clientConfig": {"service": {"name": service, "namespace": app.namespace, "path": path}},
            "namespaceSelector": {
                "matchLabels": {"app.kubernetes.io/instance": app.platform, **INJECTION},
                "matchExpressions": [{"key": TEAM, "operator": "Exists"}],
            },
            "rules": [about],
        }

    experiments = _rule_of(GROUP, "v1beta1", ["experiments"], ["CREATE", "UPDATE"])
    # Not the controller's own pods, nor those that suggest: it would have to wait for itself.
    pods = _rule_of("", "v1", ["pods"], ["CREATE"])
    collecting = webhook("mutator.pod", "/mutate-pod", pods, "Ignore")
    collecting["objectSelector"] = {"matchExpressions": [{"key": DEPLOYMENT, "operator": "DoesNotExist"}]}
    return [
        _configuration(
            app,
            "Mutating",
            certificate,
            [webhook("defaulter.experiment", "/mutate-experiment", experiments, "Fail"), collecting],
        ),
        _configuration(
            app,
            "Validating",
            certificate,
            [webhook("validator.experiment", "/validate-experiment", experiments, "Fail")],
        ),
    ]


def _rule_of(group: str, version: str, resources: list[str], operations: list[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": operations,
        "resources": resources,
        "scope": "Namespaced",
    }


def _configuration(app: App, kind: str, certificate: str, hooks: Sequence[Manifest]) -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {
            "name": f"{app.platform}-katib",
            "labels": app.labels,
            # cert-manager writes the certificate's authority into the webhooks.
            "annotations": {"cert-manager.io/inject-ca-from": f"{app.namespace}/{certificate}"},
        },
        "webhooks": list(hooks),
    }


TEMPLATES = Refusal(
    "experiment-templates",
    GROUP,
    "v1beta1",
    "experiments",
    "!has(object.spec) || !has(object.spec.trialTemplate) || !has(object.spec.trialTemplate.configMap) || "
    "!has(object.spec.trialTemplate.configMap.configMapNamespace) || "
    "object.spec.trialTemplate.configMap.configMapNamespace == object.metadata.namespace || "
    "(request.operation == 'UPDATE' && object.spec == oldObject.spec)",
    "the template of trials is of a ConfigMap of this namespace, not of another namespace. "
    "To do: name one of this namespace in spec.trialTemplate.configMap, or write the template into "
    "spec.trialTemplate.trialSpec",
)
"""Katib reads that ConfigMap as itself, and tells whoever asked what is in it."""


def watching(app: App) -> Manifest:
    """What Katib's controller has to see everywhere: it watches whole kinds. It makes nothing by this."""
    rules = [
        rule("", ["namespaces", "configmaps", "services", "serviceaccounts"], READ),
        rule("", ["persistentvolumeclaims", "persistentvolumes"], READ),
        rule("apps", ["deployments"], READ),
        rule(RBAC, ["roles", "rolebindings"], READ),
        rule("batch", ["jobs", "cronjobs"], READ),
        rule("jobset.x-k8s.io", ["jobsets"], READ),
        rule("trainer.kubeflow.org", ["trainjobs"], READ),
        rule(GROUP, list(KINDS.values()), READ),
    ]
    return cluster_role(app, f"{app.platform}-katib", rules)


def acting(app: App) -> Manifest:
    """What it may do in a team's namespace: run trials, and what suggests their parameters."""
    make = ["create", "delete"]
    own = [f"{plural}{part}" for plural in KINDS.values() for part in ("", "/status", "/finalizers")]
    rules = [
        rule("", ["services"], make),
        rule("", ["persistentvolumeclaims"], ["create"]),
        rule("", ["events"], ["create", "patch", "update"]),
        rule("", ["pods", "pods/status"], ["get"]),
        rule("apps", ["deployments"], make),
        rule("batch", ["jobs"], make),
        rule("trainer.kubeflow.org", ["trainjobs"], make),
        rule(GROUP, own, ["create", "update", "patch", "delete"]),
    ]
    return cluster_role(app, f"{app.platform}-katib-trials", rules)


def suggesting(app: App, controller: App, port: int) -> Manifest:
    """In a team's namespace: the controller alone asks for suggestions."""
    pods = {"matchExpressions": [{"key": DEPLOYMENT, "operator": "Exists"}]}
    caller = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": controller.namespace}},
        "podSelector": {"matchLabels": controller.selector},
    }
    ingress = [{"from": [caller], "ports": [{"protocol": "TCP", "port": port}]}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": app.metadata("katib-suggestions"),
        "spec": {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress},
    }
