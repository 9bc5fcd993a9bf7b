"""A data scientist outside the cluster, with just what `ziggurat connect` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from onenode.platform import run_client

TABLE = "A client outside of the cluster"
_MIB = 1 << 20


@pytest.mark.parametrize("size", [1, 50 * _MIB, 1024 * _MIB], ids=["1 B", "50 MiB", "1 GiB"])
def test_runs_artifacts_and_models_come_back(platform, uri, python, table, size, tmp_path):
    env = platform.connect("vision")
    assert env["MLFLOW_TRACKING_URI"] == uri
    done = run_client(python, env, tmp_path, "roundtrip.py", str(size))
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            table.add(**json.loads(line))


def test_every_pod_is_admitted_under_restricted_and_requests_little(platform, table):
    """What the namespaces enforce, what the pods ask for, and what they use."""
    spaces = [
        each for each in platform.objects("namespace") if each["metadata"]["name"].startswith(platform.name)
    ]
    levels = {each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for each in spaces}
    assert levels == {"restricted"}
    # Pods of Jobs have ended: those that put back damaged backups in another test by failing.
    running = [each for each in platform.objects("pod", platform.name) if not _of_a_job(each)]
    assert {each["status"]["phase"] for each in running} == {"Running"}
    requests = [each["resources"]["requests"] for pod in running for each in pod["spec"]["containers"]]
    cpu = sum(int(each["cpu"].removesuffix("m")) for each in requests)
    memory = sum(_mebibytes(each["memory"]) for each in requests)
    table.add(what=f"running pods request {cpu} m CPU, {memory} Mi; kubepods use", seconds=_used())
    assert cpu <= 1000
    assert memory <= 2560


def _of_a_job(pod: dict[str, Any]) -> bool:
    return any(owner["kind"] == "Job" for owner in pod["metadata"]["ownerReferences"])


def _mebibytes(text: str) -> int:
    return int(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def _used() -> str:
    for file in ("memory/kubepods/memory.usage_in_bytes", "kubepods/memory.current"):
        path = Path("/sys/fs/cgroup", file)
        if path.exists():
            return f"{int(path.read_text()) >> 20} Mi, page cache included"
    return "?"
