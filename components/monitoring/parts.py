"""The parts of monitoring, and whom each speaks to."""

from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.names import fit, monitoring_namespace, system_namespace
from components.manifests.metadata import App
from components.manifests.network import Edge, Outside, Peer, Pods
from components.monitoring.targets import targets

PROMETHEUS = 9090
ALERTMANAGER = 9093
GRAFANA = 3000
_STATE_METRICS = 8080
_KUBELET = 10250
_API_PORTS = (443, 6443)


def release_name(platform: str) -> str:
    """The name of the chart's release, and the prefix of what it makes: some is of the whole cluster.

    The chart itself cuts it off after 26 characters.
    """
    return fit(f"{platform}-monitoring", 26)


@dataclass(frozen=True)
class Parts:
    """What runs in the namespace of monitoring, by the labels that chart and operator give its pods."""

    own: App
    """Whose the platform's own objects of monitoring are: monitors, rules, dashboards."""
    prometheus: App
    alertmanager: App
    grafana: App
    operator: App
    state_metrics: App

    @staticmethod
    def of(platform: str) -> "Parts":
        """Those of the platform called so."""
        release = release_name(platform)

        def app(name: str, instance: str = release) -> App:
            return App(platform, monitoring_namespace(platform), name, "monitoring", release=instance)

        return Parts(
            own=App(platform, monitoring_namespace(platform), "monitoring", "monitoring"),
            prometheus=app("prometheus", f"{release}-prometheus"),
            alertmanager=app("alertmanager", f"{release}-alertmanager"),
            grafana=app("grafana"),
            operator=app("kube-prometheus-stack-prometheus-operator"),
            state_metrics=app("kube-state-metrics"),
        )


def owner(blueprint: Blueprint) -> App:
    """Whose monitors, rules and dashboards are; they lie in its namespace."""
    if embedded(blueprint):
        return Parts.of(blueprint.name).own
    return App(blueprint.name, system_namespace(blueprint.name), "monitoring", "monitoring")


def embedded(blueprint: Blueprint) -> bool:
    """Whether the platform runs Prometheus itself."""
    return blueprint.monitoring is not None and blueprint.monitoring.controller == "embedded"


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """Who speaks to whom for monitoring's sake."""
    monitoring = blueprint.monitoring
    if monitoring is None:
        return ()
    parts = Parts.of(blueprint.name)
    prometheus: Peer = parts.prometheus
    if monitoring.existing:
        prometheus = Pods(monitoring.existing.namespace, "prometheus")
    measured = tuple(Edge(prometheus, target.app, target.port) for target in targets(blueprint))
    return (*measured, *_own(blueprint, parts)) if embedded(blueprint) else measured


def _own(blueprint: Blueprint, parts: Parts) -> tuple[Edge, ...]:
    monitoring = blueprint.monitoring
    alerts = monitoring.alerts if monitoring else None
    # They ask the API server what there is; Grafana's sidecar, for dashboards.
    clients = (parts.operator, parts.prometheus, parts.state_metrics, parts.grafana)
    return (
        *(Edge(client, Outside(), port) for client in clients for port in _API_PORTS),
        Edge(parts.prometheus, Outside(), _KUBELET),
        Edge(parts.prometheus, parts.state_metrics, _STATE_METRICS),
        Edge(parts.grafana, parts.prometheus, PROMETHEUS),
        *(
            (
                Edge(parts.prometheus, parts.alertmanager, ALERTMANAGER),
                Edge(parts.grafana, parts.alertmanager, ALERTMANAGER),
                Edge(parts.alertmanager, Outside(), alerts.port),
            )
            if alerts
            else ()
        ),
    )
