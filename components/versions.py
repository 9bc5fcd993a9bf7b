"""Every image, chart and version that Ziggurat provisions, in one place, and where they are pulled from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A container image at its maker's registry, pinned by its tag."""

    registry: str
    repository: str
    tag: str


MLFLOW = Image("ghcr.io", "mlflow/mlflow", "v3.17.2-full")
"""The `-full` variant: it alone has the database drivers, the bucket clients and basic-auth's Flask-WTF."""
POSTGRESQL = Image("docker.io", "library/postgres", "17")
"""The major version is pinned: patch releases are compatible on disk, the next major version is not."""
SEAWEEDFS = Image("docker.io", "chrislusf/seaweedfs", "4.48")
OAUTH2_PROXY = Image("quay.io", "oauth2-proxy/oauth2-proxy", "v7.15.3")
"""7.15.2 is the oldest without the critical authentication bypasses."""
RESTIC = Image("docker.io", "restic/restic", "0.18.1")
RCLONE = Image("docker.io", "rclone/rclone", "1.76.0")
GIT = Image("docker.io", "alpine/git", "v2.52.0")
"""MLflow's image has no git."""

ALL: tuple[Image, ...] = (MLFLOW, POSTGRESQL, SEAWEEDFS, OAUTH2_PROXY, RESTIC, RCLONE, GIT)
"""What a mirror has to hold."""


@dataclass(frozen=True)
class Definition:
    """A kind of custom resource that a chart brings (its CustomResourceDefinition)."""

    group: str
    versions: tuple[str, ...]
    """Oldest first; the last is the one that is stored."""
    kind: str
    plural: str
    namespaced: bool = False


@dataclass(frozen=True)
class Chart:
    """A Helm chart from its maker's own repository, pinned by its version."""

    name: str
    registry: str
    """The host that serves it."""
    path: str
    """Where on the host the repository is."""
    version: str
    oci: bool
    """Whether the repository is an OCI registry; else it serves an `index.yaml`."""
    images: tuple[Image, ...]
    """Every image that its pods run with the values that Ziggurat gives it."""
    definitions: tuple[Definition, ...] = ()


def _kueue(kind: str, *, namespaced: bool = False, plural: str | None = None) -> Definition:
    name = plural or f"{kind.lower()}s"
    return Definition("kueue.x-k8s.io", ("v1beta1", "v1beta2"), kind, name, namespaced)


KUEUE = Chart(
    "kueue",
    "registry.k8s.io",
    "kueue/charts",
    "0.19.2",
    oci=True,
    images=(Image("registry.k8s.io", "kueue/kueue", "v0.19.2"),),
    definitions=(
        _kueue("AdmissionCheck"),
        _kueue("ClusterQueue"),
        _kueue("Cohort"),
        _kueue("LocalQueue", namespaced=True),
        _kueue("MultiKueueCluster"),
        _kueue("MultiKueueConfig"),
        _kueue("ProvisioningRequestConfig"),
        _kueue("ResourceFlavor"),
        _kueue("Topology", plural="topologies"),
        _kueue("Workload", namespaced=True),
        _kueue("WorkloadPriorityClass", plural="workloadpriorityclasses"),
    ),
)
NVIDIA_PLUGIN_IMAGE = Image("nvcr.io", "nvidia/k8s-device-plugin", "v0.20.0")
NVIDIA_DEVICE_PLUGIN = Chart(
    "nvidia-device-plugin",
    "nvidia.github.io",
    "k8s-device-plugin",
    "0.20.0",
    oci=False,
    images=(NVIDIA_PLUGIN_IMAGE,),
)
NVIDIA_OPERATOR_IMAGE = Image("nvcr.io", "nvidia/gpu-operator", "v26.7.0")
NVIDIA_TOOLKIT_IMAGE = Image("nvcr.io", "nvidia/k8s/container-toolkit", "v1.20.0")
NVIDIA_DCGM_EXPORTER_IMAGE = Image("nvcr.io", "nvidia/k8s/dcgm-exporter", "4.6.0-4.8.3-distroless")
NVIDIA_MIG_MANAGER_IMAGE = Image("nvcr.io", "nvidia/cloud-native/k8s-mig-manager", "v0.15.0")
NODE_FEATURE_DISCOVERY_IMAGE = Image("registry.k8s.io", "nfd/node-feature-discovery", "v0.19.0")
NVIDIA_GPU_OPERATOR = Chart(
    "gpu-operator",
    "helm.ngc.nvidia.com",
    "nvidia",
    "v26.7.0",
    oci=False,
    images=(
        NVIDIA_OPERATOR_IMAGE,
        NVIDIA_PLUGIN_IMAGE,
        NVIDIA_TOOLKIT_IMAGE,
        NVIDIA_DCGM_EXPORTER_IMAGE,
        NVIDIA_MIG_MANAGER_IMAGE,
        NODE_FEATURE_DISCOVERY_IMAGE,
    ),
    definitions=(
        Definition("nvidia.com", ("v1",), "ClusterPolicy", "clusterpolicies"),
        Definition("nvidia.com", ("v1alpha1",), "GPUCluster", "gpuclusters"),
        Definition("nvidia.com", ("v1alpha1",), "NVIDIADriver", "nvidiadrivers"),
        Definition("nfd.k8s-sigs.io", ("v1alpha1",), "NodeFeature", "nodefeatures", namespaced=True),
        Definition(
            "nfd.k8s-sigs.io", ("v1alpha1",), "NodeFeatureGroup", "nodefeaturegroups", namespaced=True
        ),
        Definition("nfd.k8s-sigs.io", ("v1alpha1",), "NodeFeatureRule", "nodefeaturerules"),
        Definition("resource.nvidia.com", ("v1beta1",), "ComputeDomain", "computedomains", namespaced=True),
        Definition(
            "resource.nvidia.com",
            ("v1beta1",),
            "ComputeDomainClique",
            "computedomaincliques",
            namespaced=True,
        ),
    ),
)

CHARTS: tuple[Chart, ...] = (KUEUE, NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR)
"""Every chart that a blueprint may need. `standin/charts.json` is made of their definitions."""


@dataclass(frozen=True)
class ImageSource:
    """Where images and charts are pulled from, and with which Secret."""

    registry: str | None = None
    """A mirror that holds every image under its own repository path; None means the makers' registries."""
    pull_secret: str | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson` in each namespace; None pulls anonymously."""

    def reference(self, image: Image) -> str:
        """What a container's `image` says."""
        return f"{self.repository(image)}:{image.tag}"

    def repository(self, image: Image) -> str:
        """The image without its tag, as values of charts want it."""
        return f"{self.registry or image.registry}/{image.repository}"

    def chart(self, chart: Chart) -> tuple[str, str | None]:
        """What Helm calls the chart, and the repository that it has to be told; None with OCI.

        A mirror holds every chart as an OCI artifact, under its maker's own path.
        """
        if self.registry or chart.oci:
            return f"oci://{self.registry or chart.registry}/{chart.path}/{chart.name}", None
        return chart.name, f"https://{chart.registry}/{chart.path}"
