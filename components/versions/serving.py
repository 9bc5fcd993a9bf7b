"""KServe."""

from components.versions.model import Chart, Definition, Image


def _serving(kind: str, plural: str, version: str = "v1alpha1", *, namespaced: bool = True) -> Definition:
    return Definition("serving.kserve.io", (version,), kind, plural, namespaced)


KSERVE_CRD = Chart(
    "kserve-crd",
    "ghcr.io",
    "kserve/charts",
    "v0.20.0",
    oci=True,
    images=(),
    definitions=(
        _serving("ClusterServingRuntime", "clusterservingruntimes", namespaced=False),
        _serving("ClusterStorageContainer", "clusterstoragecontainers", namespaced=False),
        _serving("InferenceGraph", "inferencegraphs"),
        _serving("InferenceService", "inferenceservices", "v1beta1"),
        _serving("ServingRuntime", "servingruntimes"),
        _serving("TrainedModel", "trainedmodels"),
    ),
)
KSERVE_CONTROLLER = Image("docker.io", "kserve/kserve-controller", "v0.20.0")
KSERVE_PROXY = Image("quay.io", "brancz/kube-rbac-proxy", "v0.18.0")
KSERVE_AGENT = Image("docker.io", "kserve/agent", "v0.20.0")
KSERVE_ROUTER = Image("docker.io", "kserve/router", "v0.20.0")
KSERVE_STORAGE = Image("docker.io", "kserve/storage-initializer", "v0.20.0")
KSERVE = Chart(
    "kserve-resources",
    "ghcr.io",
    "kserve/charts",
    "v0.20.0",
    oci=True,
    images=(KSERVE_CONTROLLER, KSERVE_PROXY, KSERVE_AGENT, KSERVE_ROUTER, KSERVE_STORAGE),
)
"""The last three are what KServe puts into pods of InferenceServices that ask for it."""
