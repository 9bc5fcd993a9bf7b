"""`ziggurat backup`: the Jobs it makes of the platform's CronJobs, and what it says of how they end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from backup_api import BATCH, CORE, FIRST, Ending, Jobs, containers, environment, snapshot


def test_a_backup_is_a_job_of_the_cron_jobs_template(jobs: Jobs, ziggurat: Any) -> None:
    cron_job = jobs.api.objects[f"{BATCH}/cronjobs/backup"]

    result = ziggurat("backup", "now")

    made = jobs.api.made[0]
    assert (result.code, jobs.ran) == (0, ["backup", "list"])
    assert made["metadata"]["name"].startswith("backup-manual-")
    assert made["metadata"]["labels"] == cron_job["spec"]["jobTemplate"]["metadata"]["labels"]
    assert made["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert (made["spec"]["backoffLimit"], made["spec"]["ttlSecondsAfterFinished"]) == (0, 86400)
    expected = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [each["command"] for each in containers(made)] == [
        each["command"] for each in [*expected["initContainers"], *expected["containers"]]
    ]
    assert environment(made)["TAG"] == "manual"
    assert environment(made)["KEEP"] == "7"


def test_a_backup_is_told_and_its_jobs_are_deleted(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat("backup", "now")

    assert result.out == "cccc0000  2026-03-03 01:30:00 UTC  manual             3.0 MiB  12 files\n"
    names = [made["metadata"]["name"] for made in jobs.api.made]
    assert jobs.api.deleted == [f"{BATCH}/jobs/{name}" for name in names]


def test_a_backup_for_machines(jobs: Jobs, ziggurat: Any) -> None:
    result = ziggurat("backup", "now", "--json")

    assert json.loads(result.out) == {
        "made": {
            "id": "cccc0000",
            "time": "2026-03-03T01:30:00+00:00",
            "kind": "manual",
            "bytes": 3 * 1024**2,
            "files": 12,
            "pipelines": False,
        }
    }
    assert result.err == ""


@pytest.mark.parametrize("step", ["dump", "copy"])
def test_a_step_that_fails_is_named_with_its_log_and_its_job_stays(
    jobs: Jobs, ziggurat: Any, step: str
) -> None:
    jobs.endings["backup"] = Ending(step, 3, "first line\nthe disk is full\n")

    result = ziggurat("backup", "now")

    name = jobs.api.made[0]["metadata"]["name"]
    assert result.code == 1
    assert "error: backing up failed: first line\nthe disk is full" in result.err
    assert f"where: Job acme-ml/{name}, step {step}" in result.err
    assert (jobs.ran, jobs.api.deleted) == (["backup"], [])


def test_a_step_that_says_nothing_is_told_by_its_exit_code(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending("copy", 137, "")

    result = ziggurat("backup", "now")

    assert (result.code, "exit code 137" in result.err, "step copy" in result.err) == (1, True, True)


def test_a_failure_for_machines(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending("dump", 1, "no route")

    result = ziggurat("backup", "now", "--json")

    error = json.loads(result.out)["error"]
    assert (error["message"], error["exitCode"], result.code) == ("backing up failed: no route", 1, 1)
    assert error["where"].endswith(", step dump")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (12, "the password is not the repository's"),
        (11, "the repository is locked by another"),
        (10, "there is no repository yet"),
    ],
)
def test_the_repositorys_refusals_are_explained(jobs: Jobs, ziggurat: Any, code: int, said: str) -> None:
    jobs.endings["verify"] = Ending("fetch", code, "Fatal: as restic says it")

    result = ziggurat("backup", "verify")

    assert (result.code, said in result.err, "to do: " in result.err) == (1, True, True)


def test_an_exit_code_means_that_only_of_the_repositorys_steps(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending("dump", 12, "pg_dump: error")

    assert "backing up failed: pg_dump: error" in ziggurat("backup", "now").err


def test_an_image_that_cannot_be_pulled_is_told(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending("dump", waits="ImagePullBackOff")

    result = ziggurat("backup", "now", "--timeout", "1")

    assert result.code == 1
    assert "not done after 1 s: dump: ImagePullBackOff" in result.err
    assert "which goes on" in result.err
    assert jobs.api.deleted == []


def test_a_pod_that_a_quota_refuses_is_told(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["backup"] = Ending(refused="exceeded quota: acme-ml, requested: pods=1")

    result = ziggurat("backup", "now", "--timeout", "1")

    assert result.code == 1
    assert "exceeded quota: acme-ml, requested: pods=1" in result.err
    assert "describe job -n acme-ml" in result.err


def test_a_job_that_somebody_deletes_is_told(jobs: Jobs, ziggurat: Any) -> None:
    jobs.api.on_made = lambda item: jobs.api.remove(f"{BATCH}/jobs/{item['metadata']['name']}")

    result = ziggurat("backup", "now")

    assert (result.code, "somebody deleted the Job" in result.err) == (4, True)


def test_a_refused_job_is_an_error_of_the_cluster(jobs: Jobs, ziggurat: Any) -> None:
    jobs.api.objects[f"{BATCH}/jobs"] = 403

    result = ziggurat("backup", "now")

    assert (result.code, "refused with 403" in result.err, jobs.ran) == (4, True, [])


def test_an_interrupted_backup_goes_on_and_says_so(
    jobs: Jobs, ziggurat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.endings["backup"] = Ending("dump", waits="PodInitializing")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)

    result = ziggurat("backup", "now")

    name = jobs.api.made[0]["metadata"]["name"]
    assert result.code == 130
    assert f"Job acme-ml/{name}, which goes on" in result.err
    assert "backup list" in result.err or f"job-name={name}" in result.err
    assert jobs.api.deleted == []
    assert f"{BATCH}/jobs/{name}" in jobs.api.objects


@pytest.mark.parametrize("verb", ["now", "list", "verify", "password"])
def test_a_platform_without_backups_says_how_to_have_them(jobs: Jobs, ziggurat: Any, verb: str) -> None:
    for name in ("backup", "restore"):
        jobs.api.remove(f"{BATCH}/cronjobs/{name}")

    result = ziggurat("backup", verb)

    assert result.code == 1
    assert "the platform has no backups" in result.err
    assert "backup: {}" in result.err
    assert jobs.api.made == []


def test_backups_are_listed_in_the_order_of_their_time(jobs: Jobs, ziggurat: Any) -> None:
    jobs.snapshots.insert(0, snapshot("dddd4444", "2026-03-02T23:00:00-05:00", "before-restore"))

    result = ziggurat("backup", "list")

    assert result.out.splitlines() == [
        "aaaa1111  2026-03-01 01:30:00 UTC  scheduled          3.0 MiB  12 files",
        "bbbb2222  2026-03-02 01:30:00 UTC  manual             3.0 MiB  12 files",
        "dddd4444  2026-03-03 04:00:00 UTC  before-restore     3.0 MiB  12 files",
    ]


def test_listing_works_on_the_repository_alone(jobs: Jobs, ziggurat: Any) -> None:
    ziggurat("backup", "list")

    (made,) = jobs.api.made
    (container,) = containers(made)
    assert (container["name"], container["command"][-1]) == ("fetch", "list")
    assert not made["spec"]["template"]["spec"].get("initContainers")
    assert not any(name.startswith("PG") for name in environment(made))


def test_a_list_for_machines(jobs: Jobs, ziggurat: Any) -> None:
    shown = json.loads(ziggurat("backup", "list", "--json").out)["backups"]

    assert [each["id"] for each in shown] == ["aaaa1111", "bbbb2222"]
    assert shown[0] == {
        "id": "aaaa1111",
        "time": "2026-03-01T01:30:00.123456+00:00",
        "kind": "scheduled",
        "bytes": 3145728,
        "files": 12,
        "pipelines": False,
    }


@pytest.mark.parametrize("log", ["[]", "null"])
def test_no_backup_yet(jobs: Jobs, ziggurat: Any, log: str) -> None:
    jobs.endings["list"] = Ending(log=log)

    assert ziggurat("backup", "list").out == "no backup yet: ziggurat backup now makes one\n"
    assert json.loads(ziggurat("backup", "list", "--json").out) == {"backups": []}


@pytest.mark.parametrize(
    "log", ["Killed", '[{"id": "x"}]', '{"short_id": 1}', '[{"short_id": "a", "time": "?"}]']
)
def test_a_list_that_cannot_be_read_is_an_error_and_no_traceback(jobs: Jobs, ziggurat: Any, log: str) -> None:
    jobs.endings["list"] = Ending(log=log)

    result = ziggurat("backup", "list")

    assert (result.code, "the list of backups cannot be read" in result.err) == (1, True)


def test_a_backup_without_a_summary_has_no_size(jobs: Jobs, ziggurat: Any) -> None:
    jobs.snapshots = [{key: value for key, value in FIRST.items() if key not in ("summary", "tags")}]

    (shown,) = json.loads(ziggurat("backup", "list", "--json").out)["backups"]

    assert (shown["kind"], shown["bytes"], shown["files"]) == ("", 0, 0)


def test_verify_counts_what_it_read(jobs: Jobs, ziggurat: Any) -> None:
    assert ziggurat("backup", "verify").out == "2 backups read: every checksum is right\n"
    assert json.loads(ziggurat("backup", "verify", "--json").out) == {"verified": 2}


def test_a_damaged_backup_fails_the_verification(jobs: Jobs, ziggurat: Any) -> None:
    jobs.endings["verify"] = Ending("fetch", 1, "pack 12ab: hash does not match id")

    result = ziggurat("backup", "verify")

    assert (result.code, result.out, jobs.ran) == (1, "", ["verify"])
    assert "pack 12ab: hash does not match id" in result.err


def test_the_password_is_printed_and_needs_no_job(jobs: Jobs, ziggurat: Any) -> None:
    assert ziggurat("backup", "password").out == "canary-repository\n"
    assert jobs.api.made == []


def test_a_password_that_is_gone_says_what_makes_it_again(jobs: Jobs, ziggurat: Any) -> None:
    jobs.api.remove(f"{CORE}/secrets/backup-repository")

    result = ziggurat("backup", "password")

    assert (result.code, "up --refresh" in result.err) == (1, True)


def test_no_verb_but_password_shows_the_password(jobs: Jobs, ziggurat: Any) -> None:
    for verb in ("now", "list", "verify"):
        result = ziggurat("backup", verb)
        assert "canary" not in result.out + result.err
