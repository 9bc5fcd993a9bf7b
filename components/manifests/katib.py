"""Katib's objects: its kinds (kubeflow.org/v1beta1), webhooks and rights, written by us."""

from __future__ import annotations

from collections.abc import Sequence

from components.manifests.metadata import TEAM, App, Manifest

GROUP = "kubeflow.org"
API_VERSION = f"{GROUP}/v1beta1"
KINDS = {"Experiment": "experiments", "Suggestion": "suggestions", "Trial": "trials"}
INJECTION = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
"""The label of a namespace without which Katib refuses Experiments in it."""
DEPLOYMENT = "katib.kubeflow.org/deployment"
"""The label of pods that suggest parameters."""
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def definitions(app: App) -> list[Manifest]:
    """The three kinds. As Katib's own, they keep every field and check none: its webhook does."""
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{GROUP}", "labels": app.labels},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": kind,
                    "listKind": f"{kind}List",
                    "plural": plural,
                    "singular": kind.lower(),
                },
                "versions": [
                    {
                        "name": "v1beta1",
                        "served": True,
                        "storage": True,
                        "subresources": {"status": {}},
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            }
                        },
                        "additionalPrinterColumns": [
                            _column("Type", "string", ".status.conditions[-1:].type"),
                            _column("Status", "string", ".status.conditions[-1:].status"),
                            _column("Age", "date", ".metadata.creationTimestamp"),
                        ],
                    }
                ],
            },
        }
        for kind, plural in KINDS.items()
    ]


def _column(name: str, kind: str, path: str) -> Manifest:
    return {"name": name, "type": kind, "jsonPath": path}


def webhooks(app: App, service: str, certificate: str) -> list[Manifest]:
    """The API server asks Katib about Experiments and pods in the platform's team namespaces alone.

    What a pod of a trial lacks when Katib is away is found out by the trial; every other pod goes on.
    """

    def webhook(name: str, path: str, rule: Manifest, policy: str) -> Manifest:
        return {
            "name": f"{name}.katib.kubeflow.org",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": policy,
            "timeoutSeconds": 10,
            "clientConfig": {"service": {"name": service, "namespace": app.namespace, "path": path}},
            "namespaceSelector": {
                "matchLabels": {"app.kubernetes.io/instance": app.platform, **INJECTION},
                "matchExpressions": [{"key": TEAM, "operator": "Exists"}],
            },
            "rules": [rule],
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


def watching(app: App) -> Manifest:
    """What Katib's controller has to see everywhere: it watches whole kinds. It makes nothing by this."""
    rules = [
        _rule("", ["namespaces", "configmaps", "services", "serviceaccounts"], _READ),
        _rule("", ["persistentvolumeclaims", "persistentvolumes"], _READ),
        _rule("apps", ["deployments"], _READ),
        _rule(_RBAC, ["roles", "rolebindings"], _READ),
        _rule("batch", ["jobs", "cronjobs"], _READ),
        _rule("jobset.x-k8s.io", ["jobsets"], _READ),
        _rule("trainer.kubeflow.org", ["trainjobs"], _READ),
        _rule(GROUP, list(KINDS.values()), _READ),
    ]
    return _cluster_role(app, f"{app.platform}-katib", rules)


def acting(app: App) -> Manifest:
    """What it may do in a team's namespace: run trials, and what suggests their parameters."""
    make = ["create", "delete"]
    own = [f"{plural}{part}" for plural in KINDS.values() for part in ("", "/status", "/finalizers")]
    rules = [
        _rule("", ["services"], make),
        _rule("", ["persistentvolumeclaims"], ["create"]),
        _rule("", ["events"], ["create", "patch", "update"]),
        _rule("", ["pods", "pods/status"], ["get"]),
        _rule("apps", ["deployments"], make),
        _rule("batch", ["jobs"], make),
        _rule("trainer.kubeflow.org", ["trainjobs"], make),
        _rule(GROUP, own, ["create", "update", "patch", "delete"]),
    ]
    return _cluster_role(app, f"{app.platform}-katib-trials", rules)


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _cluster_role(app: App, name: str, rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": app.labels},
        "rules": rules,
    }


def binding(owner: App, role: str, controller: App, *, everywhere: bool = False) -> Manifest:
    """Gives one of these roles to the controller: everywhere, or in the namespace of `owner`."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
        "metadata": {"name": role, "labels": owner.labels} if everywhere else owner.metadata("katib"),
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": controller.namespace, "name": controller.name}],
    }


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
