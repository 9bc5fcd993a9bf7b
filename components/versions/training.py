"""Kubeflow Trainer and what it needs."""

from components.versions.model import Chart, Definition, Image

JOBSET = Chart(
    "jobset",
    "registry.k8s.io",
    "jobset/charts",
    "0.12.0",
    oci=True,
    images=(Image("registry.k8s.io", "jobset/jobset", "v0.12.0"),),
    definitions=(
        # In the folder `crds` of the chart: Helm leaves it there.
        Definition("jobset.x-k8s.io", ("v1alpha2",), "JobSet", "jobsets", namespaced=True, kept=True),
    ),
)
"""The version that Trainer's own chart would bring."""
KUBEFLOW_TRAINER = Chart(
    "kubeflow-trainer",
    "ghcr.io",
    "kubeflow/charts",
    "2.3.0",
    oci=True,
    images=(Image("ghcr.io", "kubeflow/trainer/trainer-controller-manager", "v2.3.0"),),
    definitions=(
        Definition(
            "trainer.kubeflow.org", ("v1alpha1",), "ClusterTrainingRuntime", "clustertrainingruntimes"
        ),
        Definition(
            "trainer.kubeflow.org", ("v1alpha1",), "TrainingRuntime", "trainingruntimes", namespaced=True
        ),
        Definition("trainer.kubeflow.org", ("v1alpha1",), "TrainJob", "trainjobs", namespaced=True),
    ),
)
PYTORCH = Image("docker.io", "pytorch/pytorch", "2.13.0-cuda13.0-cudnn9-runtime")
"""What Trainer's own runtime `torch-distributed` runs; it works without a GPU, too."""
