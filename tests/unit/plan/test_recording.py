"""The recording monitor: what it keeps, what it masks, and that runs do not touch each other."""

from __future__ import annotations

import asyncio
import gc

import pulumi
import pytest
from pulumi.runtime import settings

from ziggurat.plan.model import MASK, UNKNOWN
from ziggurat.plan.recording import record

SECRET = "hush-hush-value"


def by_name(recording):
    return {each.name: each for each in recording.resources}


def test_options_are_kept(program):
    found = by_name(record(program()))
    namespace, server, inner = found["outer-namespace"], found["outer-server"], found["inner0-server"]
    assert namespace.protected
    assert not server.protected
    assert server.dependencies == (
        "urn:pulumi:plan::ziggurat::ziggurat:index:Box$kubernetes:core/v1:Namespace::outer-namespace",
    )
    assert server.parent == "urn:pulumi:plan::ziggurat::ziggurat:index:Box::outer"
    box = "ziggurat:index:Box"
    assert inner.urn == f"urn:pulumi:plan::ziggurat::{box}${box}$kubernetes:apps/v1:Deployment::inner0-server"
    assert namespace.inputs["metadata"] == {"name": "outer"}


def test_secrets_are_masked_and_whole_numbers_are_whole(program):
    recording = record(program())
    found = by_name(recording)
    assert found["outer-login"].inputs["stringData"] == {"password": MASK, "user": MASK}
    container = found["outer-server"].inputs["spec"]["template"]["spec"]["containers"][0]
    assert repr(container["ports"]) == "[{'containerPort': 5000}]"
    assert recording.outputs[recording.stack] == {"address": "http://server", "password": MASK}
    assert SECRET not in repr(recording)


def test_a_secret_map_keeps_its_keys_and_no_value():
    def run() -> None:
        pulumi.export("map", pulumi.Output.secret({"user": "me", "ports": [5432, True, None]}))

    recording = record(run)
    assert recording.outputs[recording.stack]["map"] == {"user": MASK, "ports": [MASK, MASK, None]}


def test_identities_are_unknown_as_in_a_first_preview():
    def run() -> None:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "first"}}
        first = pulumi.CustomResource("kubernetes:core/v1:Namespace", "first", manifest)
        pulumi.export("id", first.id)
        pulumi.export("name", pulumi.Output.from_input(first.metadata)["name"])

    recording = record(run)
    assert recording.outputs[recording.stack] == {"id": UNKNOWN, "name": "first"}


def test_runs_are_alike_and_leave_nothing_behind(program):
    thresholds, frozen, root = gc.get_threshold(), gc.get_freeze_count(), settings.get_root_resource()
    assert record(program(3)) == record(program(3))
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == frozen
    assert settings.get_root_resource() is root


def test_the_programs_own_error_comes_out_and_the_next_run_works(program):
    def broken() -> None:
        program()()
        raise ValueError("the root secret is not base64")

    with pytest.raises(ValueError, match="not base64"):
        record(broken)
    assert len(record(program()).resources) == 10


def test_an_error_in_an_output_comes_out():
    def run() -> None:
        pulumi.export("broken", pulumi.Output.from_input(1).apply(lambda number: number / 0))

    with pytest.raises(ZeroDivisionError):
        record(run)


def test_what_only_a_cluster_can_answer_is_refused():
    def run() -> None:
        pulumi.runtime.invoke("kubernetes:yaml:decode", {"text": "{}"})

    with pytest.raises(Exception, match="a plan is made offline: function kubernetes:yaml:decode"):
        record(run)


def test_outputs_registered_twice_are_refused():
    def run() -> None:
        box = pulumi.ComponentResource("ziggurat:index:Box", "box")
        box.register_outputs({})
        box.register_outputs({})

    with pytest.raises(Exception, match="registers its outputs twice"):
        record(run)


def test_no_event_loop_is_left_running(program):
    record(program())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_a_circle_of_dependencies_is_still_refused() -> None:
    def program() -> None:
        parts = [pulumi.ComponentResource("ziggurat:index:Part", name) for name in ("a", "b")]
        for part, other in (parts, parts[::-1]):
            pulumi.CustomResource(
                "kubernetes:core/v1:ConfigMap",
                part._name,  # pyright: ignore[reportPrivateUsage]
                {},
                pulumi.ResourceOptions(parent=part, depends_on=[other]),
            )

    with pytest.raises(Exception, match="circular dependency"):
        record(program)
