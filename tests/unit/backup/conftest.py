"""Fixtures: the verbs `backup` and `restore` before a platform whose Jobs end as the test wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from backup_api import NAMESPACE, WITH_PIPELINES, Jobs, serve_platform
from kube_api import serve

Verb = Callable[..., SimpleNamespace]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Jobs]:
    """The cluster's Jobs; the commands reach it in place of the blueprint's cluster."""
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(min(seconds, 0.02)))  # type: ignore[misc]
    with serve({}, 0, tmp_path) as (api, cluster):
        monkeypatch.setattr(
            "ziggurat.commands.backup.open_serving", lambda *_, **__: (cluster, {"namespace": NAMESPACE})
        )
        yield serve_platform(api)


@pytest.fixture
def orchestrated(jobs: Jobs) -> Jobs:
    """The same, of a platform with pipelines, the latest of whose backups has their part."""
    jobs.api.objects.clear()
    found = serve_platform(jobs.api, WITH_PIPELINES)
    found.snapshots[-1] = found.snapshots[-1] | {"paths": ["/scratch/artifacts", "/scratch/pipelines"]}
    return found


@pytest.fixture
def ziggurat(capsys: pytest.CaptureFixture[str]) -> Verb:
    """Runs one command line in this process: exit code, standard output, standard error."""
    from ziggurat.cli import run

    def call(*arguments: Any) -> SimpleNamespace:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(code=int(code), out=printed.out, err=printed.err)

    return call
