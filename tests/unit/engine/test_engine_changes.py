"""The reduction of the engine's events to one line for each object."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from ziggurat.engine.changes import Recorder, at, mask

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
DEPLOYMENT = "urn:pulumi:acme::ziggurat::ziggurat:index:MLPlatform$kubernetes:apps/v1:Deployment::mlflow"
VOLUME = "urn:pulumi:acme::ziggurat::kubernetes:core/v1:PersistentVolumeClaim::postgresql-data"


def step(
    op: str, urn: str = DEPLOYMENT, *, event: str = "resourcePreEvent", protect: bool = False, **more: Any
) -> EngineEvent:
    """One event as the engine writes it."""
    kind = urn.split("::")[2].split("$")[-1]
    state = {
        "type": kind,
        "urn": urn,
        "custom": True,
        "protect": protect,
        "inputs": more.pop("inputs", {"metadata": {"name": urn.split("::")[-1], "namespace": "acme"}}),
        "outputs": more.pop("outputs", {}),
    }
    metadata = {"op": op, "urn": urn, "type": kind, "new": state, "old": more.pop("old", None), **more}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, event: {"metadata": metadata}})


def record(*events: EngineEvent) -> Recorder:
    """A recorder that has seen `events`."""
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


def test_a_created_object_is_one_change_with_its_kubernetes_name() -> None:
    outcome = record(step("create"), step("create", event="resOutputsEvent")).outcome()

    (change,) = outcome.changes
    assert (change.operation, change.label) == ("create", "Deployment acme/mlflow")
    assert outcome.summary() == {"create": 1}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_three_steps_of_a_replacement_are_one_replacement(order: tuple[int, ...]) -> None:
    steps = ["delete-replaced", "replace", "create-replacement"]

    outcome = record(*(step(steps[index]) for index in order)).outcome()

    assert [change.operation for change in outcome.changes] == ["replace"]


def test_a_protected_object_holds_data() -> None:
    outcome = record(step("delete", VOLUME, protect=True)).outcome()

    assert [change.holds_data for change in outcome.of("delete")] == [True]


def test_an_update_names_each_value_and_masks_secrets() -> None:
    old = {"type": "t", "urn": DEPLOYMENT, "inputs": {"spec": {"replicas": 1}, "data": {"a.b": SECRET}}}
    new = {"metadata": {"name": "mlflow"}, "spec": {"replicas": 2}, "data": {"a.b": SECRET}}
    diff = {"spec.replicas": {"diffKind": "update"}, 'data["a.b"]': {"diffKind": "update"}}

    (change,) = record(step("update", inputs=new, old=old, detailedDiff=diff)).outcome().changes

    assert {edit.path: (edit.old, edit.new) for edit in change.edits} == {
        "spec.replicas": (1, 2),
        'data["a.b"]': ("[secret]", "[secret]"),
    }


def test_the_stack_and_providers_are_not_changes_but_the_stack_has_outputs() -> None:
    stack = "urn:pulumi:acme::ziggurat::pulumi:pulumi:Stack::ziggurat-acme"
    provider = "urn:pulumi:acme::ziggurat::pulumi:providers:kubernetes::kubernetes"

    outcome = record(
        step("create", provider),
        step("create", stack, event="resOutputsEvent", outputs={"a": 1, "s": SECRET}),
    ).outcome()

    assert outcome.changes == ()
    assert outcome.outputs == {"a": 1, "s": "[secret]"}


def test_what_a_refresh_finds_is_drift_and_no_change() -> None:
    outcome = record(
        step("refresh"),
        step("update", event="resOutputsEvent"),
        step("refresh", VOLUME),
        step("same", VOLUME, event="resOutputsEvent"),
    ).outcome()

    assert outcome.changes == ()
    assert [(change.operation, change.name) for change in outcome.drift] == [("update", "mlflow")]


def test_only_what_ended_counts_as_done() -> None:
    recorder = record(step("create"), step("create", event="resOutputsEvent"), step("create", VOLUME))

    assert [change.name for change in recorder.completed()] == ["mlflow"]
    assert recorder.progress(2) == "1 of 2, waiting for PersistentVolumeClaim acme/postgresql-data"


def test_progress_says_what_an_object_is_waiting_for() -> None:
    status = {"message": "[1/2] 0 of 1 replicas\n", "severity": "info", "urn": DEPLOYMENT, "ephemeral": True}
    said = EngineEvent.from_json({"sequence": 2, "timestamp": 1, "diagnosticEvent": status})

    assert record(step("create"), said).progress(0) == (
        "waiting for Deployment acme/mlflow: [1/2] 0 of 1 replicas"
    )


def test_a_failed_step_and_its_diagnostics_are_kept_and_debug_lines_are_not() -> None:
    def say(severity: str, message: str) -> EngineEvent:
        event = {"message": message, "severity": severity, "urn": DEPLOYMENT}
        return EngineEvent.from_json({"sequence": 2, "timestamp": 1, "diagnosticEvent": event})

    outcome = record(
        step("create"),
        say("debug", "registering"),
        say("error", "no\n"),
        say("error", "no\n"),
        say("info#err", "Traceback\n"),
        say("info#err", "  line\n"),
        step("create", event="resOpFailedEvent"),
    ).outcome()

    assert outcome.failed == ("Deployment acme/mlflow",)
    assert [(item.severity, item.message) for item in outcome.diagnostics] == [
        ("error", "no"),
        ("info#err", "Traceback\n  line"),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers[1].name", "b"),
        ('metadata.annotations["a.b/c"]', 1),
        ("spec.containers[7].name", None),
        ("spec.nothing.there", None),
    ],
)
def test_a_property_path_leads_to_its_value(path: str, value: object) -> None:
    tree = {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "metadata": {"annotations": {"a.b/c": 1}}}

    assert at(tree, path) == value


def test_masking_reaches_every_depth() -> None:
    assert mask({"a": [{"b": SECRET}], "c": 1}) == {"a": [{"b": "[secret]"}], "c": 1}
