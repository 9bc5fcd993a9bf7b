"""What Prometheus is shown of a real MLflow server, by the script that the platform runs beside it."""

from __future__ import annotations

import base64
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_server import (
    ADMIN,
    ADMIN_PASSWORD,
    SCRIPTS,
    Mlflow,
    free_port,
    make_team_accounts,
    request,
    start,
)

from components import tracking
from components.tracking import BASIC_AUTH

PASSWORD = "the-password-of-vision-1"


@pytest.fixture(scope="module")
def server(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    missing = subprocess.run(
        [mlflow_python, "-c", "import prometheus_flask_exporter"], check=False
    ).returncode
    if missing:
        pytest.skip(f"{mlflow_python} has no prometheus-flask-exporter, which MLflow's -full image has")
    folder = tmp_path_factory.mktemp("measured")
    flag = f"--expose-prometheus={folder / 'counters'}"
    yield from start(mlflow_python, folder, BASIC_AUTH, {}, None, flag)


@pytest.fixture(scope="module")
def metrics(server: Mlflow) -> Iterator[str]:
    """Where the script shows them."""
    port = free_port()
    url = f"{server.uri}{tracking._PROBED}"
    process = subprocess.Popen(
        [
            server.python,
            str(SCRIPTS / "ziggurat_metrics.py"),
            str(server.folder / "counters"),
            str(port),
            url,
        ],
    )
    try:
        for _ in range(60):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=20).close()
                break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.kill()
        process.wait()


def read(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def test_mlflow_itself_shows_metrics_to_administrators_alone(server: Mlflow):
    make_team_accounts(server, PASSWORD)
    status = [
        request(server.uri, "GET", "/metrics", headers).status
        for headers in ({}, basic("vision", PASSWORD), basic(ADMIN, ADMIN_PASSWORD))
    ]
    assert status == [401, 403, 200]


def test_requests_of_all_workers_are_added_up_and_probes_of_kubernetes_left_out(server: Mlflow, metrics: str):
    refused, answered = (
        f'mlflow_http_request_total{{method="GET",status="{status}"}}' for status in (403, 200)
    )
    before = read(metrics)
    for _ in range(6):
        request(server.uri, "GET", "/metrics", basic("vision", PASSWORD))
        request(server.uri, "GET", "/health", {})
    after = read(metrics)
    assert after[refused] - before.get(refused, 0) == 6
    assert after.get(answered) == before.get(answered)


def test_a_database_that_does_not_answer_shows_though_mlflow_does_not_count_it(server: Mlflow, metrics: str):
    assert read(metrics)["ziggurat_tracking_up"] == 1
    with closing(sqlite3.connect(Path(server.folder) / "mlflow.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        during = read(metrics)
        refused = request(server.uri, "GET", "/api/2.0/mlflow/users/current", {})
        database.execute("ROLLBACK")
    assert during["ziggurat_tracking_up"] == 0
    assert refused.status == 503
    after = read(metrics)
    assert not [name for name in after if 'status="503"' in name]
    assert after["ziggurat_tracking_up"] == 1
