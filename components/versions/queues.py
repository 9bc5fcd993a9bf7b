"""Kueue."""

from components.versions.model import Chart, Definition, Image


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
