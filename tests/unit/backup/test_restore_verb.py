"""`ziggurat restore`: what it asks, what it runs and in which order, and what it leaves when a step fails."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from backup_api import BATCH, CORE, Ending, Jobs, environment, snapshot, verb_of

CONFIRMED = ("restore", "--confirm", "acme-ml")


def restored(jobs: Jobs) -> dict[str, Any]:
    """The variables of the Job that restored."""
    (job,) = [made for made in jobs.api.made if made["kind"] == "Job" and verb_of(made) == "restore"]
    return environment(job)


def test_a_restore_saves_what_is_there_then_brings_everything_in_line(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat(*CONFIRMED)

    assert result.code == 0
    assert jobs.ran == ["list", "backup", "list", "restore", "upgrade", "accounts"]
    assert restored(jobs)["SNAPSHOT"] == "bbbb2222"
    assert f"{CORE}/pods/mlflow-0" in jobs.api.deleted
    assert result.out == ("restored: backup bbbb2222 of acme-ml\nwhat was there before is backup cccc0000\n")
    saved = next(made for made in jobs.api.made if verb_of(made) == "backup")
    assert environment(saved)["TAG"] == "before-restore"


def test_a_restore_for_machines(jobs: Jobs, ziggurat: Any) -> None:
    shown = json.loads(ziggurat(*CONFIRMED, "--json").out)

    assert (shown["restored"], shown["from"], shown["before"]["kind"]) == (
        "bbbb2222",
        "acme-ml",
        "before-restore",
    )


def test_the_latest_is_never_the_copy_that_a_restore_made(jobs: Jobs, ziggurat: Any) -> None:
    jobs.snapshots.append(snapshot("eeee5555", "2026-03-02T02:00:00Z", "before-restore"))

    ziggurat(*CONFIRMED)

    assert restored(jobs)["SNAPSHOT"] == "bbbb2222"


def test_a_backup_is_chosen_by_its_id(jobs: Jobs, ziggurat: Any) -> None:
    ziggurat(*CONFIRMED, "--snapshot", "aaaa1111", "--skip-backup")

    assert jobs.ran == ["list", "restore", "upgrade", "accounts"]
    assert restored(jobs)["SNAPSHOT"] == "aaaa1111"


def test_a_backup_that_is_not_there_changes_nothing(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat(*CONFIRMED, "--snapshot", "ffff0000")

    assert (result.code, jobs.ran) == (1, ["list"])
    assert "there is no backup ffff0000" in result.err
    assert "aaaa1111, bbbb2222" in result.err


def test_without_any_backup_nothing_changes(jobs: Jobs, ziggurat: Any) -> None:
    jobs.snapshots.clear()

    result = ziggurat(*CONFIRMED)

    assert (result.code, "there is no backup yet" in result.err, jobs.ran) == (1, True, ["list"])


def test_the_wrong_name_changes_nothing(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat("restore", "--confirm", "acme")

    assert result.code == 2
    assert "--confirm names acme, but this platform is acme-ml" in result.err
    assert (jobs.api.made, jobs.api.deleted) == ([], [])


def test_nobody_to_ask_changes_nothing_and_names_the_option_there_is(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat("restore")

    assert (result.code, jobs.api.made) == (2, [])
    assert "--confirm" in result.err
    assert "--yes" not in result.err


def test_another_platforms_backup_needs_its_password(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat(*CONFIRMED, "--from", "old-ml")

    assert (result.code, "--password-file" in result.err, jobs.api.made) == (2, True, [])


def test_another_platforms_backup_is_read_with_its_password(
    jobs: Jobs, ziggurat: Any, tmp_path: Path
) -> None:
    key = tmp_path / "key.txt"
    key.write_text("canary-of-old-ml\n")

    result = ziggurat(*CONFIRMED, "--from", "old-ml", "--password-file", key)

    (secret,) = [made for made in jobs.api.made if made["kind"] == "Secret"]
    name = secret["metadata"]["name"]
    values = restored(jobs)
    assert result.code == 0
    assert result.out.startswith("restored: backup latest of old-ml\n")
    assert base64.b64decode(secret["data"]["password"]).decode() == "canary-of-old-ml"
    assert values["RESTIC_PASSWORD"] == {"secretKeyRef": {"name": name, "key": "password"}}
    assert (values["PLATFORM"], values["RESTIC_REPOSITORY"].rpartition("/")[2]) == ("old-ml", "old-ml")
    assert f"{CORE}/secrets/{name}" in jobs.api.deleted
    assert "canary" not in json.dumps([made for made in jobs.api.made if made["kind"] == "Job"])
    assert "canary" not in result.out + result.err
    own = next(made for made in jobs.api.made if made["kind"] == "Job" and verb_of(made) == "backup")
    assert environment(own)["PLATFORM"] == "acme-ml"


def test_another_platforms_backup_may_lie_below_another_prefix(
    jobs: Jobs, ziggurat: Any, tmp_path: Path
) -> None:
    key = tmp_path / "key.txt"
    key.write_text("of-old-ml")

    result = ziggurat(*CONFIRMED, "--from", "old-ml", "--prefix", "kept", "--password-file", key)

    values = restored(jobs)
    assert result.code == 0
    assert (values["PLATFORM"], values["RESTIC_REPOSITORY"].rpartition("/")[2]) == ("old-ml", "kept")


def test_a_prefix_alone_names_no_platform(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat(*CONFIRMED, "--prefix", "kept")

    assert (result.code, "--prefix needs --from" in result.err, jobs.api.made) == (2, True, [])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (12, "the password is not the repository's"),
        (10, "there is no repository yet"),
        (65, "there is no such backup of this platform"),
    ],
)
def test_a_repository_that_refuses_is_explained_and_nothing_follows(
    jobs: Jobs, ziggurat: Any, tmp_path: Path, code: int, said: str
) -> None:
    key = tmp_path / "key.txt"
    key.write_text("canary-wrong")
    jobs.endings["restore"] = Ending("fetch", code, "as restic says it")

    result = ziggurat(*CONFIRMED, "--from", "old-ml", "--password-file", key)

    (secret,) = [made for made in jobs.api.made if made["kind"] == "Secret"]
    assert (result.code, said in result.err, jobs.ran[-1]) == (1, True, "restore")
    assert "step fetch" in result.err
    assert f"{CORE}/pods/mlflow-0" not in jobs.api.deleted
    assert f"{CORE}/secrets/{secret['metadata']['name']}" in jobs.api.deleted


@pytest.mark.parametrize("step", ["inspect", "artifacts", "database"])
def test_a_step_that_fails_ends_it_there(jobs: Jobs, ziggurat: Any, step: str) -> None:
    jobs.endings["restore"] = Ending(step, 1, "what it said")

    result = ziggurat(*CONFIRMED)

    assert (result.code, jobs.ran[-1]) == (1, "restore")
    assert f"step {step}" in result.err
    assert "restoring failed: what it said" in result.err
    assert f"{CORE}/pods/mlflow-0" not in jobs.api.deleted


def test_a_backup_that_cannot_be_made_first_stops_the_restore(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending("dump", 1, "the database is away")

    result = ziggurat(*CONFIRMED)

    assert (result.code, jobs.ran) == (1, ["list", "backup"])
    assert "backing up failed: the database is away" in result.err


def test_an_upgrade_that_fails_after_it_is_named(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["upgrade"] = Ending("upgrade", 1, "no such revision")

    result = ziggurat(*CONFIRMED)

    assert (result.code, jobs.ran[-1]) == (1, "upgrade")
    assert "bringing the database to the server's schemas failed: no such revision" in result.err


def test_a_job_to_be_run_again_that_is_gone_is_told(jobs: Jobs, ziggurat: Any) -> None:
    for path in [path for path in jobs.api.objects if path.startswith(f"{BATCH}/jobs/mlflow-accounts")]:
        jobs.api.remove(path)

    result = ziggurat(*CONFIRMED)

    assert result.code == 1
    assert "there is no Job of mlflow-accounts to be run again" in result.err
    assert "the data is restored" in result.err


def test_a_server_that_does_not_come_back_is_told(
    jobs: Jobs, ziggurat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ziggurat.backup.restoring._READY_SECONDS", 0.2)
    jobs.api.on_deleted = lambda _: None

    result = ziggurat(*CONFIRMED)

    assert (result.code, "the server is not ready" in result.err) == (1, True)
    assert "accounts" not in jobs.ran


def test_jobs_run_again_lose_what_the_cluster_gave_the_first(jobs: Jobs, ziggurat: Any) -> None:
    path = next(path for path in jobs.api.objects if path.startswith(f"{BATCH}/jobs/mlflow-upgrade"))
    labels = jobs.api.objects[path]["spec"]["template"]["metadata"].setdefault("labels", {})
    labels |= {"batch.kubernetes.io/controller-uid": "u", "job-name": "j"}

    ziggurat(*CONFIRMED)

    again = next(made for made in jobs.api.made if verb_of(made) == "upgrade")
    assert again["metadata"]["name"].startswith("mlflow-upgrade-restored-")
    found = again["spec"]["template"]["metadata"]["labels"]
    assert found["app.kubernetes.io/name"] == "mlflow-upgrade"
    assert not found.keys() & {"batch.kubernetes.io/controller-uid", "job-name"}
