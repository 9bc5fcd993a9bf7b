"""Rotating the credentials of a platform, by the command, the real engine and a real API server; in order."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from ziggurat.exit_codes import ExitCode

pytestmark = pytest.mark.sandbox

NAME = "turn"
KEY = "ziggurat:rotations"
SPACES = (NAME, f"{NAME}-vision")


@pytest.fixture(scope="module")
def blueprint(machine) -> Path:
    return machine.blueprint(NAME)


@pytest.fixture(scope="module")
def seen() -> set[bytes]:
    """Every secret value that any of the tests has seen on the cluster."""
    return set()


@pytest.fixture(scope="module")
def up(machine, blueprint, seen) -> dict[str, Any]:
    """The platform, provisioned; what `up` printed."""
    shown = machine.run("up", blueprint, "--yes", "--json").json
    secrets(machine, seen)
    return shown


def secrets(machine, seen: set[bytes]) -> dict[str, bytes]:
    """Every value of the platform's Secrets: {namespace/name/key: value}."""
    found = {
        f"{space}/{secret['metadata']['name']}/{key}": base64.b64decode(value)
        for space in SPACES
        for secret in machine.cluster.objects("v1", "Secret", space)
        for key, value in (secret.get("data") or {}).items()
    }
    words = ("PASSWORD", "SECRET", "postgres", "mlflow/", "json")
    seen.update(
        value for key, value in found.items() if any(word in key for word in words) and len(value) >= 24
    )
    return found


def uids(machine) -> dict[str, str]:
    """What holds data, and the servers' pods' owners: {kind/name: uid}."""
    cluster = machine.cluster
    kept = [("v1", "PersistentVolumeClaim", NAME, f"{app}-data") for app in ("postgresql", "seaweedfs")]
    kept += [("v1", "Namespace", "", space) for space in SPACES]
    kept += [("apps/v1", "StatefulSet", NAME, "postgresql"), ("apps/v1", "Deployment", NAME, "mlflow")]
    return {
        f"{kind}/{name}": cluster.find(api, kind, space, name)["metadata"]["uid"]
        for api, kind, space, name in kept
    }


def generation(machine, kind: str, name: str) -> int:
    return machine.cluster.find("apps/v1", kind, NAME, name)["metadata"]["generation"]


def numbers(machine, blueprint) -> dict[str, int]:
    shown = machine.run("rotate", blueprint, "--list", "--json").json
    assert all(item["finished"] for item in shown["rotations"])
    return {item["name"]: item["number"] for item in shown["rotations"] if item["number"]}


def configured(machine) -> dict[str, int]:
    return json.loads(yaml.safe_load(machine.config(NAME).read_text())["config"].get(KEY, "{}"))


def test_a_platform_that_does_not_run_is_not_rotated(machine, blueprint):
    refused = machine.run("rotate", blueprint, "database", "--yes", code=ExitCode.BLOCKED)

    assert "does not run" in refused.err
    assert "first run: ziggurat up" in refused.err


def test_nothing_has_been_rotated_at_first(machine, blueprint, up):
    assert numbers(machine, blueprint) == {}
    words = machine.run("rotate", blueprint, "--list").out
    assert "database   rotation 0" in words
    assert "account:ada   rotation 0" in words


def test_an_unknown_name_gets_the_list_and_no_name_is_a_usage_error(machine, blueprint, up):
    unknown = machine.run("rotate", blueprint, "databse", "--yes", code=ExitCode.FAILED)
    nothing = machine.run("rotate", blueprint, "--yes", code=ExitCode.USAGE)
    unasked = machine.run("rotate", blueprint, "database", code=ExitCode.USAGE)

    assert "called databse" in unknown.err
    assert "database, database-owner, bucket, bucket-provisioner, sessions, admin, account:ada" in unknown.err
    assert "--list says what there is" in nothing.err
    assert "add --yes" in unasked.err
    assert configured(machine) == {}


def test_database_and_an_account_are_rotated_and_nothing_else_is_touched(machine, blueprint, up, seen):
    before, kept = secrets(machine, seen), uids(machine)
    server = generation(machine, "StatefulSet", "postgresql"), generation(machine, "StatefulSet", "seaweedfs")

    shown = machine.run("rotate", blueprint, "database", "account:ada", "--yes", "--json").json

    assert shown["rotated"] == {"database": 1, "account:ada": 1}
    changes = {
        f"{change['kind']} {change['namespace']}/{change['name'].rpartition('-')[0]}"
        if change["kind"] == "Job"
        else f"{change['kind']} {change['namespace']}/{change['name']}"
        for change in shown["changes"]
        if change["namespace"]
    }
    assert changes == {
        "Secret turn/postgresql",
        "Secret turn/postgresql-passwords",
        "Secret turn/mlflow-accounts",
        "Secret turn-vision/mlflow-ada",
        "ConfigMap turn/postgresql-passwords",
        "ServiceAccount turn/postgresql-passwords",
        "NetworkPolicy turn/postgresql-passwords",
        "NetworkPolicy turn/postgresql",
        "Job turn/postgresql-passwords",
        "Job turn/mlflow-upgrade",
        "Job turn/mlflow-accounts",
        "Deployment turn/mlflow",
    }
    after = secrets(machine, seen)
    assert {key for key in before if before[key] != after[key]} == {
        "turn/postgresql/mlflow",
        "turn/mlflow-accounts/passwords.json",
        "turn-vision/mlflow-ada/MLFLOW_TRACKING_PASSWORD",
    }
    assert json.loads(after["turn/postgresql-passwords/passwords.json"]) == {
        "mlflow": {
            "present": after["turn/postgresql/mlflow"].decode(),
            "earlier": [before["turn/postgresql/mlflow"].decode()],
        }
    }
    assert uids(machine) == kept
    assert server == (
        generation(machine, "StatefulSet", "postgresql"),
        generation(machine, "StatefulSet", "seaweedfs"),
    )


def test_the_numbers_are_listed_and_up_has_nothing_to_do(machine, blueprint, up):
    assert numbers(machine, blueprint) == {"database": 1, "account:ada": 1}
    assert configured(machine) == {"postgresql/mlflow": 1, "mlflow/account/ada": 1}
    assert not machine.run("up", blueprint, "--yes", "--json").json["changed"]
    machine.run("preview", blueprint, "--refresh", "--expect-no-changes")
    assert machine.run("status", blueprint, "--json").json["ready"]


def test_a_configuration_older_than_the_platform_is_refused(machine, blueprint, up):
    path = machine.config(NAME)
    newest = path.read_text()
    config = yaml.safe_load(newest)
    del config["config"][KEY]
    path.write_text(yaml.safe_dump(config))
    try:
        refused = machine.run("up", blueprint, "--yes", code=ExitCode.SECRETS)
    finally:
        path.write_text(newest)

    assert "mlflow/account/ada, postgresql/mlflow" in refused.err
    assert not machine.run("up", blueprint, "--yes", "--json").json["changed"]


def test_a_blueprint_with_changes_is_applied_first(machine, blueprint, up):
    before = blueprint.read_text()
    blueprint.write_text(before + "tracking: {replicas: 2}\n")
    try:
        refused = machine.run("rotate", blueprint, "admin", "--yes", code=ExitCode.BLOCKED)
    finally:
        blueprint.write_text(before)

    assert "changes that are not applied yet" in refused.err
    assert "admin" not in numbers(machine, blueprint)


def test_a_rotation_that_is_stopped_is_completed_by_up_and_not_repeated_before(
    machine, blueprint, up, seen, until
):
    before = secrets(machine, seen)
    started = machine.start("rotate", blueprint, "--all", "--yes")
    until(lambda: configured(machine).get("postgresql/postgres") and list(machine.locks(NAME).glob("*.json")))
    started.send_signal(signal.SIGINT)
    stopped = machine.finish(started)
    assert stopped.code == ExitCode.INTERRUPTED, stopped.text
    assert "complete the rotation: ziggurat up" in stopped.err
    assert configured(machine)["postgresql/mlflow"] == 2

    refused = machine.run("rotate", blueprint, "database", "--yes", code=ExitCode.BLOCKED)
    assert "did not finish" in refused.err
    listed = machine.run("rotate", blueprint, "--list").out
    assert "(not finished: run `ziggurat up`)" in listed
    assert configured(machine)["postgresql/mlflow"] == 2

    machine.run("up", blueprint, "--yes")
    after = secrets(machine, seen)
    found = numbers(machine, blueprint)
    assert (found["database"], found["account:ada"], found["bucket"]) == (2, 2, 1)
    earlier = json.loads(after["turn/postgresql-passwords/passwords.json"])["mlflow"]["earlier"]
    assert earlier[0] == before["turn/postgresql/mlflow"].decode()
    same = {key for key in before if before[key] == after[key] and before[key] in seen}
    assert same == {
        "turn/mlflow/MLFLOW_CRYPTO_KEK_PASSPHRASE",
        "turn/mlflow/MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
    }


def test_numbers_that_were_raised_and_never_applied_are_seen(machine, blueprint, up):
    path = machine.config(NAME)
    config = yaml.safe_load(path.read_text())
    raised = configured(machine) | {"postgresql/mlflow": 3}
    config["config"][KEY] = json.dumps(raised)
    path.write_text(yaml.safe_dump(config))

    refused = machine.run("rotate", blueprint, "database", "--yes", code=ExitCode.BLOCKED)
    assert "the last rotation did not finish" in refused.err
    machine.run("up", blueprint, "--yes")
    assert numbers(machine, blueprint)["database"] == 3


def test_no_secret_of_any_rotation_is_in_clear_in_state_configuration_or_output(machine, blueprint, up, seen):
    secrets(machine, seen)
    kept = [
        path.read_bytes()
        for folder in ("pulumi", "stacks")
        for path in (machine.settings.state / folder).rglob("*")
        if path.is_file()
    ]
    assert len(seen) > 20

    needles = {*seen, *(base64.b64encode(value) for value in seen)}
    assert not [needle for needle in needles if any(needle in content for content in kept)]
    assert not [needle for needle in needles if any(needle.decode() in text for text in machine.said)]


def test_destroy_takes_the_record_along_and_up_finds_the_numbers(machine, blueprint, up, seen):
    before = secrets(machine, seen)
    machine.run("destroy", blueprint, "--yes")
    refused = machine.run("rotate", blueprint, "database", "--yes", code=ExitCode.BLOCKED)
    machine.run("up", blueprint, "--yes")

    assert "does not run" in refused.err
    assert numbers(machine, blueprint)["database"] == 3
    assert secrets(machine, seen) == before
    machine.run("destroy", blueprint, "--with-data", "--confirm", NAME)
