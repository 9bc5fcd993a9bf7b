"""Kubeflow Trainer's objects (trainer.kubeflow.org/v1alpha1)."""

from __future__ import annotations

from components.manifests.metadata import App, Manifest

GROUP = "trainer.kubeflow.org"
API_VERSION = f"{GROUP}/v1alpha1"
CONTAINER = "node"
"""Trainer's own name for the container, and the Job, that a TrainJob's `trainer` is about."""


def torch_runtime(app: App, name: str, template: Manifest) -> Manifest:
    """A TrainingRuntime for PyTorch, in a team's namespace: what TrainJobs there are made from.

    Trainer starts `template` on each node of a TrainJob, and tells torchrun who the others are.
    """
    job = {
        "name": CONTAINER,
        "template": {
            "metadata": {"labels": {f"{GROUP}/trainjob-ancestor-step": "trainer"}},
            "spec": {"template": template},
        },
    }
    metadata = app.metadata(name)
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRuntime",
        # By this label the Kubeflow SDK tells runtimes apart.
        "metadata": {**metadata, "labels": {**metadata["labels"], f"{GROUP}/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": 1, "torch": {}},
            "template": {"spec": {"replicatedJobs": [job]}},
        },
    }
