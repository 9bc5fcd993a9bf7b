"""What tells Prometheus where metrics are and what to make of them; dashboards of Grafana."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.manifests import configuration
from components.manifests.metadata import App, Manifest

API_VERSION = "monitoring.coreos.com/v1"
DASHBOARD = "grafana_dashboard"
"""The label by which Grafana's sidecar finds dashboards."""


def _object(app: App, kind: str, name: str, labels: Mapping[str, str], spec: Manifest) -> Manifest:
    metadata = app.metadata(name)
    metadata["labels"] = {**labels, **metadata["labels"]}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _at(namespace: str) -> Manifest:
    return {"matchNames": [namespace]}


def pod_monitor(
    app: App, name: str, target: App, endpoint: Mapping[str, Any], labels: Mapping[str, str]
) -> Manifest:
    """Measures each pod of `target`; `app` is whose the monitor is, `labels` what Prometheus looks for."""
    spec = {
        "selector": {"matchLabels": target.selector},
        "namespaceSelector": _at(target.namespace),
        "podMetricsEndpoints": [dict(endpoint)],
    }
    return _object(app, "PodMonitor", name, labels, spec)


def service_monitor(
    app: App,
    name: str,
    namespace: str,
    selector: Mapping[str, str],
    endpoint: Mapping[str, Any],
    labels: Mapping[str, str],
) -> Manifest:
    """Measures what is behind a Service: for what a PodMonitor cannot say, such as Prometheus's own token."""
    spec = {
        "selector": {"matchLabels": dict(selector)},
        "namespaceSelector": _at(namespace),
        "endpoints": [dict(endpoint)],
    }
    return _object(app, "ServiceMonitor", name, labels, spec)


def rule(app: App, name: str, groups: Sequence[Manifest], labels: Mapping[str, str]) -> Manifest:
    """Recordings and alerts, in groups."""
    return _object(app, "PrometheusRule", name, labels, {"groups": list(groups)})


def dashboard(app: App, name: str, document: Manifest) -> Manifest:
    """A dashboard, as Grafana's sidecar loads it."""
    text = json.dumps(document, indent=1, sort_keys=True)
    manifest = configuration.config_map(app, {f"{name}.json": text}, f"dashboard-{name}")
    manifest["metadata"]["labels"] = {**manifest["metadata"]["labels"], DASHBOARD: "1"}
    return manifest
