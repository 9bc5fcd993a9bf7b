"""The door before servers that note what reaches them, and before a real MLflow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_door import PASSWORD, Door, Seen, grpc_server, http_server, opened

sys.path.append(str(Path(__file__).parents[1] / "accounts"))  # the real MLflow server of its tests

from mlflow_server import Mlflow, make_team_accounts, start

from components.tracking import BASIC_AUTH


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The door before servers that note everything."""
    seen: list[Seen] = []
    server, (calls, grpc_port) = http_server(seen), grpc_server(seen)
    upstream = {"api": server.server_port, "tracking": server.server_port}
    upstream |= {"api-grpc": grpc_port, "metadata": grpc_port}
    with opened(tmp_path_factory.mktemp("door"), upstream, seen) as found:
        yield found
    server.shutdown()
    calls.stop(None)


@pytest.fixture
def entrance(running: Door) -> Door:
    """The door, with nothing seen yet."""
    running.seen.clear()
    return running


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """A real MLflow server, with the workspaces of two teams and an account in one of them."""
    python = os.environ.get("ZIGGURAT_TEST_MLFLOW_PYTHON", sys.executable)
    there = subprocess.run([python, "-c", "import mlflow, flask_wtf"], capture_output=True, check=False)
    if there.returncode:
        pytest.skip(f"{python} has no mlflow[auth]: name one that has in ZIGGURAT_TEST_MLFLOW_PYTHON")
    for server in start(python, tmp_path_factory.mktemp("mlflow"), BASIC_AUTH, {}):
        make_team_accounts(server, PASSWORD)
        yield server


@pytest.fixture(scope="session")
def tracking(mlflow: Mlflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The door before that server."""
    port = int(mlflow.uri.rpartition(":")[2])
    upstream = dict.fromkeys(("api", "api-grpc", "metadata", "tracking"), port)
    with opened(tmp_path_factory.mktemp("tracking-door"), upstream, [], f"localhost:{port}") as found:
        yield found
