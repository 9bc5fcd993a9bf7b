"""Charts as data: what a Release says, where a mirror has them, and what the stand-in knows of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from components.charts import release_inputs
from components.versions import CHARTS, KUEUE, NVIDIA_DEVICE_PLUGIN, ImageSource

ROOT = Path(__file__).parents[3]


def test_the_stand_in_knows_the_definitions_of_every_chart():
    """The stand-in imports nothing of Ziggurat, so its table is a file.

    Where a chart changed, write it anew: `ZIGGURAT_WRITE_GOLDEN=1 pytest tests/unit/components -k stand_in`
    """
    known = {chart.name: [vars(definition) for definition in chart.definitions] for chart in CHARTS}
    text = json.dumps(known, indent=1) + "\n"
    file = ROOT / "standin" / "charts.json"
    if os.environ.get("ZIGGURAT_WRITE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text


def test_helm_leaves_what_lies_in_a_folder_of_definitions_or_says_so():
    """As the charts were rendered: what a destroy says is left has to name them."""
    leaves = {chart.name: {each.kept for each in chart.definitions} for chart in CHARTS if chart.definitions}
    assert {name for name, kept in leaves.items() if kept == {True}} == {
        "cert-manager", "cloudnative-pg", "external-secrets", "plugin-barman-cloud",  # annotated
        "gateway-helm", "gpu-operator", "jobset", "kube-prometheus-stack",  # in a folder `crds`
    }  # fmt: skip
    assert {name for name, kept in leaves.items() if kept == {False}} == {
        "kserve-crd", "kubeflow-trainer", "kueue",
    }  # fmt: skip


def test_charts_are_pinned_and_their_images_too():
    for chart in CHARTS:
        assert chart.version.strip("v").count(".") == 2, chart.name
        assert all(image.tag not in ("", "latest") for image in chart.images), chart.name
        names = [(definition.group, definition.plural) for definition in chart.definitions]
        assert len(set(names)) == len(names), chart.name


@pytest.mark.parametrize(
    ("chart", "mirror", "reference", "repository"),
    [
        (KUEUE, None, "oci://registry.k8s.io/kueue/charts/kueue", None),
        (KUEUE, "mirror.acme/ml", "oci://mirror.acme/ml/kueue/charts/kueue", None),
        (NVIDIA_DEVICE_PLUGIN, None, "nvidia-device-plugin", "https://nvidia.github.io/k8s-device-plugin"),
        (
            NVIDIA_DEVICE_PLUGIN,
            "mirror.acme",
            "oci://mirror.acme/k8s-device-plugin/nvidia-device-plugin",
            None,
        ),
    ],
)
def test_a_release_names_its_chart_as_helm_does(chart, mirror, reference, repository):
    made = release_inputs(chart, {"a": 1}, namespace="acme", images=ImageSource(mirror), name="it")
    assert (made["chart"], made["version"]) == (reference, chart.version)
    assert made.get("repositoryOpts", {}).get("repo") == repository
    assert (made["name"], made["namespace"], made["values"]) == ("it", "acme", {"a": 1})
