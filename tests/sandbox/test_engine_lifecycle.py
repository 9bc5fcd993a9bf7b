"""The life of one platform, by the command, the real engine and a real API server; in the file's order."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from ziggurat.exit_codes import ExitCode

pytestmark = pytest.mark.sandbox

NAME = "life"
SECOND_TEAM = "  pricing: {}\n"


@pytest.fixture(scope="module")
def blueprint(machine) -> Path:
    return machine.blueprint(NAME, SECOND_TEAM)


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Has other text in a file for a while."""
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def test_preview_of_a_new_platform_leaves_nothing_behind(machine, blueprint):
    shown = machine.run("preview", blueprint, "--json").json

    assert set(shown["summary"]) == {"create"}
    assert shown["simulated"] is True
    assert not machine.config(NAME).exists()
    assert not list((machine.settings.state / "pulumi").rglob(f"{NAME}.json"))
    assert machine.cluster.find("v1", "Namespace", "", NAME) is None


def test_up_provisions_what_preview_showed(machine, up):
    assert up["changed"]
    assert set(up["summary"]) == {"create"}
    assert up["outputs"]["trackingUri"] == f"http://mlflow.{NAME}.svc.cluster.local:5000"
    assert machine.cluster.find("apps/v1", "Deployment", NAME, "mlflow") is not None


def test_up_again_changes_nothing(machine, blueprint, up):
    again = machine.run("up", blueprint, "--yes", "--json").json

    assert not again["changed"]
    assert again["summary"] == {"same": up["summary"]["create"]}


def test_preview_expects_no_changes_and_finds_none(machine, blueprint, up):
    shown = machine.run("preview", blueprint, "--expect-no-changes")

    assert "no change" in shown.out


def test_status_says_that_all_is_ready_and_that_pods_are_simulated(machine, blueprint, up):
    shown = machine.run("status", blueprint, "--json").json
    words = machine.run("status", blueprint).out

    assert shown["ready"]
    assert shown["lastUpdate"]["result"] == "succeeded"
    assert all(shown["volumes"].values())
    assert len(shown["volumes"]) == 2
    assert "pods are simulated" in words


def test_connect_says_what_to_export_and_the_password_line_works(machine, blueprint, up):
    shell = machine.run("connect", blueprint, "--team", "vision", "--shell").out
    folder = machine.kubectl()

    exported = subprocess.run(
        ["sh", "-c", f'{shell}\nprintf %s "$MLFLOW_WORKSPACE $MLFLOW_TRACKING_PASSWORD"'],
        env={"PATH": os.pathsep.join([str(folder), os.environ["PATH"]]), "HOME": str(machine.folder)},
        capture_output=True,
        text=True,
        check=True,
    )

    workspace, password = exported.stdout.split()
    assert workspace == "vision"
    assert len(password) == 32
    assert password not in shell
    assert "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false" in shell


def test_connect_names_the_teams_and_accounts_that_there_are(machine, blueprint, up):
    team = machine.run("connect", blueprint, "--team", "nobody", code=ExitCode.FAILED)
    user = machine.run("connect", blueprint, "--team", "vision", "--user", "bob", code=ExitCode.FAILED)

    assert "teams: pricing, vision" in team.err
    assert "its accounts: ada" in user.err


def test_no_secret_is_in_clear_in_state_configuration_or_anything_that_was_said(machine, blueprint, up):
    machine.run("outputs", blueprint)
    machine.run("outputs", blueprint, "--json")
    secrets = [
        value
        for namespace in (NAME, f"{NAME}-vision", f"{NAME}-pricing")
        for secret in machine.cluster.objects("v1", "Secret", namespace)
        for key, value in (secret.get("data") or {}).items()
        if "PASSWORD" in key.upper() or "SECRET" in key.upper()
    ]
    assert secrets
    clear = [base64.b64decode(value) for value in secrets]
    kept = [
        path.read_bytes()
        for folder in ("pulumi", "stacks")
        for path in (machine.settings.state / folder).rglob("*")
        if path.is_file()
    ]

    for needle in {*clear, *(value.encode() for value in secrets)}:
        assert len(needle) > 8
        assert not any(needle in content for content in kept)
        assert not any(needle.decode() in text for text in machine.said)


def test_drift_is_shown_and_repaired(machine, blueprint, up):
    cluster = machine.cluster
    cluster.request("DELETE", f"/api/v1/namespaces/{NAME}/services/mlflow")
    quota = cluster.find("v1", "ResourceQuota", f"{NAME}-vision", "quota")
    quota["spec"]["hard"]["pods"] = "1"
    cluster.request("PUT", f"/api/v1/namespaces/{NAME}-vision/resourcequotas/quota", quota)

    status = machine.run("status", blueprint, "--refresh", code=ExitCode.FAILED).out
    assert "Service life/mlflow: missing" in status
    assert "update   ResourceQuota life-vision/quota" in status
    preview = machine.run("preview", blueprint, "--refresh", "--json").json
    assert preview["summary"]["create"] == 1
    assert preview["summary"]["update"] == 1

    repaired = machine.run("up", blueprint, "--take-over", "--yes", "--json").json
    assert {change["name"] for change in repaired["drift"]} == {"mlflow", "quota"}
    assert cluster.find("v1", "ResourceQuota", f"{NAME}-vision", "quota")["spec"]["hard"]["pods"] != "1"
    assert machine.run("status", blueprint, "--json").json["ready"]


def test_an_illegal_change_is_blocked_before_anything_runs(machine, blueprint, up):
    with changed(blueprint, blueprint.read_text() + "database: {mode: embedded, storage: 1Gi}\n"):
        shown = machine.run("up", blueprint, "--yes", code=ExitCode.BLOCKED)

    assert "database.storage: 10Gi -> 1Gi" in shown.err


def test_a_team_with_data_goes_only_when_it_is_named(machine, blueprint, up):
    without = blueprint.read_text().replace(SECOND_TEAM, "")
    namespace = f"Namespace/{NAME}-pricing"
    with changed(blueprint, without):
        preview = machine.run("preview", blueprint, "--json", code=ExitCode.BLOCKED).json
        assert preview["blocked"] == [f"Namespace {NAME}-pricing"]
        refused = machine.run("up", blueprint, "--yes", code=ExitCode.BLOCKED)
        assert f"--delete {namespace}" in refused.err
        assert machine.cluster.find("v1", "Namespace", "", f"{NAME}-pricing") is not None

        gone = machine.run("up", blueprint, "--yes", "--delete", namespace, "--json").json
        assert set(gone["summary"]) >= {"delete"}
    assert machine.cluster.find("v1", "Namespace", "", f"{NAME}-pricing") is None
    blueprint.write_text(without)


def test_without_a_terminal_and_without_yes_up_does_nothing(machine, blueprint):
    assert "add --yes" in machine.run("up", blueprint, code=ExitCode.USAGE).err


def test_a_wrong_passphrase_is_named(machine, blueprint, up):
    with changed(machine.settings.state / "passphrase", "another"):
        shown = machine.run("preview", blueprint, code=ExitCode.SECRETS)

    assert "passphrase is not the one" in shown.err


def test_a_missing_root_secret_is_never_replaced_by_a_new_one(machine, blueprint, up):
    path = machine.config(NAME)
    config = yaml.safe_load(path.read_text())
    del config["config"]["ziggurat:rootSecret"]
    with changed(path, yaml.safe_dump(config)):
        shown = machine.run("up", blueprint, "--yes", code=ExitCode.SECRETS)
        assert "rootSecret" not in path.read_text()

    assert "root secret is missing" in shown.err
    assert "restore that file" in shown.err


def test_a_lock_of_another_run_stops_ours_and_says_whose_it_is(machine, blueprint, up):
    lock = machine.locks(NAME) / "theirs.json"
    content = {"pid": 4, "username": "ana", "hostname": "far-away", "timestamp": "2026-11-01T10:00:00Z"}
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps(content))
    try:
        shown = machine.run("up", blueprint, "--yes", code=ExitCode.LOCKED)
        assert lock.exists()
    finally:
        lock.unlink(missing_ok=True)

    assert "process 4 of ana on far-away" in shown.err
    assert "pulumi cancel --stack life" in shown.err


def test_the_lock_of_a_killed_run_is_removed_in_the_sandbox(machine, blueprint, up):
    lock = machine.locks(NAME) / "dead.json"
    content = {"pid": 2**22 + 9, "username": "ana", "hostname": socket.gethostname(), "timestamp": "2026"}
    lock.write_text(json.dumps(content))

    shown = machine.run("preview", blueprint, "--expect-no-changes")

    assert "removing the lock of a run that was killed" in shown.err
    assert not lock.exists()


def test_a_state_that_a_killed_run_has_left_unreadable_is_mended(machine, blueprint, up):
    """Between its two steps of writing the state the engine leaves the file's attributes empty."""
    states = machine.settings.state / "pulumi" / ".pulumi" / "stacks" / "ziggurat"
    attributes = states / f"{NAME}.json.attrs"
    assert attributes.read_bytes()  # it is where the engine has it
    attributes.write_bytes(b"")

    shown = machine.run("preview", blueprint, "--expect-no-changes")

    assert "removing what a run that was killed has not written whole" in shown.err
    assert not attributes.exists()


def test_destroy_keeps_the_data_and_up_finds_it_again(machine, blueprint, up):
    before = machine.cluster.find("v1", "PersistentVolumeClaim", NAME, "postgresql-data")

    shown = machine.run("destroy", blueprint, "--yes", "--json").json
    assert f"PersistentVolumeClaim {NAME}/postgresql-data" in shown["kept"]
    assert machine.cluster.find("apps/v1", "Deployment", NAME, "mlflow") is None

    with changed(blueprint, blueprint.read_text() + "database: {mode: embedded, storage: 1Gi}\n"):
        refused = machine.run("up", blueprint, "--yes", code=ExitCode.BLOCKED)
    assert "database.storage: 10Gi -> 1Gi" in refused.err

    machine.run("up", blueprint, "--yes")
    after = machine.cluster.find("v1", "PersistentVolumeClaim", NAME, "postgresql-data")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_destroy_with_data_wants_the_platform_s_name_and_leaves_nothing(machine, blueprint, up):
    machine.run("destroy", blueprint, "--with-data", "--yes", code=ExitCode.USAGE)
    machine.run("destroy", blueprint, "--with-data", "--confirm", "other", code=ExitCode.USAGE)

    shown = machine.run("destroy", blueprint, "--with-data", "--confirm", NAME, "--json").json

    assert shown["stackRemoved"]
    assert shown["left"] == []
    assert machine.cluster.find("v1", "Namespace", "", NAME) is None
    assert not machine.config(NAME).exists()
    again = machine.run("destroy", blueprint, "--with-data", "--confirm", NAME)
    assert "nothing to take down" in again.out
