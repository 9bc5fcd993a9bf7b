"""`ziggurat images` lists every image of every blueprint: a mirror filled by it lacks nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from components import versions
from components.versions.notebooks import JUPYTER
from components.versions.tuning import KATIB_TRIALS
from ziggurat.plan.footprint import footprint

FOLDER = Path(__file__).parent
BLUEPRINTS = [*sorted((FOLDER.parents[1] / "blueprints").glob("*.yaml")), *sorted(FOLDER.glob("variants/*"))]
NAMED = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[\w.-]+|@sha256:[0-9a-f]{64})")
"""What may be the name of an image, wherever it is."""


def texts(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


ALL = {*versions.ALL, *(image for chart in versions.CHARTS for image in chart.images)}
"""Of Ziggurat's own pods and of the charts'."""
BROUGHT = {
    "registry.acme.example/pricing/churn:1.0",
    "registry.acme.dev/vision/train:2.1",
    "registry.acme.example/train:1.4",
}
"""Those that the blueprints name for projects and training of theirs."""


@pytest.fixture(params=BLUEPRINTS, ids=lambda file: file.stem)
def listed(request, ziggurat):
    """The blueprint's file, and what the command lists of it."""
    return request.param, json.loads(ziggurat("images", request.param, "--json").stdout)


def test_no_image_is_outside_the_list(listed):
    from blueprints import load
    from components.contents import charts
    from ziggurat.plan import plan

    file, shown = listed
    references = {each["reference"] for each in shown["images"]}
    planned = plan(load(file))
    run = set(footprint(planned).images)  # of pods, and of custom resources whose operators make pods
    blueprint = load(file).blueprint
    source = versions.ImageSource(blueprint.images.registry)
    in_charts = {source.reference(image) for chart in charts(blueprint) for image in chart.images}

    # A chart's pods are its own to make, and the pods of runs and trials are made by their controllers.
    in_runs = {source.reference(image) for image in versions.PIPELINE_RUNS if blueprint.pipelines}
    in_runs |= {source.reference(image) for image in KATIB_TRIALS if blueprint.tuning}
    # Pods of `ziggurat check gpu` are made when it is run.
    on_request = {source.reference(versions.CUDA_SAMPLE)} if blueprint.gpu_pools else set()
    on_request |= {source.reference(JUPYTER)} if blueprint.notebooks else set()
    assert run | in_charts | in_runs | on_request == references
    for each in planned.objects:
        named = {text for text in texts(each.manifest) if NAMED.fullmatch(text)}
        assert named <= references, each.label


def test_a_mirror_rewrites_every_image(listed):
    _, shown = listed
    makers = {f"{image.registry}/{image.repository}:{image.tag}": image for image in ALL}

    for each in shown["images"]:
        if each["source"] in BROUGHT:
            assert each["reference"] == each["source"]  # where its owner says, and nowhere else
            continue
        image = makers[each["source"]]
        expected = f"{shown['registry'] or image.registry}/{image.repository}:{image.tag}"
        assert each["reference"] == expected


def test_there_is_a_blueprint_for_every_image_and_a_mirror(ziggurat):
    shown = [json.loads(ziggurat("images", file, "--json").stdout) for file in BLUEPRINTS]

    assert {each["source"] for one in shown for each in one["images"]} == BROUGHT | {
        f"{image.registry}/{image.repository}:{image.tag}" for image in ALL
    }
    assert any(one["registry"] for one in shown)


def test_a_line_has_both_references(ziggurat):
    out = ziggurat("images", FOLDER / "variants" / "mirror.yaml").stdout

    lines = [line.split(" ") for line in out.splitlines()]
    image = versions.MLFLOW
    assert [
        f"{image.registry}/{image.repository}:{image.tag}",
        f"registry.acme.net/mirror/{image.repository}:{image.tag}",
    ] in lines
    assert lines == sorted(lines)


def test_a_blueprint_that_is_wrong_is_an_error(ziggurat, tmp_path):
    file = tmp_path / "blueprint.yaml"
    file.write_text("name: x\n")

    result = ziggurat("images", file, "--json")

    assert (result.returncode, json.loads(result.stdout)["error"]["exitCode"]) == (3, 3)
