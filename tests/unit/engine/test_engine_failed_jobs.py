"""Jobs that failed in a run that was cut off: the next run makes them anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ziggurat.engine.preflight import Checked, remove_failed_jobs, require_no_strangers
from ziggurat.errors import BlockedError

LABELS = {"app.kubernetes.io/instance": "acme", "app.kubernetes.io/managed-by": "ziggurat"}
PLANNED = "mlflow-upgrade-a64ed9c770"
"""By the plan's own secret: the stack's makes another hash."""
JOB = ("batch/v1", "Job", "acme", "mlflow-upgrade-0cc94ec860")


class Machine:
    """A cluster that holds one object."""

    def __init__(self, live: dict[str, Any]) -> None:
        self.live, self.deleted, self.server = live, [], "https://cluster"

    def find(self, *key: str) -> dict[str, Any] | None:
        if key[1] == "Namespace":
            return {}
        return self.live if key == (*JOB[:3], self.live["metadata"]["name"]) else None

    def objects(self, *place: str) -> list[dict[str, Any]]:
        """As Kubernetes lists them: items of a list do not say what they are."""
        item = {key: value for key, value in self.live.items() if key not in ("apiVersion", "kind")}
        return [item] if place == JOB[:3] and self.live["kind"] == "Job" else []

    def delete(self, *key: str) -> None:
        self.deleted.append(key)


def job(*conditions: str, name: str = JOB[3], labels: dict[str, str] = LABELS) -> dict[str, Any]:
    status = {"conditions": [{"type": each, "status": "True"} for each in conditions]}
    metadata = {"name": name, "namespace": "acme", "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": status}


def checked(live: dict[str, Any], *, interrupted: bool = True, known: tuple[str, ...] = ()) -> Checked:
    """What the checks find of a plan with one Job, which the state does not know."""
    cluster: Any = Machine(live)
    item = SimpleNamespace(
        api_version=JOB[0],
        kind=JOB[1],
        namespace=JOB[2],
        object_name=PLANNED,
        is_release=False,
        manifest=job(name=PLANNED),
        label=f"Job acme/{PLANNED}",
    )
    objects = [
        SimpleNamespace(api_version=JOB[0], kind=JOB[1], namespace=JOB[2], name=each) for each in known
    ]
    engine: Any = SimpleNamespace(
        state=SimpleNamespace(objects=objects), interrupted=interrupted, target=SimpleNamespace(stack="acme")
    )
    plan: Any = SimpleNamespace(objects=(item,))
    return Checked(cluster, "uid", plan, left=require_no_strangers(engine, plan, cluster))


@pytest.mark.parametrize("condition", ["Failed", "FailureTarget"])
def test_one_that_failed_is_deleted_for_the_run_to_make_it_anew(condition) -> None:
    found = checked(job(condition))
    assert found.adopt
    assert remove_failed_jobs(found) == (JOB[3],)
    assert found.cluster.deleted == [JOB]


@pytest.mark.parametrize("live", [job("Complete"), job(), job("Suspended")])
def test_whatever_else_is_left_is_taken_in_as_it_is(live) -> None:
    found = checked(live)
    assert found.adopt
    assert remove_failed_jobs(found) == ()
    assert not found.cluster.deleted


@pytest.mark.parametrize(
    "live",
    [
        job("Failed", labels={}),
        job("Failed", labels={**LABELS, "app.kubernetes.io/instance": "other"}),
        job("Failed", name="mlflow-upgrade"),
        job("Failed", name="mlflow-upgrade-29837465"),
        job("Failed", name="my-mlflow-upgrade-0cc94ec860"),
    ],
)
def test_one_of_somebody_else_is_never_deleted(live) -> None:
    found = checked(live)
    assert not found.left
    assert remove_failed_jobs(found) == ()


@pytest.mark.parametrize(("labels", "interrupted"), [({}, True), (LABELS, False)])
def test_one_that_is_called_as_planned_stands_in_the_way(labels, interrupted) -> None:
    with pytest.raises(BlockedError, match=f"{PLANNED} exists already"):
        checked(job("Failed", name=PLANNED, labels=labels), interrupted=interrupted)
    assert checked(job("Failed", name=PLANNED)).left == (job("Failed", name=PLANNED),)


def test_one_that_the_state_knows_is_the_engines_to_replace() -> None:
    assert not checked(job("Failed"), known=(JOB[3],)).left


def test_after_a_run_that_ended_well_nothing_is_looked_for() -> None:
    assert not checked(job("Failed"), interrupted=False).left
