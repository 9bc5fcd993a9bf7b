"""`ziggurat run`: the Job it makes of a project's CronJob, and what it says of how that ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "check"))  # the API server of its tests

from kube_api import KubeApi, serve

from blueprints import load
from components.projects import overridden, run_arguments
from ziggurat.plan import plan

NAMESPACE = "acme-vision"
CRON_JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
BLUEPRINT = """\
apiVersion: ziggurat/v1
name: acme
phase: automation
teams: {vision: {}}
queues: {}
projects:
  churn:
    team: vision
    uri: /opt/project
    image: registry.acme.example/churn:1.0
    parameters: {months: "12"}
"""
LOG = "epoch 1\n2026/11/24 INFO mlflow.projects: === Run (ID '0123abcd') succeeded ===\n"


@pytest.fixture
def blueprint(tmp_path: Path) -> Path:
    file = tmp_path / "acme.yaml"
    file.write_text(BLUEPRINT)
    return file


@pytest.fixture
def api(tmp_path: Path, blueprint: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[KubeApi]:
    """The platform's cluster, on which the project's CronJob is and every Job succeeds."""
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(min(seconds, 0.02)))  # type: ignore[misc]
    with serve({}, 0, tmp_path) as (api, cluster):
        monkeypatch.setattr("ziggurat.commands.run.open_serving", lambda *_, **__: (cluster, {}))
        for each in plan(load(blueprint)).objects:
            if each.kind == "CronJob":
                api.add(CRON_JOBS, each.manifest)
        ending(api)
        yield api


def ending(api: KubeApi, *, code: int = 0, log: str = LOG) -> None:
    """How the Jobs are to end from now on."""

    def play(item: Any) -> None:
        name = item["metadata"]["name"]
        api.add(
            PODS,
            {
                "metadata": {"name": f"{name}-x", "labels": {"batch.kubernetes.io/job-name": name}},
                "status": {
                    "containerStatuses": [{"name": "project", "state": {"terminated": {"exitCode": code}}}]
                },
            },
        )
        api.objects[f"{PODS}/{name}-x/log"] = log
        item["status"] = {"conditions": [{"type": "Failed" if code else "Complete", "status": "True"}]}

    api.on_made = play


@pytest.fixture
def ziggurat(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    from ziggurat.cli import run

    def call(*arguments: Any) -> SimpleNamespace:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(code=int(code), out=printed.out, err=printed.err)

    return call


def arguments(api: KubeApi) -> list[str]:
    (container,) = api.made[0]["spec"]["template"]["spec"]["containers"]
    return container["args"]


def test_a_run_is_a_job_of_the_projects_template_in_its_teams_queue(api, ziggurat, blueprint):
    result = ziggurat("run", "churn", blueprint)

    (job,) = api.made
    assert result.code == 0
    assert job["metadata"]["namespace"] == NAMESPACE
    assert job["metadata"]["name"].startswith("project-churn-run-")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "vision"
    assert job["spec"]["activeDeadlineSeconds"] == 86400
    assert job["spec"]["backoffLimit"] == 0
    assert arguments(api) == run_arguments("/opt/project", "main", {"months": "12"})


def test_a_run_tells_its_experiment_and_its_run_in_mlflow(api, ziggurat, blueprint):
    result = ziggurat("run", "churn", blueprint)

    assert result.out.startswith("churn: succeeded in ")
    assert result.out.endswith("experiment churn of team vision, MLflow run 0123abcd\n")
    assert "epoch 1" in result.err


def test_a_run_for_machines(api, ziggurat, blueprint):
    result = ziggurat("run", "churn", blueprint, "--json")

    told = json.loads(result.out)
    assert told.pop("seconds") >= 0
    assert told == {
        "project": "churn",
        "team": "vision",
        "namespace": NAMESPACE,
        "job": api.made[0]["metadata"]["name"],
        "experiment": "churn",
        "finished": True,
        "runId": "0123abcd",
    }
    assert result.err == ""


def test_parameters_and_the_entry_point_can_be_others(api, ziggurat, blueprint):
    ziggurat("run", "churn", blueprint, "-P", "months=6", "-P", "note=a b=c; $(x)", "-e", "evaluate")

    expected = {"months": "6", "note": "a b=c; $(x)"}
    assert arguments(api) == run_arguments("/opt/project", "evaluate", expected)


def test_a_run_that_is_not_waited_for_is_left_to_itself(api, ziggurat, blueprint):
    result = ziggurat("run", "churn", blueprint, "--no-wait")

    name = api.made[0]["metadata"]["name"]
    assert (result.code, api.deleted) == (0, [])
    assert f"kubectl logs -n {NAMESPACE} -f job/{name}" in result.out


def test_a_run_that_fails_is_told_with_its_last_words(api, ziggurat, blueprint):
    ending(api, code=1, log="ValueError: months is no number")

    result = ziggurat("run", "churn", blueprint)

    assert (result.code, result.out, api.deleted) == (1, "", [])
    assert "error: churn failed: ValueError: months is no number" in result.err
    assert "container project" in result.err


def test_a_run_that_says_nothing_is_told_by_its_exit_code(api, ziggurat, blueprint):
    ending(api, code=137, log="")

    assert "exit code 137, no message" in ziggurat("run", "churn", blueprint).err


def test_a_project_that_is_not_there_has_a_near_one(api, ziggurat, blueprint):
    result = ziggurat("run", "chrun", blueprint)

    assert (result.code, api.made) == (1, [])
    assert "there is no project chrun" in result.err
    assert "did you mean `churn`?" in result.err


def test_a_project_that_was_not_provisioned_yet_is_said_to_be(api, ziggurat, blueprint):
    api.remove(f"{CRON_JOBS}/project-churn")

    result = ziggurat("run", "churn", blueprint)

    assert (result.code, api.made) == (1, [])
    assert "does not have the project churn yet" in result.err
    assert "ziggurat up" in result.err


@pytest.mark.parametrize("wrong", ["months", "=6", "a b=1"])
def test_a_parameter_without_a_name_is_wrong_usage(api, ziggurat, blueprint, wrong):
    result = ziggurat("run", "churn", blueprint, "-P", wrong)

    assert (result.code, api.made) == (2, [])
    assert "NAME=VALUE" in result.err


def test_parameters_with_equals_signs_stay_whole():
    given = run_arguments("/opt/project", "main", {"query": "a=b", "z": "--x"})

    assert overridden(given, None, {}) == given
    assert overridden(given, None, {"query": "c=d"}) == run_arguments(
        "/opt/project", "main", {"query": "c=d", "z": "--x"}
    )
