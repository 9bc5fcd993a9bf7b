"""MLflow Projects that really train: by schedule and on request, from an image and from git."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from onenode import repository
from onenode.gates import asked_for
from onenode.platform import ask, run_client

pytestmark = asked_for("NODE_PROJECTS", "takes four minutes")
TABLE = "MLflow Projects"
HERE = Path(__file__).parent
IMAGE = "registry.acme.internal/vision/digits:1.0"
"""MLflow's image with the project's folder in it: images/make.sh."""
LOGIN = ("ada", "a-password-of-the-git-server")
_RESOURCES = "{cpu: 250m, memory: 512Mi, memoryLimit: 1536Mi, scratch: 1Gi}"
PROJECTS = """\
projects:
  digits:
    team: vision
    uri: /opt/project
    image: {image}
    parameters: {{C: "0.5"}}
    schedule: "* * * * *"
    resources: {resources}
  digits-from-git:
    team: vision
    uri: "{url}#project"
    version: main
    secret: {{secretName: git-login}}
    experiment: research
    parameters: {{model: digits-from-git}}
    resources: {resources}
"""


@pytest.fixture(scope="module")
def git(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    with repository.served(node.address, folder, HERE / "project", LOGIN) as served:
        yield served


@pytest.fixture(scope="module")
def automation(platform, uri, git):
    """The running starter platform, raised to the next phase; it is a starter again afterwards."""
    namespace = f"{platform.name}-vision"
    words = ("--from-literal", f"username={LOGIN[0]}", "--from-literal", f"password={LOGIN[1]}")
    platform.kubectl("delete", "secret", "git-login", "-n", namespace, "--ignore-not-found")
    platform.kubectl("create", "secret", "generic", "git-login", "-n", namespace, *words)
    starter = platform.blueprint.read_text()
    projects = PROJECTS.format(image=IMAGE, url=git.url, resources=_RESOURCES)
    with platform.changed(starter.replace("phase: starter", "phase: automation") + projects):
        yield platform


@pytest.fixture
def scientist(automation, python, tmp_path):
    """What a member of the team finds, from outside of the cluster, with what `ziggurat connect` prints."""

    def look(model):
        done = run_client(python, automation.connect("vision"), tmp_path, "scientist.py", model)
        return json.loads(done.stdout.splitlines()[-1])

    return look


def run(platform, *words):
    """`ziggurat run`, and the seconds it took."""
    start = time.monotonic()
    project, *options = words
    done = platform.ziggurat(
        "run", project, str(platform.blueprint), *options, "--stand-in", "--json", check=False
    )
    return done, round(time.monotonic() - start, 1)


def test_a_project_from_git_runs_on_request(automation, git, scientist, table):
    done, seconds = run(automation, "digits-from-git", "-P", "C=0.25")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    found = scientist("digits-from-git")
    table.add(what="`ziggurat run`, from a git repository behind a password", seconds=seconds)
    assert found["run"] == said["runId"]
    assert (found["experiment"], found["status"]) == ("research", "FINISHED")
    assert found["parameters"] == {"C": "0.25", "model": "digits-from-git"}
    assert found["tags"]["mlflow.user"] == "vision"
    assert found["tags"]["mlflow.source.type"] == "PROJECT"
    assert min(found["accuracy"], found["right"]) > 0.9
    assert found["tags"]["mlflow.source.git.repoURL"] == git.url
    assert LOGIN[1] not in done.stdout + done.stderr
    jobs = automation.objects("job", f"{automation.name}-vision")
    assert "project-digits-from-git" not in map(_project, jobs)  # one that was requested leaves nothing


def test_a_project_runs_each_minute_by_its_schedule(automation, scientist, table):
    namespace = f"{automation.name}-vision"
    start, found = time.monotonic(), {}
    while found.get("succeeded", 0) < 1:
        assert time.monotonic() < start + 240, _state(automation)
        time.sleep(1)
        jobs = [each for each in automation.objects("job", namespace) if _scheduled(each, "project-digits")]
        found = {"succeeded": sum(each["status"].get("succeeded", 0) for each in jobs)}
    made = scientist("digits")
    assert (made["experiment"], made["status"]) == ("digits", "FINISHED")
    assert made["parameters"]["C"] == "0.5"
    assert min(made["accuracy"], made["right"]) > 0.9
    finished = next(each["status"] for each in jobs if each["status"].get("succeeded"))
    seconds = _stamp(finished["completionTime"]) - _stamp(finished["startTime"])
    table.add(what="by schedule: trained, registered, loaded outside", seconds=seconds)


def test_a_project_that_fails_says_why(automation, table):
    done, seconds = run(automation, "digits", "-P", "C=-1")
    assert done.returncode == 1, done.stdout
    assert "'C' parameter of LogisticRegression must be" in done.stdout  # of --json, errors too
    table.add(what="`ziggurat run` of one that fails", seconds=seconds)


def test_another_team_sees_nothing_of_it(automation, uri):
    other = automation.connect("pricing")
    user = other["MLFLOW_TRACKING_USERNAME"], other["MLFLOW_TRACKING_PASSWORD"]
    questions = {
        "registered-models/get?name=digits": {"pricing": 403, "vision": 403},
        "experiments/get-by-name?experiment_name=research": {"pricing": 404, "vision": 403},
    }
    for path, wanted in questions.items():
        for workspace, status in wanted.items():
            answer = ask(f"{uri}/api/2.0/mlflow/{path}", user, headers={"X-MLFLOW-WORKSPACE": workspace})
            assert answer.status == status, (path, workspace, answer)


def _scheduled(job, project):
    owners = [owner["kind"] for owner in job["metadata"].get("ownerReferences", [])]
    return _project(job) == project and owners == ["CronJob"]


def _project(found):
    return found["metadata"].get("labels", {}).get("app.kubernetes.io/name")


def _state(platform):
    return platform.kubectl(
        "get", "pods,jobs,events", "-n", f"{platform.name}-vision", "-o", "wide", check=False
    )


def _stamp(text):
    return int(time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
