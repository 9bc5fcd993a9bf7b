"""Backups with pipelines in them: what is told of them, and what follows when they are restored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backup_api import CORE, Ending, Jobs, containers, environment, verb_of

from ziggurat.backup import restoring

CONFIRMED = ("restore", "--confirm", "acme-ml")
PODS = [f"{CORE}/pods/{name}-0" for name in ("mlflow", "metadata-grpc-service", "ml-pipeline-server")]


def restarted(jobs: Jobs) -> list[str]:
    return [path for path in jobs.api.deleted if path in PODS]


def job(jobs: Jobs, verb: str) -> dict[str, Any]:
    jobs_made = [made for made in jobs.api.made if made["kind"] == "Job"]
    return next(made for made in jobs_made if verb_of(made) == verb)


def test_a_list_says_which_backups_have_pipelines(orchestrated: Jobs, ziggurat: Any) -> None:
    first, second = ziggurat("backup", "list").out.splitlines()
    shown = json.loads(ziggurat("backup", "list", "--json").out)["backups"]

    assert "with pipelines" not in first
    assert second.endswith("12 files, with pipelines")
    assert [each["pipelines"] for each in shown] == [False, True]


def test_what_works_on_restored_pipelines_is_restarted_after_mlflow(
    orchestrated: Jobs, ziggurat: Any
) -> None:
    orchestrated.pipelines = "restored"

    result = ziggurat(*CONFIRMED)

    assert result.code == 0
    assert orchestrated.ran == ["list", "backup", "list", "restore", "upgrade", "accounts"]
    assert restarted(orchestrated) == PODS
    assert "what pipelines recorded is that of the backup, too" in result.out
    assert environment(job(orchestrated, "backup"))["TAG"] == "before-restore"
    assert "pipelines-dump" in [each["name"] for each in containers(job(orchestrated, "backup"))]


def pod(name: str, ready: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(
    ("there", "done"),
    [
        ((), False),
        ((pod("old", "True"), pod("new", "True")), False),  # the old one ends, and still answers
        ((pod("new", "False"),), False),
        ((pod("new", "True"),), True),
    ],
    ids=["none", "both", "not ready", "new"],
)
def test_a_server_is_restarted_when_the_old_pods_are_gone(there: Any, done: bool) -> None:
    assert restoring._ready(list(there), {"old"}) is done


@pytest.mark.parametrize(
    ("becomes", "says"),
    [
        ("kept", "the backup has nothing of pipelines: they are left as they were"),
        ("absent", "what the backup has of pipelines was left out: this platform has none"),
        (
            "foreign",
            "what the backup has of pipelines was left out: it names the namespaces of old-ml's teams",
        ),
    ],
)
def test_pipelines_that_are_not_restored_are_told_and_go_on(
    orchestrated: Jobs, ziggurat: Any, tmp_path: Path, becomes: str, says: str
) -> None:
    key = tmp_path / "key.txt"
    key.write_text("of-old-ml")
    orchestrated.pipelines = becomes
    options = ("--from", "old-ml", "--password-file", key)

    result, machine = ziggurat(*CONFIRMED, *options), ziggurat(*CONFIRMED, *options, "--json")

    assert (result.code, restarted(orchestrated)[:1]) == (0, PODS[:1])
    assert set(restarted(orchestrated)) == {PODS[0]}
    assert f"{says}\n" in result.out
    assert json.loads(machine.out)["pipelines"] == becomes


def test_another_platforms_name_never_becomes_that_of_these_pipelines(
    orchestrated: Jobs, ziggurat: Any, tmp_path: Path
) -> None:
    """By the two names the script of the repository tells whether they are its own."""
    key = tmp_path / "key.txt"
    key.write_text("of-old-ml")

    ziggurat(*CONFIRMED, "--from", "old-ml", "--password-file", key)

    values = environment(job(orchestrated, "restore"))
    assert (values["PLATFORM"], values["PIPELINES"]) == ("old-ml", "acme-ml")


def test_without_pipelines_nothing_is_said_of_them(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat(*CONFIRMED)

    assert (result.code, "pipelines" in result.out, restarted(jobs)) == (0, False, PODS[:1])


@pytest.mark.parametrize("step", ["pipelines-stage", "pipelines-artifacts", "pipelines-database"])
def test_a_step_of_theirs_that_fails_ends_it_there(orchestrated: Jobs, ziggurat: Any, step: str) -> None:
    orchestrated.pipelines = "restored"
    orchestrated.endings["restore"] = Ending(step, 1, "ERROR 1044 (42000): Access denied")

    result = ziggurat(*CONFIRMED)

    assert (result.code, orchestrated.ran[-1], restarted(orchestrated)) == (1, "restore", [])
    assert f"step {step}" in result.err
    assert "restoring failed: ERROR 1044" in result.err


def asked(capsys: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What is said before the name is asked for; the answer is another one."""
    monkeypatch.setattr("ziggurat.commands.restore.require_answerable", lambda **_: None)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "no")
    from ziggurat.cli import run

    capsys.readouterr()
    run(["restore", *arguments])
    return str(capsys.readouterr().err)


@pytest.mark.parametrize(("chosen", "more"), [("bbbb2222", True), ("aaaa1111", False)])
def test_what_will_be_overwritten_is_said_before(
    orchestrated: Jobs, capsys: Any, monkeypatch: pytest.MonkeyPatch, chosen: str, more: bool
) -> None:
    said = asked(capsys, monkeypatch, "--snapshot", chosen)

    assert f"overwrites the database of acme-ml, and its artifacts{', and what' if more else ', by'}" in said
    assert ("and what its pipelines recorded" in said) is more
    assert orchestrated.ran == ["list"]
