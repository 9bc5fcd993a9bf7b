"""`check` against a real MLflow server with the platform's accounts, over real WebSockets; and bad days."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kube_api import OUTPUTS, PASSWORDS, USERS, serve

sys.path.append(str(Path(__file__).parents[1] / "accounts"))  # the real MLflow server of its tests

from mlflow_server import ADMIN, ADMIN_PASSWORD, Mlflow, start
from servers import free_port

from components.tracking import BASIC_AUTH
from ziggurat.check import Result, check_platform
from ziggurat.errors import ZigguratError
from ziggurat.progress import silent

Objects = dict[str, Any]


def outcomes(results: tuple[Result, ...], team: str = "") -> dict[str, str]:
    return {result.name: result.outcome.value for result in results if result.team == team}


def checked(objects: Objects, port: int, folder: Path, **options: Any) -> tuple[Result, ...]:
    with serve(objects, port, folder) as (_, cluster):
        return check_platform(
            cluster, options.pop("outputs", OUTPUTS), progress=silent(), **{"seconds": 30.0, **options}
        )


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    python = os.environ.get("ZIGGURAT_TEST_MLFLOW_PYTHON")
    if not python:
        pytest.skip("name a Python with mlflow[auth] in ZIGGURAT_TEST_MLFLOW_PYTHON")
    for server in start(python, tmp_path_factory.mktemp("mlflow"), BASIC_AUTH, {}):
        accounts = {user: {team: "user"} for team, user in USERS.items()}
        files = {"desired": {"workspaces": sorted(USERS), "accounts": accounts}, "passwords": PASSWORDS}
        for name, data in files.items():
            (server.folder / name).write_text(json.dumps(data))
        made = server.script(
            "accounts.py",
            *(str(server.folder / name) for name in files),
            MLFLOW_TRACKING_URI=server.uri,
            MLFLOW_TRACKING_USERNAME=ADMIN,
            MLFLOW_TRACKING_PASSWORD=ADMIN_PASSWORD,
        )
        assert made.returncode == 0, made.stderr
        yield server


def port(mlflow: Mlflow) -> int:
    found = urlsplit(mlflow.uri).port
    assert found
    return found


TEAM = {"quota", "account", "run", "artifact", "model", "isolation", "cleanup"}


def test_every_check_passes_and_nothing_is_left(mlflow: Mlflow, objects: Objects, tmp_path: Path) -> None:
    results = checked(objects, port(mlflow), tmp_path)

    assert outcomes(results) == dict.fromkeys(("volumes", "way", "health", "anonymous"), "ok")
    for team in USERS:
        assert outcomes(results, team) == dict.fromkeys(TEAM, "ok"), results
    assert not [path for path in (mlflow.folder / "artifacts").rglob("*") if path.is_file()]
    assert not any(password in str(results) for password in PASSWORDS.values())


def test_one_team_is_checked_with_a_stranger_of_another(
    mlflow: Mlflow, objects: Objects, tmp_path: Path
) -> None:
    results = checked(objects, port(mlflow), tmp_path, team="vision")

    assert {result.team for result in results} == {"", "vision"}
    assert outcomes(results, "vision")["isolation"] == "ok"


def test_a_platform_of_one_team_has_no_strangers(mlflow: Mlflow, objects: Objects, tmp_path: Path) -> None:
    outputs = {**OUTPUTS, "teams": {"vision": OUTPUTS["teams"]["vision"]}}

    found = outcomes(checked(objects, port(mlflow), tmp_path, outputs=outputs), "vision")

    assert found == {**dict.fromkeys(TEAM, "ok"), "isolation": "skipped"}


def test_a_stranger_who_gets_in_fails_the_check(mlflow: Mlflow, objects: Objects, tmp_path: Path) -> None:
    objects["/api/v1/namespaces/acme-pricing/secrets/mlflow-bob"] = objects[
        "/api/v1/namespaces/acme-vision/secrets/mlflow-ada"
    ]  # the "other" team's account is the same

    results = checked(objects, port(mlflow), tmp_path, team="vision")
    failed = next(result for result in results if result.name == "isolation")

    assert failed.outcome.value == "failed"
    assert "200, not refused" in failed.detail
    assert outcomes(results, "vision")["cleanup"] == "ok"


def test_a_wrong_password_says_what_to_do_and_is_not_shown(
    mlflow: Mlflow, objects: Objects, tmp_path: Path
) -> None:
    import base64

    data = objects["/api/v1/namespaces/acme-vision/secrets/mlflow-ada"]["data"]
    data["MLFLOW_TRACKING_PASSWORD"] = base64.b64encode(b"canary-of-another-time").decode()

    results = checked(objects, port(mlflow), tmp_path, team="vision")
    run = next(result for result in results if result.name == "run")

    assert (run.outcome.value, "401" in run.detail, "ziggurat up" in run.remedy) == ("failed", True, True)
    assert outcomes(results, "vision")["cleanup"] == "skipped"
    assert "canary" not in str(results)


def test_a_secret_that_is_missing_is_named(mlflow: Mlflow, objects: Objects, tmp_path: Path) -> None:
    del objects["/api/v1/namespaces/acme-vision/secrets/mlflow-ada"]

    account = next(
        result
        for result in checked(objects, port(mlflow), tmp_path, team="vision")
        if result.name == "account"
    )

    assert (account.outcome.value, account.detail) == (
        "failed",
        "there is no Secret mlflow-ada in acme-vision",
    )


def test_a_pod_that_is_not_ready_ends_it(objects: Objects, tmp_path: Path) -> None:
    objects["/api/v1/namespaces/acme/pods"][0]["status"] = {}

    results = checked(objects, free_port(), tmp_path)

    assert outcomes(results) == {"volumes": "ok", "way": "failed"}
    assert "no pod of the tracking server is ready" in results[-1].detail


def test_a_port_that_nobody_serves_is_told_as_the_kubelet_tells_it(objects: Objects, tmp_path: Path) -> None:
    results = checked(objects, free_port(), tmp_path)

    assert outcomes(results)["health"] == "failed"
    assert "connection refused" in next(result for result in results if result.name == "health").detail
    assert "run" not in outcomes(results, "vision")


def test_a_forward_that_is_forbidden_names_the_right(objects: Objects, tmp_path: Path) -> None:
    objects["/api/v1/namespaces/acme/pods/mlflow-0/portforward"] = 403

    health = next(result for result in checked(objects, free_port(), tmp_path) if result.name == "health")

    assert "forwards no port: refused with 403" in health.detail
    assert "pods/portforward" in health.remedy


@pytest.mark.parametrize(
    ("quotas", "expected", "outcome"),
    [
        ([], True, "failed"),
        ([], False, "skipped"),
        ([{"status": {"hard": {"pods": "4"}, "used": {"pods": "4"}}}], True, "failed"),
        ([{"status": {"hard": {"requests.cpu": "1"}, "used": {"requests.cpu": "500m"}}}], True, "ok"),
    ],
)
def test_a_quota_is_there_and_has_room(
    objects: Objects, tmp_path: Path, quotas: list[Any], expected: bool, outcome: str
) -> None:
    objects["/api/v1/namespaces/acme-vision/resourcequotas"] = quotas
    wanted = frozenset({"acme-vision"}) if expected else frozenset[str]()

    assert outcomes(checked(objects, free_port(), tmp_path, quotas=wanted), "vision")["quota"] == outcome


def counted(**counts: int) -> dict[str, Any]:
    """What a kubelet tells of the database's volume."""
    claim = {"name": "postgresql-data", "namespace": "acme"}
    return {"pods": [{"volume": [{"pvcRef": claim, **counts}]}]}


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        (403, "skipped"),
        ({"pods": []}, "skipped"),
        (counted(capacityBytes=100, availableBytes=5), "failed"),
        (counted(capacityBytes=250, availableBytes=20, usedBytes=70), "ok"),  # the rest is root's own
        (counted(capacityBytes=250, availableBytes=5, usedBytes=85), "failed"),
    ],
)
def test_volumes_are_counted_and_never_guessed(
    objects: Objects, tmp_path: Path, summary: Any, outcome: str
) -> None:
    objects["/api/v1/nodes/one/proxy/stats/summary"] = summary

    assert outcomes(checked(objects, free_port(), tmp_path))["volumes"] == outcome


def test_a_team_that_is_not_there_is_an_error(objects: Objects, tmp_path: Path) -> None:
    with pytest.raises(ZigguratError, match="there is no team sales"):
        checked(objects, free_port(), tmp_path, team="sales")
