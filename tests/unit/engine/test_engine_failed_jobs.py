"""Jobs that failed in a run that was cut off: the next run makes them anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ziggurat.engine.preflight import Checked, remove_failed_jobs, require_no_strangers
from ziggurat.errors import BlockedError

LABELS = {"app.kubernetes.io/instance": "acme", "app.kubernetes.io/managed-by": "ziggurat"}
JOB = ("batch/v1", "Job", "acme", "mlflow-upgrade-1")


class Machine:
    """A cluster that holds one object."""

    def __init__(self, live: dict[str, Any]) -> None:
        self.live, self.deleted, self.server = live, [], "https://cluster"

    def find(self, *key: str) -> dict[str, Any] | None:
        return self.live if key == JOB else {} if key[1] == "Namespace" else None

    def delete(self, *key: str) -> None:
        self.deleted.append(key)


def job(*conditions: str, kind: str = "Job", labels: dict[str, str] = LABELS) -> dict[str, Any]:
    status = {"conditions": [{"type": each, "status": "True"} for each in conditions]}
    metadata = {"name": JOB[3], "namespace": "acme", "labels": labels}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "status": status}


def checked(live: dict[str, Any], *, interrupted: bool = True) -> Checked:
    """What the checks find of a plan with one Job, which the state does not know."""
    cluster: Any = Machine(live)
    item = SimpleNamespace(
        api_version=JOB[0],
        kind=JOB[1],
        namespace=JOB[2],
        object_name=JOB[3],
        is_release=False,
        manifest=job(),
        label="Job acme/mlflow-upgrade-1",
    )
    engine: Any = SimpleNamespace(
        state=SimpleNamespace(objects=()), interrupted=interrupted, target=SimpleNamespace(stack="acme")
    )
    plan: Any = SimpleNamespace(objects=(item,))
    return Checked(cluster, "uid", plan, left=require_no_strangers(engine, plan, cluster))


@pytest.mark.parametrize("condition", ["Failed", "FailureTarget"])
def test_one_that_failed_is_deleted_for_the_run_to_make_it_anew(condition) -> None:
    found = checked(job(condition))
    assert found.adopt
    assert remove_failed_jobs(found) == ("mlflow-upgrade-1",)
    assert found.cluster.deleted == [JOB]


@pytest.mark.parametrize("live", [job("Complete"), job(), job("Suspended"), job("Failed", kind="Pod")])
def test_whatever_else_is_left_is_taken_in_as_it_is(live) -> None:
    found = checked(live)
    assert found.adopt
    assert remove_failed_jobs(found) == ()
    assert not found.cluster.deleted


@pytest.mark.parametrize(("live", "interrupted"), [(job("Failed", labels={}), True), (job("Failed"), False)])
def test_one_of_somebody_else_is_never_deleted(live, interrupted) -> None:
    with pytest.raises(BlockedError, match="mlflow-upgrade-1 exists already"):
        checked(live, interrupted=interrupted)
