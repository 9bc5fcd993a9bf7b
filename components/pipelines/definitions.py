"""The kinds of custom resources that pipelines are run with.

Written by us, with no more than Argo's controller and Kubeflow Pipelines need: Argo's own have 2.5 MB each,
which every state of the stack would hold. A field is not checked here: its one writer is a program.
"""

from __future__ import annotations

from components.manifests.metadata import App, Manifest

_KEPT: Manifest = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_ARGO: dict[str, tuple[str, list[str]]] = {
    "Workflow": ("workflows", ["wf"]),
    "WorkflowTemplate": ("workflowtemplates", ["wftmpl"]),
    "CronWorkflow": ("cronworkflows", ["cwf"]),
    "WorkflowTaskSet": ("workflowtasksets", ["wfts"]),
    "WorkflowTaskResult": ("workflowtaskresults", []),
    "WorkflowArtifactGCTask": ("workflowartifactgctasks", ["wfat"]),
}
"""What the controller watches. Not ClusterWorkflowTemplate: without a right to them it does without."""
_STATUS = ("WorkflowTaskSet", "WorkflowArtifactGCTask")
"""Those whose status is a resource of its own."""


def definitions(engine: App) -> list[Manifest]:
    """Every CustomResourceDefinition."""
    argo = [
        _definition(engine, "argoproj.io", "v1alpha1", kind, plural, short, status=kind in _STATUS)
        for kind, (plural, short) in _ARGO.items()
    ]
    schedules = _definition(
        engine, "kubeflow.org", "v1beta1", "ScheduledWorkflow", "scheduledworkflows", ["swf"]
    )
    return [*argo, schedules]


def _definition(
    engine: App,
    group: str,
    version: str,
    kind: str,
    plural: str,
    short: list[str],
    *,
    status: bool = False,
) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": engine.labels},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                **({"shortNames": short} if short else {}),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    # The whole object: a WorkflowTaskResult has fields beside `spec` and `status`.
                    "schema": {"openAPIV3Schema": _KEPT},
                    **({"subresources": {"status": {}}} if status else {}),
                    **({"additionalPrinterColumns": _COLUMNS} if kind == "Workflow" else {}),
                }
            ],
        },
    }


_COLUMNS: list[Manifest] = [
    {"name": "Status", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Age", "type": "date", "jsonPath": ".status.startedAt"},
    {"name": "Message", "type": "string", "jsonPath": ".status.message"},
]
