"""Runs that are stopped, killed or cut off half-way, and objects that are in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ziggurat import sandbox
from ziggurat.exit_codes import ExitCode
from ziggurat.progress import silent

pytestmark = pytest.mark.sandbox


def recorded(machine, name: str) -> int:
    """How many resources the state of a platform holds by now."""
    try:
        return len(machine.state(name).get("resources") or ())
    except (FileNotFoundError, json.JSONDecodeError):
        return 0


def engine_of(machine, name: str) -> int | None:
    """The process that holds the lock on a platform's state; None while there is none."""
    try:
        return next(
            (json.loads(path.read_text())["pid"] for path in machine.locks(name).glob("*.json")), None
        )
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def assert_converged(machine, blueprint, name: str) -> None:
    """Nothing pending, nothing twice, nothing missing, nothing to do."""
    state: dict[str, Any] = machine.state(name)
    assert not state.get("pending_operations")
    assert max(Counter(item["urn"] for item in state["resources"]).values()) == 1
    machine.run("preview", blueprint, "--refresh", "--expect-no-changes")
    assert machine.run("status", blueprint, "--json").json["ready"]


def test_a_run_that_is_interrupted_then_killed_is_taken_on_by_the_next(machine, until):
    blueprint = machine.blueprint("cut")

    stopped = machine.start("up", blueprint, "--yes")
    until(lambda: recorded(machine, "cut") > 8)
    stopped.send_signal(signal.SIGINT)
    ran = machine.finish(stopped)
    assert ran.code == ExitCode.INTERRUPTED, ran.text
    assert "goes on from there" in ran.err
    assert not list(machine.locks("cut").glob("*.json"))

    killed = machine.start("up", blueprint, "--yes")
    cluster = machine.cluster
    until(lambda: cluster.find("apps/v1", "StatefulSet", "cut", "postgresql"))
    engine = until(lambda: engine_of(machine, "cut"))
    found = subprocess.run(["pgrep", "-P", str(engine), "-f", "standin|pulumi-resource"], capture_output=True)
    plugins = found.stdout.decode().split()
    assert plugins
    os.kill(killed.pid, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    machine.finish(killed)
    until(lambda: not [plugin for plugin in plugins if Path(f"/proc/{plugin}").exists()])
    assert list(machine.locks("cut").glob("*.json"))

    resumed = machine.run("up", blueprint, "--yes")
    assert "removing the lock of a run that was killed" in resumed.err
    assert_converged(machine, blueprint, "cut")
    machine.run("destroy", blueprint, "--with-data", "--confirm", "cut")


def test_the_api_server_may_be_restarted_in_the_middle(machine, until):
    blueprint = machine.blueprint("gone")

    process = machine.start("up", blueprint, "--yes")
    until(lambda: recorded(machine, "gone") > 12)
    sandbox.down(machine.settings, silent())
    sandbox.up(machine.settings, silent())
    ran = machine.finish(process)
    assert "Traceback" not in ran.text
    if ran.code:  # the provider may have lived through it
        assert ran.code == ExitCode.FAILED, ran.text
        assert "run the same command again" in ran.err

    machine.run("up", blueprint, "--yes")
    assert_converged(machine, blueprint, "gone")
    machine.run("destroy", blueprint, "--with-data", "--confirm", "gone")


def test_an_object_that_is_there_and_not_ours_is_named_and_left_alone(machine):
    blueprint = machine.blueprint("theirs")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}}
    made = machine.cluster.request("POST", "/api/v1/namespaces", namespace)
    try:
        ran = machine.run("up", blueprint, "--yes", code=ExitCode.BLOCKED)

        assert "Namespace theirs exists already, and this stack did not make it" in ran.err
        assert "give the platform another name" in ran.err
        assert not machine.config("theirs").exists()
        found = machine.cluster.find("v1", "Namespace", "", "theirs")
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        assert (
            "labels" not in found["metadata"]
            or "app.kubernetes.io/part-of" not in found["metadata"]["labels"]
        )
    finally:
        machine.cluster.request("DELETE", "/api/v1/namespaces/theirs")


def test_the_sandbox_that_is_down_is_said_to_be(machine, tmp_path):
    blueprint = machine.blueprint("nowhere", folder=tmp_path)

    ran = machine.run("preview", blueprint, code=ExitCode.CLUSTER, ZIGGURAT_STATE_DIR=str(tmp_path / "empty"))

    assert "the sandbox is absent" in ran.err
    assert "ziggurat sandbox up" in ran.err
