"""The dashboards, as small data: a row of titles, queries and units becomes Grafana's JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts
from components.manifests.metadata import Manifest
from components.monitoring.objective import OBJECTIVE
from components.monitoring.rule import volumes_in_use
from components.monitoring.targets import targets

SOURCE: dict[str, str] = {"type": "prometheus", "uid": "${source}"}
"""The data source is chosen in the dashboard: a Grafana that is there already calls it what it likes."""
_WIDTH, _HEIGHT = 12, 8
"""Two panels in a row: Grafana's grid has 24 columns."""


@dataclass(frozen=True)
class Panel:
    """One diagram."""

    title: str
    queries: tuple[tuple[str, str], ...]
    """Expressions, each with the legend of its lines."""
    unit: str = "short"
    """Grafana's name of the unit."""
    kind: str = "timeseries"
    """`timeseries`, or `stat` for the last value alone."""


@dataclass(frozen=True)
class Dashboard:
    """Panels on one subject."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": panel.title,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": {
            "h": _HEIGHT,
            "w": _WIDTH,
            "x": number % 2 * _WIDTH,
            "y": number // 2 * _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}}
        if panel.kind == "timeseries"
        else {},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }


def document(platform: str, dashboard: Dashboard) -> Manifest:
    """A dashboard as Grafana reads it."""
    return {
        "uid": f"{platform}-{dashboard.name}"[:40],  # Grafana takes no longer one
        "title": f"{platform}: {dashboard.title}",
        "tags": ["ziggurat", platform],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                    "hide": 0,
                }
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


def _resources(namespace: str) -> tuple[Panel, ...]:
    chosen = f'namespace="{namespace}", container!=""'
    return (
        Panel(
            "CPU",
            ((f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{chosen}}}[5m]))", "{{pod}}"),),
        ),
        Panel(
            "Memory",
            ((f"sum by (pod) (container_memory_working_set_bytes{{{chosen}}})", "{{pod}}"),),
            "bytes",
        ),
    )


def _volume(namespace: str, claims: str) -> Panel:
    chosen = f'{{namespace="{namespace}", persistentvolumeclaim=~"{claims}"}}'
    return Panel(
        "Volumes: share in use", ((volumes_in_use(chosen), "{{persistentvolumeclaim}}"),), "percentunit"
    )


def _tracking(blueprint: Blueprint) -> Dashboard:
    own = f'platform="{blueprint.name}"'
    spans = "mlflow_http_request_duration_seconds_bucket"
    quantiles = tuple(
        (f"histogram_quantile({share}, sum by (le) (rate({spans}{{{own}}}[5m])))", f"{share:.0%}")
        for share in (0.5, 0.95, 0.99)
    )
    budget = (
        f"1 - avg_over_time(ziggurat:tracking_missed:ratio_5m{{{own}}}[30d]) / {round(1 - OBJECTIVE, 6):g}"
    )
    return Dashboard(
        "tracking",
        "Tracking",
        (
            Panel("Error budget of 30 days that is left", ((budget, "left"),), "percentunit", "stat"),
            Panel("Servers that work", ((f"sum(ziggurat_tracking_up{{{own}}})", "servers"),), kind="stat"),
            Panel(
                "Missed: down, or answered 5xx",
                tuple(
                    (f"ziggurat:tracking_missed:ratio_{window}{{{own}}}", window)
                    for window in ("5m", "1h", "6h")
                ),
                "percentunit",
            ),
            Panel(
                "Requests by status",
                ((f"sum by (status) (rate(mlflow_http_request_total{{{own}}}[5m]))", "{{status}}"),),
                "reqps",
            ),
            Panel("Time to answer", quantiles, "s"),
            Panel(
                "Traces: spans taken in",
                ((f"sum(rate(mlflow_spans_ingested_total{{{own}}}[5m]))", "spans per second"),),
            ),
            *_resources(blueprint.name),
        ),
    )


def _database(blueprint: Blueprint) -> Dashboard:
    """What every platform has of its database; that of servers which measure themselves is another."""
    sets = f'namespace="{blueprint.name}", statefulset="postgresql"'
    return Dashboard(
        "database",
        "Database",
        (
            Panel(
                "Servers that are ready",
                ((f"kube_statefulset_status_replicas_ready{{{sets}}}", "ready"),),
                kind="stat",
            ),
            _volume(blueprint.name, "postgresql.*"),
            Panel(
                "Time that MLflow takes to look into it",
                ((f'ziggurat_tracking_probe_seconds{{platform="{blueprint.name}"}}', "{{pod}}"),),
                "s",
            ),
            Panel(
                "Memory",
                (
                    (
                        "sum by (pod) (container_memory_working_set_bytes"
                        f'{{namespace="{blueprint.name}", pod=~"postgresql.*", container!=""}})',
                        "{{pod}}",
                    ),
                ),
                "bytes",
            ),
        ),
    )


def _database_cluster(blueprint: Blueprint) -> Dashboard:
    own = f'platform="{blueprint.name}", job="postgresql"'
    return Dashboard(
        "database-cluster",
        "Database servers",
        (
            Panel("Primary", ((f"cnpg_pg_replication_in_recovery{{{own}}} == bool 0", "{{pod}}"),)),
            Panel("Behind the primary", ((f"cnpg_pg_replication_lag{{{own}}}", "{{pod}}"),), "s"),
            Panel(
                "Connections", ((f"sum by (pod, state) (cnpg_backends_total{{{own}}})", "{{pod}} {{state}}"),)
            ),
            Panel(
                "Size",
                ((f'max(cnpg_pg_database_size_bytes{{{own}, datname="mlflow"}})', "mlflow"),),
                "bytes",
            ),
        ),
    )


def _pipelines(blueprint: Blueprint) -> Dashboard:
    """Argo's controller runs the steps: its gauges and counters tell of all teams together."""
    own = f'platform="{blueprint.name}", job="workflows"'
    return Dashboard(
        "pipelines",
        "Pipelines",
        (
            Panel("Runs by phase", ((f"sum by (phase) (argo_workflows_gauge{{{own}}})", "{{phase}}"),)),
            Panel("Steps by phase", ((f"sum by (phase) (argo_workflows_pods_gauge{{{own}}})", "{{phase}}"),)),
            Panel(
                "Errors of the controller",
                ((f"sum by (cause) (rate(argo_workflows_error_count{{{own}}}[5m]))", "{{cause}}"),),
            ),
            Panel(
                "Servers that are ready",
                (
                    (
                        f'kube_deployment_status_replicas_available{{namespace="{blueprint.name}", '
                        'deployment=~"ml-pipeline.*|workflow-controller|metadata.*"}',
                        "{{deployment}}",
                    ),
                ),
            ),
        ),
    )


def _bucket(blueprint: Blueprint) -> Dashboard | None:
    if not isinstance(blueprint.artifacts, EmbeddedArtifacts):
        return None
    own = f'platform="{blueprint.name}"'
    spans = "SeaweedFS_s3_request_seconds_bucket"
    return Dashboard(
        "bucket",
        "Bucket",
        (
            _volume(blueprint.name, "seaweedfs.*"),
            Panel(
                "Requests by status",
                ((f"sum by (code) (rate(SeaweedFS_s3_request_total{{{own}}}[5m]))", "{{code}}"),),
                "reqps",
            ),
            Panel(
                "Requests by bucket",
                ((f"sum by (bucket) (rate(SeaweedFS_s3_request_total{{{own}}}[5m]))", "{{bucket}}"),),
                "reqps",
            ),
            Panel(
                "Time to answer, 95 %",
                ((f"histogram_quantile(0.95, sum by (le, type) (rate({spans}{{{own}}}[5m])))", "{{type}}"),),
                "s",
            ),
        ),
    )


def _queues(blueprint: Blueprint) -> Dashboard | None:
    own = f'platform="{blueprint.name}"'
    return Dashboard(
        "queues",
        "Queues",
        (
            Panel(
                "Work that waits",
                ((f"sum by (cluster_queue) (kueue_pending_workloads{{{own}}})", "{{cluster_queue}}"),),
            ),
            Panel(
                "Work that runs",
                (
                    (
                        f"sum by (cluster_queue) (kueue_admitted_active_workloads{{{own}}})",
                        "{{cluster_queue}}",
                    ),
                ),
            ),
            Panel(
                "Time until it may run, 95 %",
                (
                    (
                        "histogram_quantile(0.95, sum by (le, cluster_queue) "
                        f"(rate(kueue_admission_wait_time_seconds_bucket{{{own}}}[1h])))",
                        "{{cluster_queue}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Work that was ended and put back",
                (
                    (
                        "sum by (cluster_queue, reason) "
                        f"(increase(kueue_evicted_workloads_total{{{own}}}[1h]))",
                        "{{cluster_queue}} {{reason}}",
                    ),
                ),
            ),
        ),
    )


def _gpus(blueprint: Blueprint) -> Dashboard:
    own = f'platform="{blueprint.name}"'
    line = "{{Hostname}} {{gpu}}"
    return Dashboard(
        "gpus",
        "GPUs",
        (
            Panel("Use", ((f"DCGM_FI_DEV_GPU_UTIL{{{own}}} / 100", line),), "percentunit"),
            Panel(
                "Memory in use",
                (
                    (
                        f"DCGM_FI_DEV_FB_USED{{{own}}} / "
                        f"(DCGM_FI_DEV_FB_USED{{{own}}} + DCGM_FI_DEV_FB_FREE{{{own}}})",
                        line,
                    ),
                ),
                "percentunit",
            ),
            Panel("Power", ((f"DCGM_FI_DEV_POWER_USAGE{{{own}}}", line),), "watt"),
            Panel("Temperature", ((f"DCGM_FI_DEV_GPU_TEMP{{{own}}}", line),), "celsius"),
        ),
    )


def _teams(blueprint: Blueprint) -> Dashboard:
    spaces = f'namespace=~"{blueprint.name}-.+"'
    hard, used = (f'kube_resourcequota{{{spaces}, type="{kind}"}}' for kind in ("hard", "used"))
    return Dashboard(
        "teams",
        "Teams",
        (
            Panel(
                "Quota in use",
                ((f"{used} / ignoring (type) ({hard} > 0)", "{{namespace}} {{resource}}"),),
                "percentunit",
            ),
            Panel(
                "GPUs asked for",
                (
                    (
                        "sum by (namespace) (kube_pod_container_resource_requests"
                        f'{{{spaces}, resource="nvidia_com_gpu"}})',
                        "{{namespace}}",
                    ),
                ),
            ),
            Panel(
                "CPU in use",
                (
                    (
                        f"sum by (namespace) (rate(container_cpu_usage_seconds_total{{{spaces}}}[5m]))",
                        "{{namespace}}",
                    ),
                ),
            ),
            Panel(
                "Memory in use",
                ((f"sum by (namespace) (container_memory_working_set_bytes{{{spaces}}})", "{{namespace}}"),),
                "bytes",
            ),
        ),
    )


_ALWAYS: tuple[Callable[[Blueprint], Dashboard | None], ...] = (_tracking, _database, _bucket, _teams)
_OF_TARGETS: dict[str, Callable[[Blueprint], Dashboard | None]] = {
    "postgresql": _database_cluster,
    "workflows": _pipelines,
    "kueue": _queues,
    "dcgm": _gpus,
}
"""Dashboards of what is measured on some platforms alone, by the target."""


def dashboards(blueprint: Blueprint) -> tuple[Dashboard, ...]:
    """Those of what the platform has."""
    measured = [_OF_TARGETS[each.name] for each in targets(blueprint) if each.name in _OF_TARGETS]
    made = (make(blueprint) for make in (*_ALWAYS, *measured))
    return tuple(dashboard for dashboard in made if dashboard)
