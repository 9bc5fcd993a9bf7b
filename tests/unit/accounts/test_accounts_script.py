"""The accounts script against a real MLflow server: what it makes, keeps apart, takes away, and repeats."""

from __future__ import annotations

import base64
import subprocess
from typing import Any

import mlflow_server
import pytest
from mlflow_server import ADMIN, ADMIN_PASSWORD, Answer, Mlflow, request

PASSWORDS = {"ada": "the-password-of-ada", "bob": "the-password-of-bob", "both": "the-password-of-both"}
DESIRED: dict[str, Any] = {
    "workspaces": ["pricing", "vision"],
    "accounts": {
        "ada": {"vision": "admin"},
        "bob": {"pricing": "user"},
        "both": {"vision": "user", "pricing": "user"},
    },
}


def converge(
    mlflow: Mlflow, desired: dict[str, Any] = DESIRED, passwords: dict[str, str] = PASSWORDS
) -> subprocess.CompletedProcess[str]:
    return mlflow_server.converge(mlflow, desired, passwords)


def as_user(
    mlflow: Mlflow,
    user: str,
    method: str,
    path: str,
    data: Any = None,
    *,
    workspace: str = "",
    password: str = "",
) -> Answer:
    password = password or PASSWORDS.get(user, ADMIN_PASSWORD)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    if workspace:
        headers["X-MLFLOW-WORKSPACE"] = workspace
    return request(mlflow.uri, method, path, headers, data)


def experiment(mlflow: Mlflow, user: str, workspace: str, name: str) -> Answer:
    return as_user(
        mlflow, user, "POST", "/api/2.0/mlflow/experiments/create", {"name": name}, workspace=workspace
    )


@pytest.fixture(scope="module", autouse=True)
def _converged(mlflow: Mlflow) -> None:
    result = converge(mlflow)
    assert result.returncode == 0, result.stderr


def test_it_says_what_it_made_and_the_second_run_changes_nothing(mlflow: Mlflow) -> None:
    again = converge(mlflow)

    assert again.returncode == 0
    assert again.stdout.splitlines() == ["done: 2 workspaces, 3 accounts"]


def test_each_account_sees_its_workspaces_and_no_other(mlflow: Mlflow) -> None:
    seen = {
        user: {
            w["name"] for w in as_user(mlflow, user, "GET", "/api/3.0/mlflow/workspaces").body["workspaces"]
        }
        for user in PASSWORDS
    }

    assert seen == {"ada": {"vision"}, "bob": {"pricing"}, "both": {"vision", "pricing"}}


def test_a_team_reads_nothing_of_another_team(mlflow: Mlflow) -> None:
    made = experiment(mlflow, "ada", "vision", "secret-plans")
    assert made.status == 200, made.body
    identity = made.body["experiment_id"]
    get = f"/api/2.0/mlflow/experiments/get?experiment_id={identity}"

    assert as_user(mlflow, "ada", "GET", get, workspace="vision").status == 200
    # A colleague reads what others made, and cannot change it.
    assert as_user(mlflow, "both", "GET", get, workspace="vision").status == 200
    rename = {"experiment_id": identity, "new_name": "mine"}
    path = "/api/2.0/mlflow/experiments/update"
    assert as_user(mlflow, "both", "POST", path, rename, workspace="vision").status == 403
    run = as_user(
        mlflow, "ada", "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": identity}, workspace="vision"
    ).body["run"]["info"]["run_id"]
    of_run = f"/api/2.0/mlflow/runs/get?run_id={run}"
    assert as_user(mlflow, "both", "GET", of_run, workspace="vision").status == 200
    assert as_user(mlflow, "bob", "GET", of_run).status in (403, 404)
    for workspace in ("vision", "pricing", ""):
        assert as_user(mlflow, "bob", "GET", get, workspace=workspace).status in (403, 404)
    assert experiment(mlflow, "bob", "vision", "intruder").status == 403


def test_a_user_deletes_their_own_experiments_and_no_others(mlflow: Mlflow) -> None:
    accounts = {**DESIRED["accounts"], "eve": {"vision": "user"}}
    converge(mlflow, {**DESIRED, "accounts": accounts}, {**PASSWORDS, "eve": "the-password-of-eve"})

    def post(path: str, user: str, **data: str) -> Answer:
        password = "the-password-of-eve" if user == "eve" else ""
        url = f"/api/2.0/mlflow/experiments/{path}"
        return as_user(mlflow, user, "POST", url, data, workspace="vision", password=password)

    own, other = (post("create", user, name=f"of-{user}").body["experiment_id"] for user in ("eve", ADMIN))
    deleted = [post("delete", "eve", experiment_id=identity).status for identity in (own, other)]

    assert deleted == [200, 403]
    converge(mlflow)


def test_roles_follow_the_blueprint_and_those_given_by_hand_stay(mlflow: Mlflow) -> None:
    roles = as_user(mlflow, ADMIN, "GET", "/api/3.0/mlflow/roles/list?workspace=vision").body["roles"]
    by_hand = as_user(
        mlflow, ADMIN, "POST", "/api/3.0/mlflow/roles/create", {"name": "by-hand", "workspace": "vision"}
    ).body["role"]["id"]
    as_user(mlflow, ADMIN, "POST", "/api/3.0/mlflow/roles/assign", {"username": "both", "role_id": by_hand})
    assert {"admin", "user", "ziggurat-account"} <= {role["name"] for role in roles}

    moved = {**DESIRED, "accounts": {**DESIRED["accounts"], "both": {"pricing": "admin"}}}
    result = converge(mlflow, moved)

    held = as_user(mlflow, ADMIN, "GET", "/api/3.0/mlflow/users/roles/list?username=both").body["roles"]
    assert {(role["workspace"], role["name"]) for role in held} == {
        ("pricing", "admin"),
        ("pricing", "ziggurat-account"),
        ("vision", "by-hand"),
    }
    assert "account both: role user in vision taken away" in result.stdout
    converge(mlflow)


def test_a_changed_password_is_the_new_one_alone(mlflow: Mlflow) -> None:
    changed = {**PASSWORDS, "bob": "another-password-of-bob"}
    result = converge(mlflow, passwords=changed)
    current = "/api/2.0/mlflow/users/current"

    assert "account bob: password changed" in result.stdout
    assert as_user(mlflow, "bob", "GET", current, password="another-password-of-bob").status == 200
    converge(mlflow)
    assert as_user(mlflow, "bob", "GET", current).status == 200


def test_an_account_that_the_blueprint_drops_is_locked_and_comes_back(mlflow: Mlflow) -> None:
    accounts = {user: roles for user, roles in DESIRED["accounts"].items() if user != "bob"}
    result = converge(mlflow, {**DESIRED, "accounts": accounts})

    assert "account bob: no longer in the blueprint, locked" in result.stdout
    users = as_user(mlflow, ADMIN, "GET", "/api/2.0/mlflow/users/list").body["users"]
    assert {user["username"]: user["roles"] for user in users}["bob"] == []
    again = converge(mlflow, {**DESIRED, "accounts": accounts})
    assert again.stdout.splitlines() == ["done: 2 workspaces, 2 accounts"]
    assert converge(mlflow).returncode == 0
    assert as_user(mlflow, "bob", "GET", "/api/2.0/mlflow/users/current").status == 200


def test_an_account_that_it_never_made_is_left_alone(mlflow: Mlflow) -> None:
    hand_made = {"username": "by-hand", "password": "a-password-by-hand"}
    as_user(mlflow, ADMIN, "POST", "/api/2.0/mlflow/users/create", hand_made)
    converge(mlflow)

    answer = as_user(
        mlflow, "by-hand", "GET", "/api/2.0/mlflow/users/current", password=hand_made["password"]
    )
    assert answer.status == 200


def test_roles_that_were_not_seeded_are_restored(mlflow: Mlflow) -> None:
    roles = as_user(mlflow, ADMIN, "GET", "/api/3.0/mlflow/roles/list?workspace=pricing").body["roles"]
    user_role = next(role["id"] for role in roles if role["name"] == "user")
    as_user(mlflow, ADMIN, "DELETE", "/api/3.0/mlflow/roles/delete", {"role_id": user_role})

    result = converge(mlflow)

    assert "workspace pricing: role user has USE on every workspace" in result.stdout
    assert experiment(mlflow, "bob", "pricing", "after-repair").status == 200


def test_a_wrong_administrator_is_one_clear_line(mlflow: Mlflow) -> None:
    result = mlflow.script(
        "accounts.py",
        str(mlflow.folder / "accounts.json"),
        str(mlflow.folder / "passwords.json"),
        MLFLOW_TRACKING_URI=mlflow.uri,
        MLFLOW_TRACKING_USERNAME=ADMIN,
        MLFLOW_TRACKING_PASSWORD="not-the-password",
    )

    assert result.returncode == 1
    assert result.stderr.startswith("MLflow refused: 401")
    assert "Traceback" not in result.stderr


def test_upgrading_again_changes_nothing_and_restores_the_administrator(mlflow: Mlflow) -> None:
    same = mlflow.script("upgrade.py")
    other = mlflow.script("upgrade.py", MLFLOW_AUTH_ADMIN_PASSWORD="a-new-admin-password")
    back = mlflow.script("upgrade.py")

    assert (same.returncode, other.returncode, back.returncode) == (0, 0, 0)
    assert "administrator" not in same.stdout
    assert "administrator admin: password and rights restored" in other.stdout
    assert ADMIN_PASSWORD not in back.stdout + back.stderr
