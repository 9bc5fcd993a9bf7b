"""What the Jobs of backups do, in which order, and whom they may reach: with pipelines and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blueprints import load
from components.artifacts import identities
from components.scripts import script
from components.versions import MYSQL, ImageSource
from ziggurat.plan.planning import plan

HERE = Path(__file__).parent
STARTER, BROUGHT = HERE / "variants/backup.yaml", HERE / "variants/pipelines-brought.yaml"
ORCHESTRATION = HERE.parents[1] / "blueprints/orchestration.yaml"
WITHOUT = {
    "backup": ["dump", "copy", "save"],
    "restore": ["fetch", "inspect", "artifacts", "database"],
}
WITH = {
    "backup": ["pipelines-dump", "dump", "copy", "pipelines-copy", "save"],
    "restore": [
        *("fetch", "inspect", "pipelines-stage", "artifacts"),
        *("pipelines-artifacts", "pipelines-database", "database"),
    ],
}
"""What is staged comes before anything is overwritten, and the one that is a transaction last."""


def containers(planned, cron_job):
    (found,) = [
        each.manifest
        for each in planned.objects
        if each.kind == "CronJob" and each.manifest["metadata"]["name"] == cron_job
    ]
    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return {each["name"]: each for each in (*pod["initContainers"], *pod["containers"])}


def variables(container):
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def policy(planned, name):
    (found,) = [
        each.manifest["spec"]
        for each in planned.objects
        if each.kind == "NetworkPolicy" and each.manifest["metadata"]["name"] == name
    ]
    return found


@pytest.mark.parametrize(
    ("file", "steps"),
    [(STARTER, WITHOUT), (ORCHESTRATION, WITH), (BROUGHT, WITH)],
    ids=lambda x: str(x)[-12:],
)
@pytest.mark.parametrize("cron_job", ["backup", "restore"])
def test_the_steps_of_each_job(file, steps, cron_job):
    assert list(containers(plan(load(file)), cron_job)) == steps[cron_job]


def test_without_pipelines_nothing_of_them_is_there():
    planned = plan(load(STARTER))
    found = [each for job in WITHOUT for each in containers(planned, job).values()]

    assert "PIPELINES" not in {name for each in found for name in variables(each)}
    assert "pipelines" not in json.dumps(found)
    assert not [each for each in planned.objects if "pipelines.sh" in each.manifest.get("data", {})]


@pytest.mark.parametrize(("name", "verb"), [("pipelines-stage", "stage"), ("pipelines-database", "swap")])
def test_each_database_is_entered_by_the_user_that_owns_it(name, verb):
    found = containers(plan(load(ORCHESTRATION)), "restore")[name]
    env = variables(found)

    assert found["command"] == ["sh", "/opt/ziggurat/pipelines.sh", verb, "/scratch/pipelines"]
    assert (env["DATABASE_HOST"], env["DATABASE_PORT"]) == ("mysql", "3306")
    assert env["API_PASSWORD"] == {"secretKeyRef": {"name": "mysql", "key": "mlpipeline"}}
    assert env["METADATA_PASSWORD"] == {"secretKeyRef": {"name": "mysql", "key": "metadb"}}
    assert not [value for value in env.values() if isinstance(value, dict) and "root" in json.dumps(value)]


def test_a_server_that_is_brought_is_entered_by_its_secret_and_reached():
    planned = plan(load(BROUGHT))
    found = containers(planned, "backup")["pipelines-dump"]
    env = variables(found)

    assert (env["DATABASE_HOST"], env["DATABASE_PORT"]) == ("mysql.acme.dev", "3307")
    for name in ("API", "METADATA"):
        assert env[f"{name}_USER"] == {"secretKeyRef": {"name": "mysql-login", "key": "username"}}
        assert env[f"{name}_PASSWORD"] == {"secretKeyRef": {"name": "mysql-login", "key": "password"}}
    assert found["image"] == ImageSource().reference(MYSQL)
    assert found["image"] in planned.outputs["images"]
    assert 3307 in [port["port"] for rule in policy(planned, "backup")["egress"] for port in rule["ports"]]


def test_the_jobs_and_the_server_may_reach_each_other():
    planned = plan(load(ORCHESTRATION))
    out = [rule for rule in policy(planned, "backup")["egress"] if "mysql" in json.dumps(rule.get("to", ""))]
    into = [rule["from"] for rule in policy(planned, "mysql")["ingress"]]

    assert [port["port"] for rule in out for port in rule["ports"]] == [3306]
    assert '"backup"' in json.dumps(into)


def test_runs_are_copied_from_where_they_keep_their_artifacts_and_back():
    for file, bucket in ((ORCHESTRATION, "artifacts"), (BROUGHT, "lake")):
        planned = plan(load(file))
        where, folder = f"store:{bucket}/kfp/", "/scratch/pipelines/artifacts"
        copied = containers(planned, "backup")["pipelines-copy"]
        back = containers(planned, "restore")["pipelines-artifacts"]

        assert copied["command"][:4] == ["rclone", "copy", where, folder]
        assert back["command"][:4] == ["rclone", "copy", folder, where]
        assert copied["env"] == containers(planned, "backup")["copy"]["env"]


def test_backups_may_read_and_write_what_runs_keep_where_there_are_runs():
    def granted(*users):
        found = identities(("lake", "backups"), dict.fromkeys(users, "key"))["identities"]
        return next(user["actions"] for user in found if user["name"] == "backup")

    runs = [f"{action}:lake/kfp/*" for action in ("Read", "Write", "List")]
    assert not set(runs) & set(granted("mlflow", "backup"))
    assert set(runs) <= set(granted("mlflow", "backup", "pipelines"))


def test_the_repositorys_script_knows_the_dumps_by_their_databases():
    text = script("repository.sh")
    env = variables(containers(plan(load(ORCHESTRATION)), "backup")["pipelines-dump"])

    assert f"for part in {env['API_DATABASE']}.sql {env['METADATA_DATABASE']}.sql artifacts; do" in text
