"""Prometheus, Alertmanager and Grafana."""

from components.versions.model import Chart, Definition, Image

OPERATOR_IMAGE = Image("quay.io", "prometheus-operator/prometheus-operator", "v0.93.1")
RELOADER_IMAGE = Image("quay.io", "prometheus-operator/prometheus-config-reloader", "v0.93.1")
PROMETHEUS_IMAGE = Image("quay.io", "prometheus/prometheus", "v3.14.0-distroless")
ALERTMANAGER_IMAGE = Image("quay.io", "prometheus/alertmanager", "v0.34.0")
GRAFANA_IMAGE = Image("docker.io", "grafana/grafana", "13.2.0")
SIDECAR_IMAGE = Image("quay.io", "kiwigrid/k8s-sidecar", "2.10.1")
STATE_METRICS_IMAGE = Image("registry.k8s.io", "kube-state-metrics/kube-state-metrics", "v2.20.0")


def _kind(kind: str, plural: str, version: str = "v1") -> Definition:
    """They lie in the folder `crds` of a chart in the chart: Helm leaves them."""
    return Definition("monitoring.coreos.com", (version,), kind, plural, namespaced=True, kept=True)


PROMETHEUS_STACK = Chart(
    "kube-prometheus-stack",
    "ghcr.io",
    "prometheus-community/charts",
    "88.5.3",
    oci=True,
    images=(
        OPERATOR_IMAGE,
        RELOADER_IMAGE,
        PROMETHEUS_IMAGE,
        ALERTMANAGER_IMAGE,
        GRAFANA_IMAGE,
        SIDECAR_IMAGE,
        STATE_METRICS_IMAGE,
    ),
    definitions=(
        _kind("Alertmanager", "alertmanagers"),
        _kind("AlertmanagerConfig", "alertmanagerconfigs", "v1alpha1"),
        _kind("PodMonitor", "podmonitors"),
        _kind("Probe", "probes"),
        _kind("Prometheus", "prometheuses"),
        _kind("PrometheusAgent", "prometheusagents", "v1alpha1"),
        _kind("PrometheusRule", "prometheusrules"),
        _kind("ScrapeConfig", "scrapeconfigs", "v1alpha1"),
        _kind("ServiceMonitor", "servicemonitors"),
        _kind("ThanosRuler", "thanosrulers"),
    ),
)
