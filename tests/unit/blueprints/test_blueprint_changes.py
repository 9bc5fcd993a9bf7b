"""Which changes a running platform refuses."""

from typing import Any

import pytest

from blueprints.changes import illegal_changes
from blueprints.loader import loads
from blueprints.quantities import amount

BASE = """\
apiVersion: ziggurat/v1
name: acme
phase: starter
teams: {vision: {}}
database: {storage: 10Gi}
artifacts: {storage: 20Gi, storageClass: fast}
"""
LOST = "cannot change while the platform runs: its data would be left behind"
GROW = "a volume may grow, never shrink"


def resolved(text: str) -> dict[str, Any]:
    """What the stack keeps of a blueprint."""
    return loads(text, "b").resolved()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("name: acme", "name: other", [f"name: acme -> other — {LOST}"]),
        ("storage: 10Gi", "storage: 9Gi", [f"database.storage: 10Gi -> 9Gi — {GROW}"]),
        ("storage: 20Gi", "storage: 20G", [f"artifacts.storage: 20Gi -> 20G — {GROW}"]),
        (", storageClass: fast", "", [f"artifacts.storageClass: fast -> (left out) — {LOST}"]),
        (
            "storage: 10Gi",
            "storage: 10Gi, storageClass: x",
            [f"database.storageClass: (left out) -> x — {LOST}"],
        ),
        (
            "storageClass: fast",
            "storageClass: fast, bucket: b",
            [f"artifacts.bucket: artifacts -> b — {LOST}"],
        ),
        (
            "database: {storage: 10Gi}",
            "database: {mode: external, host: db.acme.dev, secret: {secretName: db}}",
            [f"database.mode: embedded -> external — {LOST}"],
        ),
        ("storage: 10Gi", "storage: 10240Mi", []),
        ("storage: 10Gi", "storage: 1Ti", []),
        ("{vision: {}}", "{vision: {quota: {cpu: 1, storage: 1Gi}}, pricing: {}}", []),
        ("phase: starter", "phase: starter\ntracking: {replicas: 3, host: mlflow.acme.dev}", []),
    ],
)
def test_changes(before: str, after: str, said: list[str]) -> None:
    assert before in BASE
    new = loads(BASE.replace(before, after), "b").blueprint
    assert [str(change) for change in illegal_changes(resolved(BASE), new)] == said


def test_a_capability_with_data_may_come_and_go_and_its_database_may_not_change() -> None:
    """That its data is not lost by the way is the engine's business, which protects what holds it."""
    without = BASE.replace("starter", "orchestration")
    with_pipelines = without + "pipelines: {}\n"
    before, after = loads(without, "b"), loads(with_pipelines, "b")

    assert illegal_changes(before.resolved(), after.blueprint) == ()
    assert illegal_changes(after.resolved(), before.blueprint) == ()
    other = loads(
        with_pipelines.replace("lines: {}", "lines: {database: {mode: embedded, storageClass: x}}"), "b"
    )
    assert [str(change) for change in illegal_changes(after.resolved(), other.blueprint)] == [
        f"pipelines.database.storageClass: (left out) -> x — {LOST}"
    ]


def test_a_brought_bucket_may_not_change_but_its_credentials_may() -> None:
    s3 = BASE.split("artifacts")[0] + "artifacts: {mode: s3, bucket: one, secret: {secretName: a}}\n"
    new = loads(s3.replace("one", "two").replace("secretName: a", "secretName: b"), "b").blueprint
    assert [change.path for change in illegal_changes(resolved(s3), new)] == ["artifacts.bucket"]


def test_what_an_older_version_kept_is_no_obstacle() -> None:
    old = resolved(BASE) | {"removedKey": {"storage": "1Gi"}}
    assert illegal_changes(old, loads(BASE, "b").blueprint) == ()


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("0.5", "0.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1Gi", str(2**30)),
        ("3P", str(3 * 10**15)),
        ("1Mi", str(2**20)),
    ],
)
def test_quantities_are_numbers(quantity: str, number: str) -> None:
    assert amount(quantity) == amount(number)
