"""What is measured: a table that every capability adds its own to.

A function takes the blueprint and gives the targets of what that platform has; name it in TARGETS. Monitors
and network policies are made of the table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, HighlyAvailableDatabase
from blueprints.names import gpu_namespace
from components import artifacts, certificates, queues, tracking
from components.apps import Apps
from components.database import cluster
from components.manifests.metadata import App
from components.pipelines import parts as pipelines


@dataclass(frozen=True)
class Target:
    """Pods that show metrics."""

    name: str
    """What its monitor is called, and the value of the label `job` of its metrics."""
    app: App
    """Whose pods they are."""
    port: int
    port_name: str = "metrics"
    """What the pods, or the Service, call the port."""
    path: str = "/metrics"
    service: Mapping[str, str] | None = None
    """The labels of a Service that shows them by HTTPS, with a certificate of its own making, to holders of a
    Kubernetes token who may read `/metrics`, as Prometheus may; None for plain HTTP of each pod."""


def _mlflow(blueprint: Blueprint) -> Iterable[Target]:
    yield Target("mlflow", Apps.of(blueprint.name).mlflow, tracking.METRICS)


def _seaweedfs(blueprint: Blueprint) -> Iterable[Target]:
    if isinstance(blueprint.artifacts, EmbeddedArtifacts):
        yield Target("seaweedfs", Apps.of(blueprint.name).seaweedfs, artifacts.METRICS)


def _kueue(blueprint: Blueprint) -> Iterable[Target]:
    if queues.runs_kueue(blueprint.queues):
        app = Apps.of(blueprint.name).kueue
        yield Target("kueue", app, queues.METRICS, "https", service=queues.METRICS_SERVICE)


def _database(blueprint: Blueprint) -> Iterable[Target]:
    """A cluster of CloudNativePG measures itself; a server by itself is known by its pod and its volume."""
    if isinstance(blueprint.database, HighlyAvailableDatabase):
        apps = Apps.of(blueprint.name)
        yield Target("postgresql", apps.servers, cluster.METRICS)
        if blueprint.database.pooler:
            yield Target("pooler", apps.pooler, cluster.POOLER_METRICS)


def _pipelines(blueprint: Blueprint) -> Iterable[Target]:
    if blueprint.pipelines:
        parts = pipelines.Parts.of(blueprint.name)
        yield Target("pipelines", parts.door, pipelines.METRICS)
        yield Target("workflows", parts.workflows, pipelines.WORKFLOW_METRICS)
        yield Target("schedules", parts.schedules, pipelines.SCHEDULE_METRICS)


def _certificates(blueprint: Blueprint) -> Iterable[Target]:
    if certificates.runs_cert_manager(blueprint.certificates):
        app = certificates.controller(blueprint.name)
        yield Target("cert-manager", app, certificates.METRICS, "http-metrics")


def _gpus(blueprint: Blueprint) -> Iterable[Target]:
    """The GPU operator brings NVIDIA's exporter; a mere device plugin does not."""
    if any(pool.device_plugin == "operator" for pool in blueprint.gpu_pools.values()):
        labels = (("app", "nvidia-dcgm-exporter"),)
        space = gpu_namespace(blueprint.name)
        yield Target("dcgm", App(blueprint.name, space, "dcgm-exporter", "gpu-pools", pods=labels), 9400)


TARGETS: tuple[Callable[[Blueprint], Iterable[Target]], ...] = (
    _mlflow,
    _seaweedfs,
    _database,
    _pipelines,
    _certificates,
    _kueue,
    _gpus,
)
"""Every part that may be measured."""


def targets(blueprint: Blueprint) -> tuple[Target, ...]:
    """What is measured of this platform, where it asks for monitoring."""
    return tuple(target for part in TARGETS for target in part(blueprint)) if blueprint.monitoring else ()
