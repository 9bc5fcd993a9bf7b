"""What is read from a stack's export, and who holds its lock."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from ziggurat.engine import locks
from ziggurat.engine.preflight import is_ours
from ziggurat.engine.state import read
from ziggurat.exit_codes import ExitCode

STACK = "urn:pulumi:acme::ziggurat::pulumi:pulumi:Stack::ziggurat-acme"


def resource(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """A Kubernetes object as the state holds it."""
    metadata = {"name": name, "namespace": "acme", "labels": {"app.kubernetes.io/component": "tracking"}}
    return {
        "urn": f"urn:pulumi:acme::ziggurat::kubernetes:core/v1:{kind}::{name}",
        "type": f"kubernetes:core/v1:{kind}",
        "inputs": {"apiVersion": "v1", "kind": kind, "metadata": metadata},
        **more,
    }


def export(*resources: dict[str, Any], pending: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """An export of a stack."""
    stack = {"urn": STACK, "type": "pulumi:pulumi:Stack", "outputs": {"platform": "acme"}}
    return {
        "version": 3,
        "deployment": {"resources": [stack, *resources], "pending_operations": list(pending)},
    }


def test_a_stack_that_is_not_there_is_empty() -> None:
    state = read(None)

    assert not state.exists
    assert state.empty


def test_objects_the_blueprint_and_the_outputs_are_found() -> None:
    record = {
        "urn": "urn:pulumi:acme::ziggurat::pulumi:index:Stash::blueprint",
        "type": "pulumi:index:Stash",
        "inputs": {"input": {"name": "acme", "phase": "starter"}},
        # The engine's own way: `output` stays what the record was first made with.
        "outputs": {"input": {"name": "acme", "phase": "starter"}, "output": {"name": "acme"}},
    }

    state = read(export(resource("Service", "mlflow", protect=True), record))

    (service,) = state.objects
    assert (service.label, service.component) == ("Service acme/mlflow", "tracking")
    assert service.protected
    assert state.blueprint == {"name": "acme", "phase": "starter"}
    assert state.rotations == {}
    assert state.outputs == {"platform": "acme"}
    assert not state.half_done


def test_pending_operations_and_unfinished_replacements_mean_half_done() -> None:
    pending = {"type": "creating", "resource": resource("Service", "mlflow")}

    assert [item.name for item in read(export(pending=(pending,))).pending] == ["mlflow"]
    assert read(export(pending=(pending,))).half_done
    assert read(export(resource("Service", "a", pendingReplacement=True))).half_done
    assert read(export(resource("Service", "a", delete=True))).half_done


def test_an_object_that_waits_for_its_deletion_is_not_the_platform_s() -> None:
    assert read(export(resource("Service", "a", delete=True))).objects == ()


def lock_file(backend: Path, pid: int, host: str) -> None:
    folder = backend / ".pulumi" / "locks" / "organization" / "ziggurat" / "acme"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"pid": pid, "username": "ana", "hostname": host, "timestamp": "2026-11-01T10:00:00Z"}
    (folder / f"{pid}.json").write_text(json.dumps(content))


GONE = 2**22 + 7
"""Beyond the largest process id of Linux."""


def test_a_lock_of_a_process_that_is_gone_is_stale_here_only(tmp_path: Path) -> None:
    lock_file(tmp_path, GONE, socket.gethostname())
    (here,) = locks.in_folder(tmp_path, "ziggurat", "acme")
    assert here.stale

    lock_file(tmp_path, GONE, "another-machine")
    assert [lock.stale for lock in locks.in_folder(tmp_path, "ziggurat", "acme")] == [False]


def test_a_lock_whose_number_belongs_to_another_program_now_is_stale() -> None:
    assert locks.Lock("ana", socket.gethostname(), os.getpid(), "").stale  # this is pytest, and no engine


def test_the_error_says_who_since_when_and_how_to_unlock() -> None:
    text = (
        "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete "
        "the lock file with `pulumi cancel`.\n  file:///s/locks/x.json: created by ana@far (pid 12) at "
        "2026-11-01T10:00:00Z"
    )

    error = locks.locked(locks.in_text(text), "acme")

    assert error.exit_code == ExitCode.LOCKED
    assert "process 12 of ana on far, since 2026-11-01T10:00:00Z" in error.message
    assert "wait for that run to end" in error.remedy
    assert "pulumi cancel --stack acme" in error.remedy


def test_the_error_says_that_a_killed_run_left_its_lock() -> None:
    error = locks.locked([locks.Lock("ana", socket.gethostname(), GONE, "now")], "acme")

    assert "that process no longer runs" in error.message
    assert "the run that took it was killed" in error.remedy


def labelled(instance: str, managed_by: str = "ziggurat") -> dict[str, Any]:
    labels = {"app.kubernetes.io/instance": instance, "app.kubernetes.io/managed-by": managed_by}
    return {"metadata": {"name": "x", "labels": labels}}


def test_only_an_object_with_this_platform_s_labels_is_ours() -> None:
    assert is_ours(labelled("acme"), labelled("acme"))
    assert not is_ours(labelled("other"), labelled("acme"))
    assert not is_ours(labelled("acme", "Helm"), labelled("acme"))
    assert not is_ours({"metadata": {"name": "x"}}, labelled("acme"))
    assert not is_ours({"metadata": {}}, {"metadata": {}})
