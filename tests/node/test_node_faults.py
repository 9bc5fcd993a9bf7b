"""Things go wrong while a client writes five times a second: what was acknowledged is there afterwards."""

from __future__ import annotations

import os
import random
import time

import pytest
from onenode import cluster, faults
from onenode.writing import writing

from ziggurat.exit_codes import ExitCode
from ziggurat.progress import silent

TABLE = "Faults while a client writes five times a second"
_KILLS = int(os.environ.get("NODE_POINTS", "3"))
"""At how many points `up` is killed; `NODE_POINTS=20 make test-node` is the full proof: 10 minutes more."""
_SEED = 20
_AWAY = 60
"""Seconds from when its pod is told to end until it is wanted again."""


@pytest.fixture
def fault(platform, uri, python, table, tmp_path):
    """Writes while the body of `with fault(NAME)` runs."""
    return lambda name: writing(platform, python, tmp_path, name, table)


@pytest.fixture
def as_was(platform):
    """Puts the blueprint back and applies it, whatever became of the test."""
    before = platform.blueprint.read_text()
    yield before
    platform.blueprint.write_text(before)
    platform.up()


def assert_no_change(platform):
    shown = platform.ziggurat("preview", str(platform.blueprint), "--stand-in", "--refresh")
    assert "no change" in shown.stdout, shown.stdout


def with_quota(blueprint, number):
    """The blueprint with a change that a run makes and no pod notices."""
    return blueprint.replace("pricing: {}", f"pricing: {{quota: {{cpu: {number}}}}}")


@pytest.mark.parametrize("app", ["mlflow", "postgresql", "seaweedfs"])
def test_a_killed_pod_loses_nothing(platform, fault, app):
    with fault(f"{app}: killed twice"):
        for _ in range(2):
            faults.kill(platform, app)


def test_the_node_s_services_restarted(platform, node, fault):
    with fault("all of the node's services restarted"):
        cluster.restart(node, silent())
    for app in ("mlflow", "postgresql", "seaweedfs"):
        faults.wait_ready(platform, app)


def test_a_node_that_crashes(platform, node, settings, fault):
    """All of it is killed, its containers too, as where power is lost; the next start cleans up."""
    with fault("the node killed with all its containers, and started again"):
        cluster.crash(node)
        assert not cluster.is_up(node)
        left = cluster.leftovers(node)
        assert any("mount" in each for each in left), left
        cluster.up(node, settings, silent())
        for app in ("mlflow", "postgresql", "seaweedfs"):
            faults.wait_ready(platform, app)


def test_a_full_disk_of_the_database(platform, fault):
    """It refuses what it cannot store, and goes on when there is space."""
    with (
        faults.small_disk(platform, "postgresql", "postgresql-data", "400m") as folder,
        fault("database's disk full for 30 s") as writer,
    ):
        ballast = faults.fill(folder)
        try:
            writer.wait("failed", 1)
            time.sleep(30)
        finally:
            ballast.unlink()


def test_the_bucket_away_for_a_minute(platform, fault):
    with fault(f"bucket away for {_AWAY} s") as writer:
        start = time.monotonic()
        with faults.away(platform, "seaweedfs"):
            time.sleep(max(0, start + _AWAY - time.monotonic()))
        assert writer.count("failed")


def test_a_run_killed_at_random_points(platform, fault, as_was):
    """Each run has a change to make, is killed with all that it started, and is run again."""
    chance, points = random.Random(_SEED), []  # noqa: S311  # points in time, nothing secret
    platform.blueprint.write_text(with_quota(as_was, 8 + _KILLS))
    start = time.monotonic()
    platform.up()
    whole = time.monotonic() - start
    with fault(f"`up` killed at {_KILLS} points, and run again"):
        for number in range(_KILLS):
            platform.blueprint.write_text(with_quota(as_was, 9 + number))
            run = platform.start(*platform.up_words)
            points.append(round(chance.uniform(0, whole), 1))
            time.sleep(points[-1])
            faults.kill_whole(run)
            platform.up()
            assert quota(platform) == str(9 + number)
    print(f"killed after {points} s of {whole:.1f} s")
    assert_no_change(platform)


def quota(platform):
    found = platform.objects("resourcequota", f"{platform.name}-pricing")
    return next(each["spec"]["hard"]["requests.cpu"] for each in found)


def test_two_runs_at_once(platform, fault, as_was):
    """One of them is told that the other is at work, and changes nothing."""
    with fault("two `up` at once"):
        platform.blueprint.write_text(with_quota(as_was, 40))
        runs = [platform.start(*platform.up_words) for _ in range(2)]
        said = [run.communicate()[1] for run in runs]
    codes = sorted(run.returncode for run in runs)
    assert codes == [ExitCode.OK, ExitCode.LOCKED], said
    assert quota(platform) == "40"
    assert_no_change(platform)


def test_credentials_rotated(platform, fault):
    """All but the passwords of people: those are theirs to enter."""
    names = (
        "database",
        "database-owner",
        "bucket",
        "bucket-provisioner",
        "bucket-backup",
        "sessions",
        "admin",
    )
    with fault("every credential of the platform rotated"):
        platform.ziggurat("rotate", str(platform.blueprint), *names, "--yes", "--stand-in")
    assert_no_change(platform)


def test_a_schema_upgrade_that_fails(platform, fault):
    """The server that runs keeps serving, the message says what failed, and the next run completes it."""
    (read,) = platform.sql("SELECT version_num FROM alembic_version")
    with fault("schema upgrade Job fails, then succeeds"):
        platform.sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        try:
            failed = platform.ziggurat(
                "rotate", str(platform.blueprint), "admin", "--yes", "--stand-in", check=False
            )
            assert failed.returncode == ExitCode.FAILED, failed.stderr
            assert "mlflow-upgrade" in failed.stderr
            assert "ffffffffffff" in failed.stderr  # the Job's own last words
            assert faults.ready(platform, "mlflow")
        finally:
            platform.sql(f"UPDATE alembic_version SET version_num = '{read}'")  # noqa: S608  # its own value
        platform.up()
    assert_no_change(platform)
