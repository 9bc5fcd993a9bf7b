"""Monitoring on a real API server: the chart recorded, monitors and rules accepted, Prometheus's volume kept.

With ZIGGURAT_TEST_CRDS the definitions are Prometheus's own, and the API server validates every field.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "measured"
SPACE = f"{NAME}-monitoring"
API = "monitoring.coreos.com/v1"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
WITHOUT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: starter
teams:
  vision: {{}}
"""
BLUEPRINT = f"{WITHOUT}monitoring: {{}}\n"


@pytest.fixture(scope="module")
def blueprint(machine) -> Path:
    path = machine.folder / f"{NAME}.yaml"
    path.write_text(WITHOUT)
    return path


@pytest.fixture(scope="module")
def up(machine, blueprint) -> dict[str, Any]:
    """A platform that ran without monitoring, and was asked for it; what that `up` printed."""
    machine.run("up", blueprint, "--yes")
    blueprint.write_text(BLUEPRINT)
    return machine.run("up", blueprint, "--yes", "--json").json


def test_asking_for_monitoring_restarts_the_servers_that_show_metrics_and_moves_no_data(machine, up):
    assert up["summary"].get("delete", 0) == 0
    assert up["chartsNotInstalled"] == ["kube-prometheus-stack 88.5.3"]
    pod = machine.cluster.find("apps/v1", "Deployment", NAME, "mlflow")["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["containers"]] == ["mlflow", "metrics"]
    store = machine.cluster.find("apps/v1", "StatefulSet", NAME, "seaweedfs")["spec"]["template"]["spec"]
    assert "-metricsPort=9327" in store["containers"][0]["args"]


def test_monitors_and_rules_are_there(machine, up):
    cluster = machine.cluster
    monitor = cluster.find(API, "PodMonitor", SPACE, "mlflow")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAME]}
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    groups = cluster.find(API, "PrometheusRule", SPACE, NAME)["spec"]["groups"]
    assert f"{NAME}-tracking-objective" in [group["name"] for group in groups]
    assert cluster.find("v1", "ConfigMap", SPACE, "dashboard-tracking") is not None


def test_definitions_are_real_where_they_can_be_had(machine, up):
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/podmonitors.monitoring.coreos.com"
    schema = machine.cluster.request("GET", path)["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    assert ("spec" in schema.get("properties", {})) == REAL


def test_its_namespace_is_restricted_and_fenced(machine, up):
    labels = machine.cluster.find("v1", "Namespace", "", SPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    policies = machine.cluster.objects("networking.k8s.io/v1", "NetworkPolicy", SPACE)
    assert {"default-deny", "prometheus", "grafana"} <= {each["metadata"]["name"] for each in policies}


def test_a_second_run_changes_nothing(machine, blueprint, up):
    assert "no change" in machine.run("up", blueprint, "--yes").out


def test_taking_it_out_keeps_what_holds_data(machine, blueprint, up):
    kept = machine.run("destroy", blueprint, "--yes").out
    assert f"Namespace {SPACE}" in kept
    claims = machine.cluster.objects("v1", "PersistentVolumeClaim", SPACE)
    assert len(claims) == 1

    machine.run("destroy", blueprint, "--with-data", "--confirm", NAME)
    assert machine.cluster.find("v1", "Namespace", "", SPACE) is None
