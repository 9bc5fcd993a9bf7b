"""`ziggurat check` on the real node: everything passes, nothing is left, and a broken platform is told."""

from __future__ import annotations

import json
import time

import pytest
from onenode.platform import ask

TABLE = "ziggurat check"
TEAMS = ("pricing", "vision")
EVERYWHERE = {"quota", "account", "run", "artifact", "model", "isolation", "cleanup"}


def check(platform, *options):
    done = platform.ziggurat("check", str(platform.blueprint), "--json", "--stand-in", *options, check=False)
    return done, json.loads(done.stdout)


def passwords(platform):
    for team in TEAMS:
        yield platform.secret(f"{platform.name}-{team}", f"mlflow-{team}")["MLFLOW_TRACKING_PASSWORD"]
    yield platform.secret(platform.name, "mlflow-admin")["password"]


def test_every_check_passes(platform, uri, table):
    done, report = check(platform)
    for item in report["checks"]:
        table.add(
            team=item["team"] or "-", what=item["what"], outcome=item["outcome"], seconds=item["seconds"]
        )
    assert done.returncode == 0, done.stdout
    assert report["passed"]
    for team in TEAMS:
        found = {item["name"]: item["outcome"] for item in report["checks"] if item["team"] == team}
        assert found == dict.fromkeys(EVERYWHERE, "ok")
    for password in passwords(platform):
        assert password not in done.stdout + done.stderr


def test_nothing_is_left(platform, uri):
    check(platform)
    admin = platform.secret(platform.name, "mlflow-admin")
    user = (admin["username"], admin["password"])
    for team in TEAMS:
        headers = {"X-MLFLOW-WORKSPACE": team}
        for path in ("experiments/search?max_results=1000", "registered-models/search?max_results=1000"):
            answer = ask(f"{uri}/api/2.0/mlflow/{path}", user, headers=headers)
            assert answer.status == 200
            assert "ziggurat-check-" not in answer.body


@pytest.mark.usefixtures("uri")
def test_a_server_that_is_away_fails_the_check(platform):
    platform.kubectl("scale", "deployment/mlflow", "-n", platform.name, "--replicas=0")
    try:
        deadline = time.monotonic() + 60
        done, report = check(platform, "--timeout", "5")
        while report["passed"] and time.monotonic() < deadline:
            time.sleep(1)
            done, report = check(platform, "--timeout", "5")
        assert done.returncode == 1, done.stdout
        failed = [item for item in report["checks"] if item["outcome"] == "failed"]
        assert failed
        assert all(item["remedy"] for item in failed)
    finally:
        # As `up` applies objects: no other manager may keep the field.
        platform.ziggurat("up", str(platform.blueprint), "--yes", "--stand-in", "--refresh", "--take-over")
        platform.kubectl("rollout", "status", "deployment/mlflow", "-n", platform.name, "--timeout=180s")
