"""Custom resources in the plan's check: strict by a definition that is at hand, else said to be unchecked."""

from __future__ import annotations

import pytest
import yaml

from standin.definitions import FOLDER
from ziggurat.plan import report_schemas

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.acme.io"},
    "spec": {
        "group": "acme.io",
        "names": {"kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"x-kubernetes-int-or-string": True},
                                    "mode": {"type": "string", "enum": ["fast", "slow"], "nullable": True},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                    "free": {
                                        "type": "object",
                                        "properties": {"known": {"type": "integer"}},
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                },
                            },
                        },
                    }
                },
            }
        ],
    },
}


def gadget(version="v1", **spec):
    return {
        "apiVersion": f"acme.io/{version}", "kind": "Gadget", "metadata": {"name": "a"}, "spec": spec,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "acme.yaml").write_text(yaml.safe_dump(DEFINITION))
    monkeypatch.setenv(FOLDER, str(tmp_path))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"size": "1Gi", "sise": 1}, "spec.sise", "its kind has no such field"),
        ({"size": True}, "spec.size", "wrong type"),
        ({"size": 1, "mode": "quick"}, "spec.mode", "is not a value"),
        ({"mode": "fast"}, "spec", "`size` is missing"),
        ({"size": 1, "labels": {"a": 1}}, "spec.labels.a", "must be of type string"),
        ({"size": 1, "free": {"known": "1"}}, "spec.free.known", "must be of type integer"),
    ],
)
def test_breaches_of_a_definition(spec, path, message):
    (problem,) = report_schemas([gadget(**spec)]).problems
    assert (problem.object, problem.path) == ("Gadget a", path)
    assert message in problem.message


@pytest.mark.usefixtures("folder")
def test_what_a_definition_takes():
    good = [
        gadget(size=1),
        gadget(size="1Gi", mode=None, labels={"any": "thing"}),
        gadget(size=1, free={"x": [1]}),
    ]
    report = report_schemas(good)
    assert (report.problems, report.checked, report.unchecked) == ((), 3, ())


@pytest.mark.usefixtures("folder")
def test_metadata_is_checked_too():
    wrong = gadget(size=1)
    wrong["metadata"]["lables"] = {}
    (problem,) = report_schemas([wrong]).problems
    assert problem.path == "metadata.lables"


@pytest.mark.usefixtures("folder")
def test_another_version_of_the_kind_is_not_checked():
    assert report_schemas([gadget("v2", size=1)]).unchecked == ("Gadget a",)


def test_without_definitions_nothing_is_claimed(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    report = report_schemas([gadget(anything=1)])
    assert (report.checked, report.unchecked) == (0, ("Gadget a",))
