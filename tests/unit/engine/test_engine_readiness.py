"""Whether an object is ready, and the reason it gives if not."""

from __future__ import annotations

from typing import Any

import pytest

from ziggurat.engine.readiness import pod_trouble, verdict

Object = dict[str, Any]


def deployment(**status: Any) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {"name": "mlflow", "generation": 2},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "mlflow"}}},
        "status": {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2, **status},
    }


def pod(**status: Any) -> Object:
    return {"metadata": {"name": "mlflow-x", "labels": {"app": "mlflow", "more": "1"}}, "status": status}


def waiting(reason: str, message: str = "") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[{"name": "server", "state": state}])


def test_a_missing_object_is_not_ready_and_says_what_brings_it_back() -> None:
    judged = verdict(None)

    assert not judged.ready
    assert "ziggurat up --refresh" in judged.why


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (deployment(), ""),
        (deployment(availableReplicas=1), "1 of 2 replicas ready"),
        (deployment(updatedReplicas=0), "0 of 2 replicas ready"),
        (deployment(observedGeneration=1), "the latest change has not been taken up yet"),
        ({"kind": "StatefulSet", "spec": {}, "status": {"readyReplicas": 1, "updatedReplicas": 1}}, ""),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Bound"}}, ""),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}, "volume pending"),
        ({"kind": "Namespace", "status": {"phase": "Terminating"}}, "terminating"),
        ({"kind": "Service"}, ""),
        ({"kind": "Service", "metadata": {"deletionTimestamp": "now"}}, "being deleted"),
        ({"kind": "Job", "status": {"conditions": [{"type": "Complete", "status": "True"}]}}, ""),
        ({"kind": "Job", "status": {}}, "has not ended yet"),
        (
            {
                "kind": "Job",
                "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "Backoff"}]},
            },
            "failed: Backoff",
        ),
        (
            {"kind": "DaemonSet", "status": {"desiredNumberScheduled": 3, "numberReady": 1}},
            "1 of 3 nodes ready",
        ),
    ],
)
def test_each_kind_has_its_own_sign_of_readiness(live: Object, why: str) -> None:
    judged = verdict(live)

    assert (judged.ready, judged.why) == (not why, why)


def test_the_reason_of_a_workload_s_own_pods_is_given_and_others_are_left_out() -> None:
    other = waiting("CrashLoopBackOff")
    other["metadata"]["labels"] = {"app": "other"}

    judged = verdict(deployment(availableReplicas=1), [waiting("ImagePullBackOff", "no such image"), other])

    assert judged.why == (
        "1 of 2 replicas ready; pod mlflow-x, container server: ImagePullBackOff: no such image"
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(phase="Succeeded"), ""),
        (pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), ""),
        (
            pod(
                conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]
            ),
            "pod mlflow-x is not scheduled: 0/1 nodes are available",
        ),
        (pod(phase="Failed", reason="Evicted"), "pod mlflow-x failed: Evicted"),
        (
            pod(
                phase="Running",
                conditions=[{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            ),
            "pod mlflow-x is not ready: ContainersNotReady",
        ),
        (waiting("ContainerCreating"), ""),
    ],
)
def test_a_pod_says_why_it_does_not_run(found: Object, why: str) -> None:
    assert pod_trouble(found) == why


READY = {"type": "Ready", "status": "True"}
NOT_READY = {"type": "Ready", "status": "False", "reason": "Issuing", "message": "the order is pending"}


@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        ("Cluster", {"conditions": [READY], "readyInstances": 2}, ""),
        ("Cluster", {}, "0 of 3 instances ready: its operator has not taken it up yet"),
        (
            "Cluster",
            {
                "conditions": [NOT_READY],
                "readyInstances": 2,
                "phase": "Failing over",
                "phaseReason": "Failing over from postgresql-1 to postgresql-2",
            },
            "2 of 3 instances ready: Failing over (Failing over from postgresql-1 to postgresql-2)",
        ),
        ("Pooler", {"phase": "active"}, ""),
        ("Pooler", {"phase": "inactive", "phaseReason": "no cluster"}, "inactive: no cluster"),
        ("Pooler", {}, "not taken up by its operator yet"),
        ("Certificate", {"conditions": [NOT_READY]}, "Issuing: the order is pending"),
        ("Certificate", {"conditions": [READY]}, ""),
        ("Certificate", {}, ""),
    ],
)
def test_custom_resources_are_judged_by_what_their_operators_say(kind, status, why):
    judged = verdict({"kind": kind, "metadata": {}, "spec": {"instances": 3}, "status": status})
    assert (judged.ready, judged.why) == (not why, why)
