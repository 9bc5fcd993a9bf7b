"""The script that works on the repository of backups, with a real restic: what it saves, and what it fetches.

It needs restic, on PATH or in the folder that ZIGGURAT_TEST_RESTIC names. Without, these tests are skipped
and say so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.pipelines.configuration import API_DATABASE, METADATA_DATABASE
from components.scripts import script

CORE = {"database.dump": "the database", "artifacts/model": "a model"}
PIPELINES = {
    f"pipelines/{API_DATABASE}.sql": "runs",
    f"pipelines/{METADATA_DATABASE}.sql": "metadata",
    "pipelines/artifacts/vision/log": "a log",
}


@dataclass(frozen=True)
class Repository:
    """One repository and the volume on which a Job works."""

    restic: str
    folder: Path

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def fill(self, files: dict[str, str]) -> None:
        """As the steps before `save` leave it."""
        self.empty()
        for name, text in files.items():
            file = self.scratch / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def empty(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def there(self) -> dict[str, str]:
        files = [file for file in self.scratch.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.scratch)): file.read_text() for file in files}

    def run(self, verb: str, **more: str) -> subprocess.CompletedProcess[str]:
        text = script("repository.sh").replace("/scratch", str(self.scratch))
        text = text.replace("/tmp/why", f"{self.folder}/why")
        environment = {
            "PATH": f"{Path(self.restic).parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
            "RESTIC_REPOSITORY": str(self.folder / "repository"),
            "RESTIC_PASSWORD": "word",
            "PLATFORM": "acme",
            "KEEP": "7",
            "TAG": "manual",
            "SNAPSHOT": "latest",
            **more,
        }
        return subprocess.run(
            ["sh", "-c", text, "repository.sh", verb],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def save(self, files: dict[str, str], **more: str) -> None:
        self.fill(files)
        done = self.run("save", **more)
        assert done.returncode == 0, done.stderr
        self.empty()

    def paths(self) -> list[list[str]]:
        listed: list[dict[str, Any]] = json.loads(self.run("list").stdout)
        return [[path.removeprefix(str(self.scratch)) for path in each["paths"]] for each in listed]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = os.environ.get("ZIGGURAT_TEST_RESTIC")
    found = shutil.which("restic", path=folder) if folder else shutil.which("restic")
    if not found:
        pytest.skip("there is no restic: name the folder that has it in ZIGGURAT_TEST_RESTIC")
    return Repository(found, tmp_path)


def test_a_platform_without_pipelines_saves_and_fetches_what_it_has(repository: Repository) -> None:
    repository.save(CORE | PIPELINES)  # what nobody of this platform left there

    done = repository.run("fetch")

    assert (done.returncode, repository.there()) == (0, CORE)
    assert "pipelines" not in done.stdout
    assert repository.paths() == [["/artifacts", "/database.dump"]]
    assert sorted(each.name for each in repository.scratch.iterdir()) == ["artifacts", "database.dump"]


def test_with_pipelines_their_part_is_in_the_same_backup(repository: Repository) -> None:
    repository.save(CORE | PIPELINES, PIPELINES="acme")

    done = repository.run("fetch", PIPELINES="acme")

    assert (done.returncode, repository.there()) == (0, CORE | PIPELINES)
    assert done.stdout.splitlines()[-1] == "pipelines: restored"
    assert repository.paths() == [["/artifacts", "/database.dump", "/pipelines"]]


def test_an_older_backup_leaves_pipelines_as_they_are(repository: Repository) -> None:
    repository.save(CORE)

    done = repository.run("fetch", PIPELINES="acme")

    assert (done.returncode, repository.there()) == (0, CORE)
    assert done.stdout.splitlines()[-1] == "pipelines: kept"
    assert (repository.scratch / "pipelines" / "artifacts").is_dir()  # nothing is copied out of it


def test_where_there_are_no_pipelines_their_part_is_left_out(repository: Repository) -> None:
    repository.save(CORE | PIPELINES, PIPELINES="acme")

    done = repository.run("fetch")

    assert (done.returncode, repository.there()) == (0, CORE)
    assert done.stdout.splitlines()[-1] == "pipelines: absent"


def test_the_part_of_another_platform_is_left_out(repository: Repository) -> None:
    repository.save(CORE | PIPELINES, PIPELINES="acme")

    done = repository.run("fetch", PIPELINES="beta")

    assert (done.returncode, repository.there()) == (0, CORE)
    assert done.stdout.splitlines()[-1] == "pipelines: foreign"


@pytest.mark.parametrize("lost", ["pipelines/mlpipeline.sql", "pipelines/metadb.sql"])
def test_a_part_that_is_not_whole_is_refused(repository: Repository, lost: str) -> None:
    files = {name: text for name, text in (CORE | PIPELINES).items() if name != lost}
    repository.save(files, PIPELINES="acme")

    done = repository.run("fetch", PIPELINES="acme")

    assert done.returncode == 65
    assert f"is not whole: it lacks {lost}" in done.stderr
    assert "pipelines: restored" not in done.stdout


def test_a_damaged_backup_is_refused(repository: Repository) -> None:
    repository.save(CORE | PIPELINES, PIPELINES="acme")
    for pack in (repository.folder / "repository" / "data").rglob("*"):
        if pack.is_file():
            body = bytearray(pack.read_bytes())
            body[len(body) // 3] ^= 255
            pack.chmod(0o600)
            pack.write_bytes(bytes(body))

    verified, fetched = repository.run("verify"), repository.run("fetch", PIPELINES="acme")

    assert verified.returncode != 0
    assert fetched.returncode != 0
    assert "pipelines: restored" not in fetched.stdout


def test_the_latest_is_found_among_backups_with_and_without_pipelines(repository: Repository) -> None:
    repository.save(CORE | PIPELINES, PIPELINES="acme")
    repository.save({**CORE, "artifacts/model": "a newer model"})

    done = repository.run("fetch", PIPELINES="acme")

    assert done.stdout.splitlines()[-1] == "pipelines: kept"
    assert repository.there()["artifacts/model"] == "a newer model"


def test_backups_with_and_without_pipelines_are_kept_by_one_count(repository: Repository) -> None:
    for _ in range(2):
        repository.save(CORE | PIPELINES, PIPELINES="acme", KEEP="2")
    repository.save(CORE, KEEP="2")

    assert [("/pipelines" in paths) for paths in repository.paths()] == [True, False]
