"""Each pod is killed, twice in a row, while a client writes: what was acknowledged is there afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

TABLE = "Faults while a client writes five times a second"
CLIENT = Path(__file__).parent / "client"
_ENOUGH = 8
"""Writes acknowledged between two faults."""


class Writer:
    """The client, and what it noted."""

    def __init__(self, python, env, folder):
        self.python, self.env = python, {**env, "PATH": os.environ["PATH"], "HOME": str(folder)}
        self.notes, self.stop = folder / "notes", folder / "stop"
        self.folder = folder

    def run(self, script, *arguments):
        command = [str(self.python), str(CLIENT / script), *map(str, arguments)]
        log = (self.folder / f"{script}.log").open("w")
        return subprocess.Popen(
            command, env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def acknowledged(self) -> int:
        return self.notes.read_text().count('"acknowledged"') if self.notes.exists() else 0

    def wait(self, more: int, seconds: float = 240) -> None:
        wanted, deadline = self.acknowledged() + more, time.monotonic() + seconds
        while self.acknowledged() < wanted:
            assert time.monotonic() < deadline, self.notes.read_text()[-600:]
            time.sleep(0.2)


def kill(platform, app):
    """Has the kubelet kill the pod after a second, and waits until its successor is ready.

    Not by `--force`: that starts the successor while the predecessor may still write to the same volume, of
    which Kubernetes warns for stateful sets.
    """
    selector = f"app.kubernetes.io/name={app},app.kubernetes.io/instance={platform.name}"
    where = ("-n", platform.name, "-l", selector)
    platform.kubectl("delete", "pod", *where, "--grace-period=1")
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        pods = [
            each
            for each in platform.objects("pod", platform.name)
            if each["metadata"]["labels"].get("app.kubernetes.io/name") == app
            and "deletionTimestamp" not in each["metadata"]
        ]
        conditions = [each for pod in pods for each in pod["status"].get("conditions", [])]
        if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
            return
        time.sleep(0.3)
    raise AssertionError(f"{app} did not come back")


@pytest.mark.parametrize("app", ["mlflow", "postgresql", "seaweedfs"])
def test_a_killed_pod_loses_nothing(platform, uri, python, table, tmp_path, app):
    writer = Writer(python, platform.connect("vision"), tmp_path)
    process = writer.run("writer.py", f"faults-{app}-{time.time_ns()}", writer.notes, writer.stop)
    try:
        writer.wait(_ENOUGH)
        for _ in range(2):
            kill(platform, app)
        writer.wait(3 * _ENOUGH)
    finally:
        writer.stop.touch()
        process.wait(60)
    out, _ = writer.run("verifier.py", writer.notes).communicate(timeout=300)
    found = json.loads(out.splitlines()[-1])
    table.add(
        fault=f"{app}: killed twice",
        acknowledged=found["acknowledged"],
        lost=len(found["lost"]),
        refused_and_tried_again=found["failed"],
        longest_downtime=f"{found['down']} s",
    )
    assert found["lost"] == []
