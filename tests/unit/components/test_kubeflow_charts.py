"""Values of the charts of training and serving, against what their makers publish."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import serving, training
from components.versions import ImageSource

SOURCE = ImageSource("mirror", "login")
CHARTS: dict[str, dict[str, Any]] = {
    "kubeflow-trainer": training.trainer_values(SOURCE),
    "jobset": training.jobset_values(SOURCE),
    "kserve-resources": serving.values(SOURCE),
}
FREE = {"podLabels", "resources", "containerSecurityContext"}
"""Maps whose keys are the user's own."""


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_values_are_those_that_the_chart_publishes(name: str) -> None:
    folder = os.environ.get("ZIGGURAT_TEST_CHARTS")
    if not folder:
        pytest.skip("no published values: set ZIGGURAT_TEST_CHARTS")
    published = yaml.safe_load((Path(folder) / f"{name}.yaml").read_text(encoding="utf-8"))
    assert list(unknown(CHARTS[name], published)) == []


def unknown(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Keys that we set and the chart does not have."""
    for key, value in mine.items():
        here = f"{path}.{key}".lstrip(".")
        if key not in theirs:
            yield here
        elif isinstance(value, dict) and key not in FREE:
            yield from unknown(value, theirs[key] or {}, here)  # pyright: ignore[reportUnknownArgumentType]


def test_a_key_that_a_chart_does_not_have_is_found() -> None:
    assert list(unknown({"a": {"b": 1, "c": 2}}, {"a": {"b": 0}})) == ["a.c"]
