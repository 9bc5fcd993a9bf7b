"""Fixtures: the Python that has MLflow, and a server of this module's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from mlflow_server import Mlflow, start

from components.database import connection_uri
from components.tracking import BASIC_AUTH


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    python = os.environ.get("ZIGGURAT_TEST_MLFLOW_PYTHON", sys.executable)
    found = subprocess.run(
        [python, "-c", "import mlflow, flask_wtf; print(mlflow.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"{python} has no mlflow[auth]: name one that has in ZIGGURAT_TEST_MLFLOW_PYTHON")
    return python


@pytest.fixture(scope="module")
def mlflow(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    named = os.environ.get("ZIGGURAT_TEST_POSTGRESQL")
    database = None
    if named:
        address, _, name = named.partition("/")
        host, _, port = address.partition(":")
        database = connection_uri(host, int(port or 5432), name)
    yield from start(mlflow_python, tmp_path_factory.mktemp("mlflow"), BASIC_AUTH, {}, database)
