"""Kubeflow Pipelines' own programs on the node: a pipeline of two steps runs to its end, and MLflow knows it.

ZIGGURAT_TEST_KFP names a folder of the programs (docs/testing.md says how they are made). MySQL is 9, and the
metadata store's server is one of our own before the real store's library: see tests/node/images/make.sh.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from urllib.parse import urlencode

import pytest
import uploads
from onenode.gates import asked_for
from onenode.platform import ask, until

from components.manifests.envoy import READY
from components.pipelines.parts import AUDIENCE, HTTP

pytestmark = [
    asked_for("NODE_PIPELINES", "makes the images of pipelines first, and takes ten minutes"),
    pytest.mark.skipif(
        not os.environ.get("ZIGGURAT_TEST_KFP"),
        reason="ZIGGURAT_TEST_KFP names a folder of Kubeflow Pipelines' programs",
    ),
]
TABLE = "Pipelines: one of two steps"
LOCAL = 18888
PARTS = {
    *("ml-pipeline", "ml-pipeline-server", "ml-pipeline-persistenceagent", "ml-pipeline-scheduledworkflow"),
    *("workflow-controller", "metadata-grpc-service", "mysql"),
}
PIPELINE = """\
pipelineInfo: {name: two-steps}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
deploymentSpec:
  executors:
    exec-draw:
      container:
        image: docker.io/library/python:3.11-slim
        command: [sh, -c, 'mkdir -p "$(dirname "$0")" && printf 42 >"$0"']
        args: ["{{$.outputs.parameters['number'].output_file}}"]
    exec-tell:
      container:
        image: docker.io/library/python:3.11-slim
        command: [sh, -c, 'echo "the number is $0, in run $MLFLOW_RUN_ID of $MLFLOW_TRACKING_USERNAME"']
        args: ["{{$.inputs.parameters['number']}}"]
components:
  comp-draw: {executorLabel: exec-draw, outputDefinitions: {parameters: {number: {parameterType: STRING}}}}
  comp-tell: {executorLabel: exec-tell, inputDefinitions: {parameters: {number: {parameterType: STRING}}}}
root:
  dag:
    tasks:
      draw:
        cachingOptions: {enableCache: true}
        componentRef: {name: comp-draw}
        taskInfo: {name: draw}
      tell:
        componentRef: {name: comp-tell}
        dependentTasks: [draw]
        inputs:
          parameters:
            number: {taskOutputParameter: {outputParameterKey: number, producerTask: draw}}
        taskInfo: {name: tell}
"""


@pytest.fixture(scope="module")
def engine(platform, table):
    """The platform with pipelines; afterwards it is again without, and without their data, as is said."""
    starter = platform.blueprint.read_text()
    platform.blueprint.write_text(
        starter.replace("phase: starter", "phase: orchestration") + "pipelines: {}\n"
    )
    start = time.monotonic()
    try:
        platform.up()
        table.add(what="`up` with pipelines: every part is ready", seconds=time.monotonic() - start)
        with platform.reached("ml-pipeline", HTTP, LOCAL, READY):
            yield platform
    finally:
        platform.blueprint.write_text(starter)
        platform.ziggurat(*platform.up_words, "--drop-data", "pipelines", "--confirm", platform.name)


def asking(engine, port):
    """What asks the API as the team's programs do, from outside by a port-forward."""
    vision = f"{engine.name}-vision"
    token = engine.kubectl("create", "token", "pipeline-runner", "-n", vision, f"--audience={AUDIENCE}")
    headers = {"Authorization": f"Bearer {token.strip()}"}

    def call(method, path, data=None, **more):
        uri = f"http://127.0.0.1:{port}/apis/v2beta1/{path}"
        answer = ask(uri, method=method, data=data, headers={**headers, **more}, timeout=120)
        assert answer.status == 200, answer
        return answer.json()

    return call


@pytest.fixture(scope="module")
def api(engine):
    return asking(engine, LOCAL)


def uploaded(engine, api, text=PIPELINE):
    """What runs are made of."""
    name = uuid.uuid4().hex[:6]
    query = urlencode({"name": f"two-steps-{name}", "namespace": f"{engine.name}-vision"})
    body, kind = uploads.form(text)
    made = api("POST", f"pipelines/upload?{query}", body, **{"Content-Type": kind})
    (version,) = api("GET", f"pipelines/{made['pipeline_id']}/versions")["pipeline_versions"]
    experiment = api(
        "POST", "experiments", {"display_name": f"e-{name}", "namespace": f"{engine.name}-vision"}
    )
    return {
        "experiment_id": experiment["experiment_id"],
        "pipeline_version_reference": {key: version[key] for key in ("pipeline_id", "pipeline_version_id")},
    }


@pytest.fixture(scope="module")
def pipeline(engine, api):
    return uploaded(engine, api)


def ended(engine, api, run_id, seconds=420):
    """Waits until a run has ended; what it is then."""

    def state():
        return api("GET", f"runs/{run_id}").get("state")

    def over():
        return state() in ("SUCCEEDED", "FAILED", "CANCELED")

    until(over, True, lambda: shown(engine), seconds)
    return api("GET", f"runs/{run_id}")


def listed(engine, api):
    """The runs of the team."""
    query = urlencode({"namespace": f"{engine.name}-vision", "page_size": "100"})
    return api("GET", f"runs?{query}").get("runs", [])


def shown(engine):
    """What there is to see of runs."""
    vision = f"{engine.name}-vision"
    said = [engine.kubectl("get", "workflows,pods", "-n", vision, "-o", "wide", check=False)]
    for pod in engine.objects("pods", vision):
        name = pod["metadata"]["name"]
        said.append(f"--- {name}: {json.dumps(pod['status'].get('containerStatuses', []))}")
        said.append(engine.kubectl("logs", "-n", vision, name, "--all-containers", "--tail=40", check=False))
    said.append(engine.kubectl("get", "events", "-n", vision, check=False))
    return "\n".join(said)


@pytest.fixture(scope="module")
def run(engine, api, pipeline, table):
    """The first run, when it has ended."""
    start = time.monotonic()
    made = api("POST", "runs", {"display_name": "first", **pipeline})
    found = ended(engine, api, made["run_id"])
    table.add(what=f"the run, to its end: {found['state']}", seconds=time.monotonic() - start)
    return found


def test_every_part_is_ready_and_has_not_been_restarted(engine):
    found = {}
    for pod in engine.objects("pods", engine.name):
        name = pod["metadata"]["labels"].get("app.kubernetes.io/name")
        if name in PARTS:
            (status,) = pod["status"]["containerStatuses"]
            found[name] = (status["ready"], status["restartCount"])
    assert found == dict.fromkeys(PARTS, (True, 0))


def test_a_pipeline_of_two_steps_runs_to_its_end(engine, run):
    assert run["state"] == "SUCCEEDED", (run, shown(engine))
    pods = [
        each
        for each in engine.objects("pods", f"{engine.name}-vision")
        if each["metadata"]["labels"].get("pipeline/runid") == run["run_id"]
    ]
    assert {each["status"]["phase"] for each in pods} == {"Succeeded"}
    (teller,) = (
        each
        for each in pods
        if "the number is" in json.dumps(each["spec"]["containers"])
        and each["metadata"]["annotations"].get("pipelines.kubeflow.org/runtime-role") == "launcher"
    )
    said = engine.kubectl(
        "logs", "-n", teller["metadata"]["namespace"], teller["metadata"]["name"], "-c", "main"
    )
    assert "the number is 42, in run " in said
    assert "in run  of" not in said


def test_mlflow_has_a_run_for_it_and_one_below_for_each_task(engine, run, uri):
    plugin = run["plugins_output"]["mlflow"]
    assert plugin["state"] == "PLUGIN_SUCCEEDED", plugin
    parent = plugin["entries"]["root_run_id"]["value"]
    team = engine.connect("vision")
    login = (team["MLFLOW_TRACKING_USERNAME"], team["MLFLOW_TRACKING_PASSWORD"])
    workspace = {"x-mlflow-workspace": "vision"}
    name = urlencode({"experiment_name": "pipelines"})
    asked = f"{uri}/api/2.0/mlflow/experiments/get-by-name?{name}"
    experiment = ask(asked, login, headers=workspace).json()["experiment"]["experiment_id"]

    def runs():
        wanted = {"experiment_ids": [experiment], "max_results": 100}
        search = f"{uri}/api/2.0/mlflow/runs/search"
        found = ask(search, login, method="POST", data=wanted, headers=workspace).json()["runs"]
        tags = {
            each["info"]["run_id"]: {tag["key"]: tag["value"] for tag in each["data"].get("tags", ())}
            for each in found
        }
        mine = [
            each
            for each in found
            if each["info"]["run_id"] == parent
            or tags[each["info"]["run_id"]].get("mlflow.parentRunId") == parent
        ]
        return {each["info"]["run_name"]: each["info"]["status"] for each in mine}

    until(lambda: set(runs().values()), {"FINISHED"}, runs)
    found = runs()
    assert len(found) == 3, found
    assert {"draw", "tell"} <= found.keys()


def test_the_same_again_takes_what_is_known(engine, api, pipeline, run, table):
    start = time.monotonic()
    made = api("POST", "runs", {"display_name": "again", **pipeline})
    found = ended(engine, api, made["run_id"])
    assert found["state"] == "SUCCEEDED", (found, shown(engine))
    table.add(what="the same again, its first step from the cache", seconds=time.monotonic() - start)
    images = [
        each["metadata"]["annotations"].get("pipelines.kubeflow.org/runtime-role")
        for each in engine.objects("pods", f"{engine.name}-vision")
        if each["metadata"]["labels"].get("pipeline/runid") == made["run_id"]
    ]
    assert images.count("launcher") == 1, images  # `tell` alone, which asks for no cache


def test_a_schedule_starts_a_run(engine, api, pipeline, table):
    asked = {
        "display_name": "often",
        "max_concurrency": "1",
        "mode": "ENABLE",
        "trigger": {"periodic_schedule": {"interval_second": "30"}},
        "plugins_input": {"mlflow": {}},
    }
    start = time.monotonic()
    made = api("POST", "recurringruns", {**asked, **pipeline})

    def started():
        mine = made["recurring_run_id"]
        return [each for each in listed(engine, api) if each.get("recurring_run_id") == mine]

    until(lambda: bool(started()), True, lambda: shown(engine), 120)
    api("POST", f"recurringruns/{made['recurring_run_id']}:disable", {})
    found = ended(engine, api, started()[0]["run_id"])
    table.add(what=f"a scheduled run, to its end: {found['state']}", seconds=time.monotonic() - start)
    assert found["state"] == "SUCCEEDED", (found, shown(engine))
    assert found["plugins_output"]["mlflow"]["state"] == "PLUGIN_SUCCEEDED"


def test_no_part_was_refused_anything(engine, run):
    """But one question: the key of the API server opens its folder of the bucket, and the bucket not."""
    for pod in engine.objects("pods", engine.name):
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") in PARTS:
            said = engine.kubectl("logs", "-n", engine.name, pod["metadata"]["name"])
            refused = [line for line in said.splitlines() if "forbidden" in line.lower()]
            refused = [line for line in refused if "HeadBucket" not in line]
            assert refused == [], pod["metadata"]["name"]


_WIPE = """
import boto3, os, sys
keys = dict(aws_access_key_id=sys.argv[1], aws_secret_access_key=sys.argv[2])
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], **keys)
pages = store.get_paginator("list_objects_v2").paginate(Bucket="artifacts", Prefix="kfp/")
found = [item["Key"] for page in pages for item in page.get("Contents", ())]
for key in found if sys.argv[3:] else ():
    store.delete_object(Bucket="artifacts", Key=key)
print(len(found))
"""


DATABASES = ("mlpipeline", "metadb")


@pytest.fixture
def mysql(engine):
    """Asks MySQL for one of its databases, as who owns it."""
    passwords = engine.secret(engine.name, "mysql")

    def ask_mysql(database, statement):
        login = ("env", f"MYSQL_PWD={passwords[database]}", "mysql", f"--user={database}")
        words = (*login, "--protocol=tcp", "--host=127.0.0.1", "--skip-column-names", "-e", statement)
        return engine.kubectl("exec", "-n", engine.name, "mysql-0", "--", *words).split()

    return ask_mysql


def test_runs_come_back_from_a_backup(engine, api, run, mysql, table):
    """MySQL's content and the bucket's go; restored, the same runs are known, and new ones work.

    What the metadata store's server has is in its container here, so its database holds but a mark, and the
    run afterwards asks for no cache: what that names is gone.
    """
    keys = engine.secret(engine.name, "seaweedfs-backup")
    login = (keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    before = {each["run_id"]: each["state"] for each in listed(engine, api)}
    files = engine.in_server(_WIPE, *login)
    assert before[run["run_id"]] == "SUCCEEDED"
    assert int(files) > 0
    mysql("metadb", "CREATE TABLE metadb.mark (number INT); INSERT INTO metadb.mark VALUES (42)")
    start = time.monotonic()
    engine.ziggurat("backup", "now", str(engine.blueprint), "--stand-in", "--json")
    table.add(what=f"backup of {len(before)} runs", seconds=time.monotonic() - start)

    for name in DATABASES:
        mysql(name, f"DROP DATABASE {name}; CREATE DATABASE {name}")
        assert mysql(name, f"SHOW TABLES IN {name}") == []
    engine.in_server(_WIPE, *login, "delete")
    assert int(engine.in_server(_WIPE, *login)) == 0

    start = time.monotonic()
    engine.ziggurat("restore", str(engine.blueprint), "--stand-in", "--confirm", engine.name)
    table.add(what="restore", seconds=time.monotonic() - start)
    assert engine.in_server(_WIPE, *login) == files
    assert mysql("metadb", "SELECT number FROM metadb.mark") == ["42"]
    with engine.reached("ml-pipeline", HTTP, LOCAL + 1, READY):
        restored = asking(engine, LOCAL + 1)
        assert {each["run_id"]: each["state"] for each in listed(engine, restored)} == before
        start = time.monotonic()
        fresh = uploaded(engine, restored, PIPELINE.replace("enableCache: true", "enableCache: false"))
        made = restored("POST", "runs", {"display_name": "after", **fresh})
        found = ended(engine, restored, made["run_id"])
        assert found["state"] == "SUCCEEDED", (found, shown(engine))
        table.add(what="a run after it, to its end", seconds=time.monotonic() - start)
