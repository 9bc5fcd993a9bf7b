"""Fixtures: a platform as the API server shows it, in front of whatever serves on a port."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from kube_api import PASSWORDS, USERS


def secret(**values: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


@pytest.fixture
def objects() -> dict[str, Any]:
    """What the API server has of a platform that is well."""
    core = "/api/v1/namespaces"
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "postgresql-data"}}
    pod = {
        "metadata": {"name": "mlflow-0", "labels": {"app": "mlflow"}},
        "spec": {
            "nodeName": "one",
            "containers": [{"ports": [{"name": "http", "containerPort": 5000}]}],
            "volumes": [volume],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    counted = {"pvcRef": {"name": "postgresql-data", "namespace": "acme"}}
    summary = {"pods": [{"volume": [{**counted, "capacityBytes": 100, "availableBytes": 60}]}]}
    quota = {"status": {"hard": {"pods": "20", "services.nodeports": "0"}, "used": {"pods": "5"}}}
    found: dict[str, Any] = {
        f"{core}/acme/services/mlflow": {
            "spec": {"selector": {"app": "mlflow"}, "ports": [{"port": 5000, "targetPort": "http"}]}
        },
        f"{core}/acme/pods": [pod],
        "/api/v1/nodes/one/proxy/stats/summary": summary,
        f"{core}/acme/secrets/mlflow-admin": secret(username="admin", password=PASSWORDS["admin"]),
    }
    for team, user in USERS.items():
        found[f"{core}/acme-{team}/resourcequotas"] = [quota]
        found[f"{core}/acme-{team}/secrets/mlflow-{user}"] = secret(
            MLFLOW_TRACKING_USERNAME=user, MLFLOW_TRACKING_PASSWORD=PASSWORDS[user]
        )
    return found
