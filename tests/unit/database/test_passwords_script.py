"""The script that sets rotated passwords, against a real PostgreSQL that is set up as the platform's is.

It needs PostgreSQL's own programs (`initdb`, found on PATH or below /usr/lib/postgresql) and a Python with
psycopg2: the one running the tests, or what ZIGGURAT_TEST_MLFLOW_PYTHON names. Without, these tests are
skipped and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers import free_port, unprivileged

from components.database.embedded import INIT_SCRIPT

SCRIPT = Path(__file__).parents[3] / "components" / "scripts" / "passwords.py"
FIRST = {"postgres": "owner-first-password", "mlflow": "mlflow-first-password"}
TICK = """
import sys, psycopg2
connection = psycopg2.connect(user=sys.argv[1], password=sys.stdin.readline().strip())
connection.autocommit = True
cursor = connection.cursor()
for line in sys.stdin:
    cursor.execute("SELECT session_user")
    print(cursor.fetchone()[0], flush=True)
"""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL."""

    python: str
    port: int
    log: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGDATABASE": "mlflow",
            "PGSSLMODE": "disable",
            "PGCONNECT_TIMEOUT": "5",
        }

    def run(self, passwords: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Runs the script; nothing that it or the server says shows a password."""
        file = self.folder / "passwords.json"
        file.write_text(json.dumps(passwords))
        done = subprocess.run(
            [self.python, str(SCRIPT), str(file)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        said = done.stdout + done.stderr + self.log.read_text()
        for role in passwords.values():
            for password in (role["present"], *role["earlier"]):
                assert password not in said
        return done

    def session(self, role: str, password: str) -> subprocess.Popen[str]:
        """A client that asks who it is, once for each line that it is sent."""
        client = subprocess.Popen(
            [self.python, "-c", TICK, role],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert client.stdin is not None
        client.stdin.write(password + "\n")
        client.stdin.flush()
        return client

    def accepts(self, role: str, password: str) -> bool:
        """Whether a login with it works."""
        client = self.session(role, password)
        client.communicate(timeout=30)
        return client.returncode == 0


def ask(client: subprocess.Popen[str]) -> str:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


def programs() -> Path:
    """The folder with all of the programs that are needed."""
    found = shutil.which("initdb")
    folders = [*([Path(found).parent] if found else []), *Path("/usr/lib/postgresql").glob("*/bin")]
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql", "pg_isready")):
            return folder
    pytest.skip("there is no PostgreSQL: initdb is neither on PATH nor below /usr/lib/postgresql")


@pytest.fixture(scope="module")
def driver() -> str:
    python = os.environ.get("ZIGGURAT_TEST_MLFLOW_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import psycopg2"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no psycopg2: name one that has in ZIGGURAT_TEST_MLFLOW_PYTHON")
    return python


@pytest.fixture
def server(driver: str) -> Iterator[Server]:
    """PostgreSQL with every statement in its log, initialized by the platform's own script."""
    folder = Path(tempfile.mkdtemp(prefix="ziggurat-postgresql-"))
    user, port = unprivileged(folder, "postgres"), free_port()
    data, log, bin_folder = folder / "data", folder / "log", programs()
    secret = folder / "initial"
    secret.write_text(FIRST["postgres"])
    secret.chmod(0o644)
    init = [bin_folder / "initdb", "--pgdata", data, "--username=postgres", f"--pwfile={secret}"]
    init += ["--auth-host=scram-sha-256", "--auth-local=trust", "--no-sync"]
    subprocess.run(init, cwd=folder, check=True, capture_output=True, **user)
    settings = {"log_statement": "all", "log_connections": "on", "log_min_messages": "info", "fsync": "off"}
    command = [bin_folder / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
    command += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with log.open("a") as file:  # appending, so that it can be emptied
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, **user)
    try:
        ready = [bin_folder / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(150):
            if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PGHOST": str(folder),
            "PGPORT": str(port),
        }
        environment |= {"MLFLOW_PASSWORD": FIRST["mlflow"]}
        subprocess.run(["sh", "-c", INIT_SCRIPT], env=environment, check=True, capture_output=True)
        log.write_text("")  # the image's own script sends the first password in a statement
        yield Server(driver, port, log, folder)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_password_is_changed_once_and_sessions_go_on(server: Server) -> None:
    wanted = {"mlflow": {"present": "mlflow-second-password", "earlier": [FIRST["mlflow"]]}}
    client = server.session("mlflow", FIRST["mlflow"])
    assert ask(client) == "mlflow"

    first, again = server.run(wanted), server.run(wanted)

    assert (first.returncode, first.stdout) == (0, "role mlflow: password changed\n"), first.stderr
    assert (again.returncode, again.stdout) == (0, "role mlflow: has its password\n"), again.stderr
    assert ask(client) == "mlflow", "a session that was open is cut off"
    client.communicate(timeout=30)
    assert server.accepts("mlflow", "mlflow-second-password")
    assert not server.accepts("mlflow", FIRST["mlflow"])
    assert server.accepts("postgres", FIRST["postgres"]), "another role's password was touched"


def test_both_roles_at_once_the_superuser_too(server: Server) -> None:
    done = server.run(
        {
            role: {"present": f"{role}-second-password", "earlier": [password]}
            for role, password in FIRST.items()
        }
    )

    assert done.returncode == 0, done.stderr
    assert all(server.accepts(role, f"{role}-second-password") for role in FIRST)
    assert not any(server.accepts(role, password) for role, password in FIRST.items())


def test_a_volume_from_two_rotations_ago_is_caught_up(server: Server) -> None:
    done = server.run(
        {"mlflow": {"present": "mlflow-third-password", "earlier": ["mlflow-second-pass", FIRST["mlflow"]]}}
    )

    assert done.stdout == "role mlflow: password changed\n", done.stderr
    assert server.accepts("mlflow", "mlflow-third-password")


def test_a_volume_that_was_made_with_the_present_password_is_left_alone(server: Server) -> None:
    done = server.run({"mlflow": {"present": FIRST["mlflow"], "earlier": ["never-its-password"]}})

    assert done.stdout == "role mlflow: has its password\n", done.stderr
    assert "ALTER ROLE" not in server.log.read_text()


def test_no_password_that_fits_is_an_error_which_says_whose(server: Server) -> None:
    done = server.run({"mlflow": {"present": "not-its-password", "earlier": ["nor-this-one-either"]}})

    assert done.returncode == 1
    assert "role mlflow: neither its password nor one of 1 earlier ones" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.accepts("mlflow", FIRST["mlflow"])


def test_the_server_is_sent_a_verifier_and_never_the_password(server: Server) -> None:
    server.run({"mlflow": {"present": "mlflow-second-password", "earlier": [FIRST["mlflow"]]}})

    log = server.log.read_text()
    assert "ALTER ROLE mlflow PASSWORD 'SCRAM-SHA-256$" in log
    assert "mlflow-second-password" not in log


def test_a_server_that_does_not_answer_is_no_wrong_password(server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        elsewhere = Server(server.python, probe.getsockname()[1], server.log, server.folder)
        done = elsewhere.run(
            {"mlflow": {"present": "any-password-at-all", "earlier": ["any-other-password"]}}
        )

    assert done.returncode == 1
    assert "the database:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_role_that_is_no_name_is_refused(server: Server) -> None:
    done = server.run({"mlflow; DROP ROLE": {"present": "any-password-at-all", "earlier": []}})

    assert done.returncode == 1
    assert "no role's name" in done.stderr
