"""The script that dumps the databases of pipelines and puts them back, before a real MySQL.

It needs MySQL's own programs, on PATH or in the folder that ZIGGURAT_TEST_MYSQL names. Without, these tests
are skipped and say so; what the script calls, and with what, is tested without them at the end.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mysql_server import PASSWORDS, MySql, running

from components.pipelines.database import init_statements
from components.scripts import script

DATABASES = ("mlpipeline", "metadb")
CONTENT = r"""
CREATE TABLE mlpipeline.run_details (UUID varchar(36) PRIMARY KEY, Name varchar(255) NOT NULL,
    WorkflowRuntimeManifest longtext, KEY by_name (Name)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE mlpipeline.tasks (UUID varchar(36) PRIMARY KEY, RunUUID varchar(36) NOT NULL,
    Number int AUTO_INCREMENT, UNIQUE KEY (Number),
    CONSTRAINT tasks_RunUUID_run_details_UUID_foreign FOREIGN KEY (RunUUID)
    REFERENCES mlpipeline.run_details (UUID) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO mlpipeline.run_details VALUES
    ('r1', 'größer — 運行 🚀', '{"a": "it''s \\ \"quoted\"\n;DELIMITER $$\r\n"}'),
    ('r2', 'large', REPEAT('x', 3000000));
INSERT INTO mlpipeline.tasks (UUID, RunUUID) VALUES ('t1', 'r1'), ('t2', 'r2'), ('t3', 'r2');
CREATE TABLE metadb.Execution (id int AUTO_INCREMENT PRIMARY KEY, proto mediumblob, made bigint);
INSERT INTO metadb.Execution (proto, made) VALUES (x'00ff0a0d1a5c2722', 1), (NULL, 2);
"""


def content(server: MySql) -> str:
    """Every table's definition and a checksum of its rows."""
    tables = server.sql(
        "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables "
        "WHERE table_schema IN ('mlpipeline', 'metadb') ORDER BY 1"
    ).split()
    asked = "".join(f"SHOW CREATE TABLE {table}; CHECKSUM TABLE {table};" for table in tables)
    return server.sql(asked) if tables else ""


def databases(server: MySql) -> set[str]:
    return {name for name in server.sql("SHOW DATABASES").split() if name.startswith(DATABASES)}


@pytest.fixture(scope="module")
def started() -> Iterator[MySql]:
    with running() as server:
        yield server


@pytest.fixture
def mysql(started: MySql, tmp_path: Path) -> MySql:
    """The server with what pipelines would have in it, and nothing else."""
    for name in databases(started):
        started.sql(f"DROP DATABASE {name}")
    for name in DATABASES:
        started.sql(f"CREATE DATABASE {name}")
    started.sql("\n".join(line for line in init_statements(PASSWORDS).splitlines() if "GRANT" in line))
    started.sql(CONTENT)
    return MySql(started.programs, started.port, started.socket, tmp_path / "pipelines")


def test_what_was_dumped_comes_back_in_place_of_what_there_is(mysql: MySql) -> None:
    before = content(mysql)
    dumped = mysql.run("dump")
    mysql.sql("DELETE FROM mlpipeline.run_details; DROP TABLE metadb.Execution;")
    mysql.sql("CREATE TABLE metadb.newer (id int); CREATE TABLE mlpipeline.newer (id int);")
    changed = content(mysql)

    staged = mysql.run("stage")
    beside = content(mysql)
    swapped = mysql.run("swap")

    assert dumped.returncode == 0  # MySQL 9.7 has something to say of policies that it cannot read
    assert (staged.returncode, staged.stderr, beside) == (0, "", changed)
    assert (swapped.returncode, swapped.stderr) == (0, "")
    assert content(mysql) == before != changed
    assert databases(mysql) == set(DATABASES)
    mysql.sql("DELETE FROM mlpipeline.run_details WHERE UUID = 'r2'")
    assert mysql.sql("SELECT UUID FROM mlpipeline.tasks").split() == ["t1"]


def test_dumps_of_the_same_content_are_equal(mysql: MySql) -> None:
    """So restic finds that nothing changed."""
    mysql.run("dump")
    first = {file.name: file.read_bytes() for file in mysql.scratch.iterdir()}
    time.sleep(1.1)
    mysql.run("dump")

    assert set(first) == {"mlpipeline.sql", "metadb.sql"}
    assert first == {file.name: file.read_bytes() for file in mysql.scratch.iterdir()}
    assert {file.stat().st_mode & 0o777 for file in mysql.scratch.iterdir()} == {0o600}


def test_a_dump_comes_back_into_databases_that_are_empty(mysql: MySql) -> None:
    before = content(mysql)
    mysql.run("dump")
    for name in DATABASES:
        mysql.sql(f"DROP DATABASE {name}; CREATE DATABASE {name}")

    assert [mysql.run(verb).returncode for verb in ("stage", "swap")] == [0, 0]
    assert content(mysql) == before


def test_databases_that_were_empty_come_back_empty(mysql: MySql) -> None:
    """A backup may be made before the server has made its tables."""
    for name in DATABASES:
        mysql.sql(f"DROP DATABASE {name}; CREATE DATABASE {name}")
    mysql.run("dump")
    mysql.sql(CONTENT)

    assert [mysql.run(verb).returncode for verb in ("stage", "swap")] == [0, 0]
    assert content(mysql) == ""


@pytest.mark.parametrize("name", DATABASES)
def test_a_dump_that_was_cut_short_changes_nothing(mysql: MySql, name: str) -> None:
    mysql.run("dump")
    file = mysql.scratch / f"{name}.sql"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[: len(lines) // 2]))
    before = content(mysql)

    done = mysql.run("stage")

    assert (done.returncode, done.stderr) == (65, f"the dump of {name} is not complete\n")
    assert content(mysql) == before
    assert databases(mysql) == set(DATABASES)


def test_a_dump_that_does_not_load_changes_nothing(mysql: MySql) -> None:
    mysql.run("dump")
    file = mysql.scratch / "metadb.sql"
    file.write_text(file.read_text().replace("CREATE TABLE", "CREATE TABEL"))
    before = content(mysql)

    done = mysql.run("stage")

    assert done.returncode == 1
    assert "ERROR 1064" in done.stderr
    assert content(mysql) == before


def test_without_rights_on_databases_beside_it_nothing_changes(mysql: MySql) -> None:
    mysql.run("dump")
    mysql.sql(r"REVOKE ALL PRIVILEGES ON `metadb\_%`.* FROM 'metadb'@'%'")
    before = content(mysql)

    done = mysql.run("stage")

    assert done.returncode == 1
    assert "Access denied for user 'metadb'@'%' to database 'metadb_restored'" in done.stderr
    assert content(mysql) == before


def test_a_table_in_use_is_waited_for_and_then_nothing_of_its_database_changes(mysql: MySql) -> None:
    before = content(mysql)
    mysql.run("dump")
    mysql.sql("DELETE FROM mlpipeline.tasks")
    changed = content(mysql)
    mysql.run("stage")
    hasty = script("pipelines.sh").replace("lock_wait_timeout = 60", "lock_wait_timeout = 1")
    holder = subprocess.Popen(
        [
            mysql.programs / "mysql",
            "--no-defaults",
            f"--socket={mysql.socket}",
            "--user=root",
            "--unbuffered",
        ],
        env={"MYSQL_PWD": PASSWORDS["root"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write("BEGIN; SELECT COUNT(*) FROM mlpipeline.tasks;\n")
    holder.stdin.flush()
    holder.stdout.readline()

    refused = mysql.run("swap", text=hasty)
    unchanged = content(mysql)
    holder.communicate(timeout=30)
    again = [mysql.run(verb).returncode for verb in ("stage", "swap")]

    assert refused.returncode == 1
    assert "Lock wait timeout exceeded" in refused.stderr
    assert unchanged == changed
    assert again == [0, 0]
    assert content(mysql) == before


def test_a_wrong_password_is_told_and_shown_nowhere(mysql: MySql) -> None:
    done = mysql.run("dump", METADATA_PASSWORD="another-word")

    assert done.returncode == 2
    assert "Access denied for user 'metadb'" in done.stderr
    assert "another-word" not in done.stderr


@pytest.mark.parametrize("verb", ["stage", "swap"])
def test_a_backup_of_before_there_were_pipelines_leaves_them_as_they_are(mysql: MySql, verb: str) -> None:
    before = content(mysql)
    (mysql.scratch / "artifacts").mkdir(parents=True)  # as the repository's script leaves it

    done = mysql.run(verb)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the backup has nothing of pipelines: they are left as they are\n"
    assert content(mysql) == before


@pytest.fixture
def noted(tmp_path: Path) -> MySql:
    """Programs in MySQL's place that note what they are called with and what their option file says."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("mysql", "mysqldump"):
        file = folder / name
        file.write_text(
            f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/calls\n'
            f'cat "${{1#--defaults-file=}}" >>{tmp_path}/logins\n'
        )
        file.chmod(0o755)
    return MySql(folder, 3306, tmp_path / "none", tmp_path / "pipelines")


def test_passwords_are_in_files_and_on_no_command_line(noted: MySql, tmp_path: Path) -> None:
    noted.run("dump")
    for name in DATABASES:
        (noted.scratch / f"{name}.sql").write_text("-- Dump completed\n")
    noted.run("stage")
    noted.run("swap")

    calls, logins = (tmp_path / "calls").read_text(), (tmp_path / "logins").read_text()
    assert [line.split()[-1] for line in calls.splitlines()[:2]] == list(DATABASES)
    assert len(calls.splitlines()) == 2 + 4 + 6
    assert not [word for word in PASSWORDS.values() if word in calls]
    assert all("--defaults-file=" in line.split()[1] for line in calls.splitlines())
    assert 'password="metadb-secret-2"' in logins
    assert r"""password="a\\b\\\"c#d e'f$`" """.strip() in logins


def test_a_dump_is_one_transaction_that_needs_no_right_on_the_server(noted: MySql, tmp_path: Path) -> None:
    noted.run("dump")

    options = (tmp_path / "calls").read_text().splitlines()[0].split()
    assert {"--single-transaction", "--set-gtid-purged=OFF", "--no-tablespaces"} <= set(options)
    assert f"--result-file={noted.scratch}/mlpipeline.sql" in options
