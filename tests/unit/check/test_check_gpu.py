"""`ziggurat check gpu`: the Job it makes, what it says where a GPU works, and where none is got."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kube_api import KubeApi, serve

NAMESPACE = "acme-vision"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
WORKLOADS = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{NAMESPACE}/workloads"
NODES = "/api/v1/nodes"
BLUEPRINT = """\
apiVersion: ziggurat/v1
name: acme
phase: orchestration
teams: {pricing: {}, vision: {quota: {gpus: 2}}}
queues: {}
gpuPools:
  a100: {provider: karpenter, accelerator: nvidia-a100-80gb, gpusPerNode: 8}
  t4: {nodeSelector: {acme.io/gpu: t4}}
"""
LABELS = {"ziggurat.dev/platform": "acme", "ziggurat.dev/pool": "a100"}
SEEN = (
    "NVIDIA A100-SXM4-80GB, 81920 MiB, 580.126.09\n[Vector addition of 50000 elements]\nTest PASSED\nDone\n"
)


@pytest.fixture
def blueprint(tmp_path: Path) -> Path:
    file = tmp_path / "acme.yaml"
    file.write_text(BLUEPRINT)
    return file


@pytest.fixture
def api(tmp_path: Path, blueprint: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[KubeApi]:
    """The platform's cluster, where nothing becomes of a Job unless a test says so."""
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(min(seconds, 0.02)))  # type: ignore[misc]
    with serve({}, 0, tmp_path) as (api, cluster):
        target = SimpleNamespace(
            platform="acme", stack="acme", description="context c", context="c", sandbox=False
        )
        run = SimpleNamespace(target=target, phase="orchestration")
        monkeypatch.setattr("ziggurat.commands.check_gpu.open_platform", lambda *_, **__: run)
        monkeypatch.setattr("ziggurat.commands.check_gpu.require_containers", lambda *_: None)
        monkeypatch.setattr("ziggurat.commands.check_gpu.serving", lambda _: (cluster, {}))
        yield api


@pytest.fixture
def check(blueprint: Path, capsys: pytest.CaptureFixture[str]):
    """Runs `check gpu`: its exit code, and what it says of each pool."""
    from ziggurat.cli import run

    def call(*arguments: str, pool: str = "a100") -> SimpleNamespace:
        given = ["check", "gpu", str(blueprint), "--pool", pool, "--timeout", "1", *arguments]
        code = run(given)
        printed = capsys.readouterr()
        return SimpleNamespace(code=int(code), out=printed.out, err=printed.err)

    return call


def pod(api: KubeApi, job: dict[str, Any], **more: Any) -> None:
    name = job["metadata"]["name"]
    labels = {"batch.kubernetes.io/job-name": name}
    metadata = {"name": f"{name}-x", "namespace": NAMESPACE, "labels": labels}
    api.add(PODS, {"metadata": metadata, "spec": {}, **more})


def ends(api: KubeApi, *, log: str = SEEN, code: int = 0) -> None:
    """Every Job gets a GPU of a node, and ends so."""

    def play(job: dict[str, Any]) -> None:
        state = {"name": "gpu", "state": {"terminated": {"exitCode": code}}}
        pod(api, job, spec={"nodeName": "gpu-1"}, status={"containerStatuses": [state]})
        api.objects[f"{PODS}/{job['metadata']['name']}-x/log"] = log
        job["status"] = {"conditions": [{"type": "Failed" if code else "Complete", "status": "True"}]}

    api.on_made = play


def unplaced(api: KubeApi, message: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    api.on_made = lambda job: pod(api, job, status={"conditions": [condition]})


def node(api: KubeApi, gpus: int | None) -> None:
    allocatable = {} if gpus is None else {"nvidia.com/gpu": str(gpus)}
    api.add(NODES, {"metadata": {"name": "gpu-1", "labels": LABELS}, "status": {"allocatable": allocatable}})


def test_a_gpu_that_works_is_named_and_the_job_is_deleted(api: KubeApi, check: Any) -> None:
    ends(api)
    done = check()
    assert done.code == 0, done.err
    assert "NVIDIA A100-SXM4-80GB, 81920 MiB, 580.126.09, on node gpu-1" in done.out
    (job,) = api.made
    assert [f"{JOBS}/{job['metadata']['name']}"] == api.deleted


def test_the_job_is_the_teams_own_work_on_the_pool(api: KubeApi, check: Any) -> None:
    ends(api)
    check()
    (job,) = api.made
    spec = job["spec"]["template"]["spec"]
    assert job["metadata"]["namespace"] == NAMESPACE, "the first team that may take GPUs"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "vision"
    assert spec["nodeSelector"] == LABELS
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert job["spec"]["backoffLimit"] == 0


def test_json(api: KubeApi, check: Any) -> None:
    ends(api)
    shown = json.loads(check("--json").out)
    assert shown["passed"] is True
    assert shown["checks"][0]["team"] == "vision"


def test_a_node_without_driver_is_said_with_what_the_container_said(api: KubeApi, check: Any) -> None:
    ends(api, log="sh: 1: nvidia-smi: not found\n", code=127)
    done = check()
    assert done.code == 1
    assert "nvidia-smi: not found" in done.out
    assert "no working driver" in done.out
    assert api.deleted


def test_a_kernel_that_computes_wrong_is_a_failure(api: KubeApi, check: Any) -> None:
    ends(api, log="NVIDIA T4\nTest FAILED\n")
    done = check()
    assert (done.code, "computed wrong" in done.out) == (1, True)


def test_no_node_is_said_with_who_would_have_made_one(api: KubeApi, check: Any) -> None:
    unplaced(api, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.")
    done = check()
    assert done.code == 1
    assert "no node has the labels ziggurat.dev/platform=acme,ziggurat.dev/pool=a100" in done.out
    assert "didn't match Pod's node affinity/selector" in done.out
    assert "kubectl describe nodepool acme-a100" in done.out
    assert api.deleted


def test_what_karpenter_says_of_the_pod_is_said(api: KubeApi, check: Any) -> None:
    unplaced(api, "0/2 nodes are available")
    placed = api.on_made

    def play(job: dict[str, Any]) -> None:
        placed(job)
        event = {
            "metadata": {"name": "e"},
            "reason": "FailedScheduling",
            "message": "no instance type has enough resources",
            "reportingComponent": "karpenter",
            "involvedObject": {"name": f"{job['metadata']['name']}-x"},
        }
        api.add(EVENTS, event)
        api.add(EVENTS, {**event, "metadata": {"name": "f"}, "reportingComponent": "default-scheduler"})

    api.on_made = play
    assert "karpenter: no instance type has enough resources" in check().out


def test_nodes_of_existing_pools_have_to_be_labelled(api: KubeApi, check: Any) -> None:
    unplaced(api, "0/2 nodes are available")
    assert "kubectl label node NODE acme.io/gpu=t4" in check(pool="t4").out


def test_nodes_that_do_not_say_that_they_have_gpus_lack_a_device_plugin(api: KubeApi, check: Any) -> None:
    unplaced(api, "0/3 nodes are available: 1 Insufficient nvidia.com/gpu.")
    node(api, None)
    assert "none says that it has nvidia.com/gpu" in (out := check().out)
    assert "device plugin" in out


def test_gpus_that_are_taken_or_tainted_are_said_as_the_scheduler_says_it(api: KubeApi, check: Any) -> None:
    unplaced(api, "0/3 nodes are available: 1 node(s) had untolerated taint {acme.io/reserved: }.")
    node(api, 8)
    done = check()
    assert "untolerated taint {acme.io/reserved: }" in done.out
    assert "kubectl describe nodes -l" in done.out


def test_a_full_queue_is_said_as_kueue_says_it(api: KubeApi, check: Any) -> None:
    def play(job: dict[str, Any]) -> None:
        job["metadata"]["uid"] = "u-1"
        job["spec"]["suspend"] = True
        condition = {"type": "QuotaReserved", "status": "False", "message": "insufficient unused quota"}
        owner = {"uid": "u-1"}
        api.add(
            WORKLOADS,
            {"metadata": {"name": "w", "ownerReferences": [owner]}, "status": {"conditions": [condition]}},
        )

    api.on_made = play
    done = check()
    assert done.code == 1
    assert "it waits in the queue of team vision: insufficient unused quota" in done.out


def test_a_quota_is_said_as_the_cluster_says_it(api: KubeApi, check: Any) -> None:
    def play(job: dict[str, Any]) -> None:
        message = 'pods "x" is forbidden: exceeded quota: team'
        involved = {"name": job["metadata"]["name"]}
        event = {"metadata": {"name": "e"}, "reason": "FailedCreate", "message": message}
        api.add(EVENTS, {**event, "involvedObject": involved})

    api.on_made = play
    assert "exceeded quota: team" in check().out


def test_an_image_that_cannot_be_pulled_is_said(api: KubeApi, check: Any) -> None:
    waiting = {"name": "gpu", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    api.on_made = lambda job: pod(
        api, job, spec={"nodeName": "gpu-1"}, status={"containerStatuses": [waiting]}
    )
    assert "on node gpu-1: ImagePullBackOff not found" in check().out


def test_a_team_without_gpus_is_skipped_and_nothing_was_checked(api: KubeApi, check: Any) -> None:
    done = check("--team", "pricing")
    assert (done.code, api.made) == (1, [])
    assert "skipped" in done.out
    assert "team pricing has no quota of GPUs" in done.out


@pytest.mark.parametrize("arguments", [["--team", "nobody"], []])
def test_what_is_not_there_is_refused_before_anything_is_made(
    api: KubeApi, check: Any, arguments: list[str]
) -> None:
    done = check(*arguments, pool="a100" if arguments else "h100")
    assert done.code == 1
    assert "name one of these" in done.err
    assert api.made == []
