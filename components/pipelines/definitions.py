"""The kinds of custom resources that pipelines are run with.

Written by us, with no more than Argo's controller and Kubeflow Pipelines need: Argo's own have 2.5 MB each,
which every state of the stack would hold. A field is not checked here: its one writer is a program.
"""

from __future__ import annotations

from components.manifests.controllers import definition
from components.manifests.metadata import App, Manifest

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
_COLUMNS = (
    ("Status", "string", ".status.phase"),
    ("Age", "date", ".status.startedAt"),
    ("Message", "string", ".status.message"),
)


def definitions(engine: App) -> list[Manifest]:
    """Every CustomResourceDefinition. A schema is of the whole object: a WorkflowTaskResult has fields beside
    `spec` and `status`."""
    argo = [
        definition(
            engine,
            "argoproj.io",
            kind,
            plural,
            ("v1alpha1",),
            _COLUMNS if kind == "Workflow" else (),
            short=short,
            status=kind in _STATUS,
        )
        for kind, (plural, short) in _ARGO.items()
    ]
    schedules = definition(
        engine,
        "kubeflow.org",
        "ScheduledWorkflow",
        "scheduledworkflows",
        ("v1beta1",),
        short=["swf"],
        status=False,
    )
    return [*argo, schedules]
