"""Runs of pipelines at a real MLflow, through a real door: what the plugin of 2.17.0 asks, what tasks do."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest
from mlflow_server import request
from real_door import PASSWORD

from components.manifests.metadata import App
from components.pipelines import door
from components.pipelines.parts import TRACKING, Parts
from components.tracking import allowed_hosts

LOGIN = {"Authorization": "Basic " + base64.b64encode(f"vision:{PASSWORD}".encode()).decode()}
API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def endpoint(tracking) -> str:
    """What the plugin is given for the namespace of the team."""
    return f"http://127.0.0.1:{tracking.port[TRACKING]}/teams/vision"


def ask(endpoint: str, method: str, path: str, data: Any = None) -> Any:
    answer = request(endpoint, method, API + path, LOGIN, data)
    assert answer.status == 200, answer.body
    return answer.body


@pytest.fixture(scope="module")
def made(endpoint) -> dict[str, str]:
    """The plugin's calls for a run with one task (common/plugins/mlflow/client.go)."""
    missing = request(endpoint, "GET", f"{API}/experiments/get-by-name?experiment_name=pipelines", LOGIN)
    assert (missing.status, missing.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    described = {"name": "pipelines", "description": "Runs of Kubeflow Pipelines"}
    experiment = ask(endpoint, "POST", "/experiments/create", described)["experiment_id"]

    def run(name: str, tags: list[dict[str, str]]) -> str:
        data = {"experiment_id": experiment, "run_name": name, "start_time": 1, "tags": tags}
        return ask(endpoint, "POST", "/runs/create", data)["run"]["info"]["run_id"]

    parent = run("nightly", [{"key": "kfp.pipeline_run_id", "value": "r1"}])
    nested = run("train", [{"key": "mlflow.parentRunId", "value": parent}])
    return {"experiment": experiment, "parent": parent, "nested": nested}


def test_every_run_of_pipelines_is_a_run_of_the_teams_workspace(mlflow, endpoint, made):
    metrics = [{"key": "loss", "value": 0.5, "timestamp": 1, "step": 0}]
    batch = {"run_id": made["nested"], "metrics": metrics, "params": [{"key": "x", "value": "1"}], "tags": []}
    ask(endpoint, "POST", "/runs/log-batch", batch)
    for run in (made["nested"], made["parent"]):
        ask(endpoint, "POST", "/runs/update", {"run_id": run, "status": "FINISHED", "end_time": 2})

    # Asked of the server itself, with the workspace that members name.
    search = {"experiment_ids": [made["experiment"]], "max_results": 10}
    named = {**LOGIN, "X-MLFLOW-WORKSPACE": "vision"}
    found = request(mlflow.uri, "POST", f"{API}/runs/search", named, search).body["runs"]
    assert {run["info"]["run_id"]: run["info"]["status"] for run in found} == {
        made["parent"]: "FINISHED",
        made["nested"]: "FINISHED",
    }


def test_it_is_in_no_other_workspace(mlflow, endpoint, made):
    named = {**LOGIN, "X-MLFLOW-WORKSPACE": "pricing"}
    path = f"{API}/experiments/get-by-name?experiment_name=pipelines"
    assert request(mlflow.uri, "GET", path, named).status in (403, 404)
    elsewhere = endpoint.replace("/teams/vision", "/teams/pricing")
    assert request(elsewhere, "GET", path, LOGIN).status in (403, 404)
    assert request(elsewhere, "POST", f"{API}/experiments/create", LOGIN, {"name": "mine"}).status == 403


TASK = """
import json, mlflow
with mlflow.start_run() as run:
    mlflow.log_metric("accuracy", 0.9)
    mlflow.log_text("kept " * 1000, "folder/a b.txt")
read = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/folder/a b.txt")
print(json.dumps([run.info.run_id, run.info.artifact_uri, len(read)]))
"""


def test_a_task_logs_into_its_own_run_with_the_environment_that_the_plugin_gives_it(mlflow, endpoint, made):
    environment = {
        **mlflow.environment,
        "MLFLOW_RUN_ID": made["nested"],
        "MLFLOW_TRACKING_URI": endpoint,
        "MLFLOW_EXPERIMENT_ID": made["experiment"],
        "MLFLOW_TRACKING_USERNAME": "vision",
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }
    del environment["MLFLOW_BACKEND_STORE_URI"], environment["MLFLOW_ARTIFACTS_DESTINATION"]
    done = subprocess.run(
        [mlflow.python, "-c", TASK], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    run, uri, length = json.loads(done.stdout.splitlines()[-1])

    assert run == made["nested"]
    assert "workspaces/vision" in uri
    assert length == 5000


def test_the_server_answers_to_the_name_that_the_door_calls_it_by():
    mlflow_app = App("acme", "acme", "mlflow", "tracking")
    text = json.dumps(door.config(Parts.of("acme"), mlflow_app, ["vision"]))
    (name,) = [host for host in allowed_hosts(mlflow_app, None) if host in text]
    assert name == "mlflow.acme.svc.cluster.local:5000"
