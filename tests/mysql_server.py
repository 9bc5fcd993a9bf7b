"""A real MySQL that is set up as the platform's is, and the script that backups run before it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import free_port, unprivileged

from components.pipelines.database import init_statements
from components.scripts import script

PASSWORDS = {"root": "root-1", "mlpipeline": r"a\b\"c#d e'f$`", "metadb": "metadb-secret-2"}
"""The first of the two that log in has every character that an option file treats in its own way."""


def programs() -> Path:
    """The folder with MySQL's own programs."""
    named = os.environ.get("ZIGGURAT_TEST_MYSQL")
    found = shutil.which("mysqld")
    for folder in (Path(named) if named else None, Path(found).parent if found else None):
        if folder and all((folder / name).exists() for name in ("mysqld", "mysql", "mysqldump")):
            return folder
    pytest.skip("there is no MySQL: name a folder with mysqld, mysql and mysqldump in ZIGGURAT_TEST_MYSQL")


@dataclass(frozen=True)
class MySql:
    """A running server."""

    programs: Path
    port: int
    socket: Path
    scratch: Path
    """What the script has as its folder /scratch/pipelines."""
    password: str = PASSWORDS["root"]
    """Root's."""

    def sql(self, statements: str, *options: str) -> str:
        """What root is answered, on the server's own machine."""
        client = [self.programs / "mysql", "--no-defaults", f"--socket={self.socket}", "--user=root"]
        client += ["--batch", "--skip-column-names", "--raw", *options]
        environment = {**os.environ, "MYSQL_PWD": self.password}
        done = subprocess.run(
            client, input=statements, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, verb: str, *, text: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Runs the script as its container does; no password is in what it says or leaves behind."""
        text = (text or script("pipelines.sh")).replace("/tmp/", f"{self.scratch.parent}/tmp/")
        (self.scratch.parent / "tmp").mkdir(exist_ok=True)
        environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(self.port),
            "API_DATABASE": "mlpipeline",
            "API_USER": "mlpipeline",
            "API_PASSWORD": PASSWORDS["mlpipeline"],
            "METADATA_DATABASE": "metadb",
            "METADATA_USER": "metadb",
            "METADATA_PASSWORD": PASSWORDS["metadb"],
            **more,
        }
        done = subprocess.run(
            ["sh", "-c", text, "pipelines.sh", verb, str(self.scratch)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not [word for word in PASSWORDS.values() if word in done.stdout + done.stderr]
        assert list((self.scratch.parent / "tmp").iterdir()) == []
        return done


@contextmanager
def running(statements: str = "", password: str = PASSWORDS["root"]) -> Generator[MySql]:
    """One server with the platform's users, on an empty volume; with those that a platform's own `statements`
    make, where they are given."""
    found = programs()
    folder = Path(tempfile.mkdtemp(prefix="ziggurat-mysql-"))
    user, port = unprivileged(folder), free_port()
    # Later versions than the platform's know no mysql_native_password.
    statements = statements or init_statements(PASSWORDS_IN_SQL)
    statements = statements.replace("WITH mysql_native_password BY", "BY")
    init = folder / "init.sql"
    init.write_text(statements)
    init.chmod(0o644)
    data, log, where = folder / "data", folder / "log", folder / "socket"
    common = [found / "mysqld", "--no-defaults", f"--datadir={data}", "--secure-file-priv=NULL"]
    made = subprocess.run([*common, "--initialize-insecure"], capture_output=True, check=False, **user)
    assert made.returncode == 0, made.stderr
    command = [*common, f"--init-file={init}", f"--port={port}", f"--socket={where}", "--mysqlx=OFF"]
    command += ["--bind-address=127.0.0.1", "--disable-log-bin", "--skip-name-resolve"]
    command += ["--character-set-server=utf8mb4", f"--pid-file={folder / 'pid'}"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, **user)
    try:
        for _ in range(600):
            if where.exists() and "ready for connections" in log.read_text():
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield MySql(found, port, where, folder / "scratch", password)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


PASSWORDS_IN_SQL = {user: word.replace("\\", "\\\\").replace("'", "\\'") for user, word in PASSWORDS.items()}
"""The platform's own passwords have no such characters; those of a server that is brought may."""
