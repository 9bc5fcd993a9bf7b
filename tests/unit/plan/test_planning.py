"""From a program to its plan: components, objects, requests, differences, and how they are shown."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from rich.console import Console

from ziggurat.plan import MASK, compare, footprint, plan_object_set, report
from ziggurat.plan.footprint import Requests, binary, cores, requests
from ziggurat.plan.planning import comparable, plan_program

BOX = "ziggurat:index:Box"


@pytest.fixture
def plan(program):
    def make(boxes: int = 1, image: str = "server:1.0"):
        return plan_program(program(boxes, image), platform="acme", phase="starter")

    return make


def drawn(parts, width=120):
    console = Console(width=width, highlight=False, record=True, file=io.StringIO())
    for part in parts:
        console.print(part)
    return console.export_text()


def test_objects_components_and_outputs(plan):
    found = plan()
    assert [each.title for each in found.components] == ["Box outer", "Box inner0"]
    assert found.components[0].outputs == {"namespace": "outer", "password": MASK}
    assert [each.label for each in found.children[found.components[1].urn]] == [
        "Namespace inner0",
        "Deployment inner0/server",
        "PersistentVolumeClaim inner0/data",
        "Secret inner0/login",
    ]
    assert found.outputs == {"address": "http://server", "password": MASK}
    assert found.problems == ()
    assert [each.label for each in found.objects if each.protected] == [
        "Namespace inner0",
        "Namespace outer",
        "PersistentVolumeClaim inner0/data",
        "PersistentVolumeClaim outer/data",
    ]


def test_object_set_knows_no_stack_and_no_secret(plan):
    entries = plan_object_set(plan())
    assert len(entries) == 8
    assert all(urn.startswith(f"ziggurat::{BOX}") for _, urn, _ in entries)
    secret = min(inputs for kind, _, inputs in entries if kind == "kubernetes:core/v1:Secret")
    assert json.loads(secret)["metadata"] == {"name": "login", "namespace": "inner0"}
    assert "stringData" not in json.loads(secret)


def test_object_set_takes_an_engines_secrets_as_they_come():
    secret = {"kind": "Secret", "stringData": {"a": MASK}}
    urn = "urn:pulumi:{}::ziggurat::kubernetes:core/v1:Secret::login"
    whole = comparable("t", urn.format("dev"), {"kind": "Secret", "data": MASK})
    assert comparable("t", urn.format("plan"), secret) == whole


def test_footprint_adds_up(plan):
    found = footprint(plan())
    assert found.running == Requests(Decimal(1), Decimal(4 * 768 * 1024**2), Decimal(20 * 1024**3))
    assert found.images == ("server:1.0",)
    assert str(found.running) == "1 CPU, 3Gi, 20Gi storage"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {
                "replicas": 0,
                "template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}},
            },
            "0",
        ),
        (
            {
                "template": {
                    "spec": {
                        "containers": [{}],
                        "initContainers": [{"resources": {"requests": {"cpu": "2"}}}],
                    }
                }
            },
            "2",
        ),
        (
            {
                "jobTemplate": {
                    "spec": {
                        "template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "100m"}}}]}}
                    }
                }
            },
            "0.1",
        ),
    ],
)
def test_requests_follow_the_schedulers_rule(plan, spec, expected):
    from dataclasses import replace

    kind = "CronJob" if "jobTemplate" in spec else "Deployment"
    planned = replace(plan().objects[0], kind=kind, manifest={"kind": kind, "spec": spec})
    assert requests(planned).cpu == Decimal(expected)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (512, "512"),
        (768 * 1024**2, "768Mi"),
        (1024**3, "1Gi"),
        (1.75 * 1024**3, "1792Mi"),
        (2.5 * 1024**3, "2.5Gi"),
    ],
)
def test_bytes_are_written_as_people_do(number, text):
    assert binary(Decimal(number)) == text


@pytest.mark.parametrize(
    ("number", "text"), [("0.25", "250m"), ("1", "1"), ("1.5", "1.5"), ("0", "0"), ("100", "100")]
)
def test_cores_are_written_as_people_do(number, text):
    assert cores(Decimal(number)) == text


def test_drawn_plan_tells_what_matters(plan):
    text = drawn(report.draw_plan(plan()))
    assert "acme, phase starter: planned offline" in text
    assert "Box inner0" in text
    assert "PersistentVolumeClaim  inner0/data" in text
    assert "1 CPU, 3Gi, 20Gi storage all the time" in text
    assert text.rstrip().endswith(
        "8 objects in 2 components; 4 hold data; 8 checked against Kubernetes 1.36: no problem"
    )


def test_json_is_the_whole_plan(plan):
    shown = json.loads(json.dumps(report.plan_as_json(plan())))
    assert shown["kubernetes"] == {"version": "1.36", "checked": 8, "unchecked": [], "problems": []}
    assert shown["requests"]["running"] == {"cpu": "1", "memory": "3Gi", "storage": "20Gi"}
    login = next(each for each in shown["objects"] if each["name"] == "login")
    assert login["manifest"]["stringData"] == {"password": MASK, "user": MASK}
    assert "hush" not in json.dumps(shown)


def test_no_difference(plan):
    difference = compare(plan(), plan())
    assert not difference
    assert report.difference_count(difference) == "no difference: the same 8 objects"


def test_difference_names_fields_and_data(plan):
    difference = compare(plan(2), plan(1, "server:2.0"))
    assert [(change.action, change.planned.label) for change in difference.changes] == [
        ("goes", "Namespace inner1"),
        ("changes", "Deployment inner0/server"),
        ("goes", "Deployment inner1/server"),
        ("goes", "PersistentVolumeClaim inner1/data"),
        ("goes", "Secret inner1/login"),
        ("changes", "Deployment outer/server"),
    ]
    text = drawn(report.draw_difference(difference, "old.yaml", "new.yaml"))
    assert "spec.template.spec.containers.server.image: server:1.0 → server:2.0" in text
    assert "- PersistentVolumeClaim inner1/data  holds data" in text
    assert text.rstrip().endswith(
        "2 to change, 4 to go, 6 the same; data would not come along: "
        "Namespace inner1, PersistentVolumeClaim inner1/data"
    ), text
    shown = report.difference_as_json(difference, "old.yaml", "new.yaml")
    assert [each["name"] for each in shown["changes"] if each["dataWouldBeLost"]] == ["inner1", "data"]


def test_what_appears_loses_nothing(plan):
    difference = compare(plan(1), plan(2))
    assert report.difference_count(difference) == "4 to appear, 8 the same; nothing that holds data goes"
