"""A real MLflow server, as the platform runs it: the same upgrade, the same switches, the same flags.

It needs a Python that has MLflow: the one running the tests, or what ZIGGURAT_TEST_MLFLOW_PYTHON names
(`pip install "mlflow[auth]==3.17.2"` into an environment of its own). Without, these tests are skipped and
say so. With ZIGGURAT_TEST_POSTGRESQL=HOST:PORT/DATABASE (and PGUSER, PGPASSWORD) they use that database.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers import free_port

from blueprints.model.access import ClientSecretRef, OidcAuth
from blueprints.model.teams import Team
from components.auth import oidc_authorization
from components.signon.issuer import issuer_of
from components.tracking import _SWITCHES, auth_config

SCRIPTS = Path(__file__).parents[3] / "components" / "scripts"
ADMIN, ADMIN_PASSWORD = "admin", "the-admin-password-1"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


def request(uri: str, method: str, path: str, headers: dict[str, str], data: Any = None) -> Answer:
    body = None if data is None else json.dumps(data).encode()
    headers = {"Content-Type": "application/json", **headers}
    call = urllib.request.Request(f"{uri}{path}", body, headers, method=method)  # noqa: S310  # our own
    try:
        with urllib.request.urlopen(call, timeout=60) as response:  # noqa: S310
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return Answer(status, json.loads(text))
    except ValueError:
        return Answer(status, text.decode())


@dataclass(frozen=True)
class Mlflow:
    """A running server, and what its scripts are run with."""

    python: str
    uri: str
    environment: dict[str, str]
    folder: Path

    def script(self, name: str, *args: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, str(SCRIPTS / name), *args],
            env={**self.environment, **extra},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )


def oidc_files(auth: OidcAuth, teams: Mapping[str, Team]) -> dict[str, str]:
    """The files of MLflow's authorization function for `auth`."""
    issuer = issuer_of(auth, "acme-ml")
    assert issuer is not None
    return dict(oidc_authorization(issuer, auth.client_id, auth.admin, teams).files)


def oidc_auth(issuer: str) -> OidcAuth:
    """A blueprint's single sign-on; not validated, since the language wants https and a test has none."""
    return OidcAuth.model_construct(
        mode="oidc",
        issuer=issuer,
        client_id="ziggurat",
        client_secret=ClientSecretRef(secret_name="oidc-client"),
        username_claim="email",
        groups_claim="groups",
        admin_groups=("ml-admins",),
        admin=ADMIN,
    )


def converge(
    mlflow: Mlflow, desired: dict[str, Any], passwords: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs the accounts script; its output shows no password."""
    files = {"accounts.json": desired, "passwords.json": passwords}
    for name, data in files.items():
        (mlflow.folder / name).write_text(json.dumps(data))
    done = mlflow.script(
        "accounts.py",
        *(str(mlflow.folder / name) for name in files),
        MLFLOW_TRACKING_URI=mlflow.uri,
        MLFLOW_TRACKING_USERNAME=ADMIN,
        MLFLOW_TRACKING_PASSWORD=ADMIN_PASSWORD,
    )
    assert not any(password in done.stdout + done.stderr for password in passwords.values())
    return done


def make_team_accounts(mlflow: Mlflow, password: str) -> None:
    """The workspaces of two teams, and an account `vision` in the one of that name."""
    desired = {"workspaces": ["pricing", "vision"], "accounts": {"vision": {"vision": "user"}}}
    made = converge(mlflow, desired, {"vision": password})
    assert made.returncode == 0, made.stderr


def start(
    python: str,
    folder: Path,
    function: str,
    files: dict[str, str],
    database: str | None = None,
    *flags: str,
) -> Iterator[Mlflow]:
    """A server with its own database, or in `database`, and with `files` beside its configuration."""
    uri = database or f"sqlite:///{folder}/mlflow.db"
    for name, text in {"auth.ini": auth_config(uri, function), **files}.items():
        (folder / name).write_text(text)
    passed = {key: os.environ[key] for key in ("PATH", "PGUSER", "PGPASSWORD") if key in os.environ}
    environment = {
        **passed,
        **_SWITCHES,
        "HOME": str(folder),
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-flask-server",
        "PYTHONPATH": str(folder),
    }
    port = free_port()
    mlflow = Mlflow(python, f"http://127.0.0.1:{port}", environment, folder)
    upgraded = mlflow.script("upgrade.py")
    assert upgraded.returncode == 0, upgraded.stderr
    command = [python, "-m", "mlflow", "server", f"--port={port}", "--workers=2", "--app-name=basic-auth"]
    command += ["--enable-workspaces", "--serve-artifacts", "--allowed-hosts=localhost:*,127.0.0.1:*", *flags]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        _wait(mlflow, process)
        yield mlflow
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _wait(mlflow: Mlflow, process: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        assert process.poll() is None, (mlflow.folder / "server.log").read_text()
        try:
            urllib.request.urlopen(f"{mlflow.uri}/health", timeout=2).close()  # noqa: S310
        except OSError:
            time.sleep(1)
        else:
            return
    pytest.fail((mlflow.folder / "server.log").read_text())
