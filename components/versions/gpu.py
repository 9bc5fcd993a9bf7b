"""What makes GPUs known to Kubernetes."""

from components.versions.model import Chart, Definition, Image


def _kind(
    group: str, version: str, kind: str, plural: str | None = None, *, namespaced: bool = True
) -> Definition:
    """They lie in folders `crds`, of the chart and of the one in it: Helm leaves them."""
    return Definition(group, (version,), kind, plural or f"{kind.lower()}s", namespaced, kept=True)


CUDA_SAMPLE = Image("nvcr.io", "nvidia/k8s/cuda-sample", "vectoradd-cuda12.5.0-ubuntu22.04")
"""NVIDIA's own sample, by which `ziggurat check gpu` sees whether a GPU works; of 12.5, so that older drivers
take it too."""

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
        _kind("nvidia.com", "v1", "ClusterPolicy", "clusterpolicies", namespaced=False),
        _kind("nvidia.com", "v1alpha1", "GPUCluster", namespaced=False),
        _kind("nvidia.com", "v1alpha1", "NVIDIADriver", namespaced=False),
        _kind("nfd.k8s-sigs.io", "v1alpha1", "NodeFeature"),
        _kind("nfd.k8s-sigs.io", "v1alpha1", "NodeFeatureGroup"),
        _kind("nfd.k8s-sigs.io", "v1alpha1", "NodeFeatureRule", namespaced=False),
        _kind("resource.nvidia.com", "v1beta1", "ComputeDomain"),
        _kind("resource.nvidia.com", "v1beta1", "ComputeDomainClique"),
    ),
)
