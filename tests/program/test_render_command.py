"""`ziggurat render` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from blueprints import load
from ziggurat.plan import check_schemas, plan

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "blueprints").glob("*.yaml")),
    *sorted((Path(__file__).parent / "variants").glob("*.yaml")),
]
TWO_TEAMS = Path(__file__).parent / "variants" / "two-teams.yaml"


def elsewhere(*arguments, cwd):
    """Runs the command in another process, with another seed of hashes."""
    return subprocess.run(
        [sys.executable, "-m", "ziggurat", "render", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rendered_objects_are_the_planned_ones(file, tmp_path, ziggurat):
    assert ziggurat("render", file, "--output", tmp_path / "out").returncode == 0
    kustomization = yaml.safe_load((tmp_path / "out/kustomization.yaml").read_text())
    rendered = [yaml.safe_load((tmp_path / "out" / path).read_text()) for path in kustomization["resources"]]
    apart = {"Secret", "Release"}
    planned = [each for each in plan(load(file)).objects if each.kind not in apart]
    assert {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in rendered} == {
        (each.kind, each.namespace, each.object_name) for each in planned
    }
    assert check_schemas(rendered) == ()
    assert "kind: Secret\n" not in "".join(path.read_text() for path in (tmp_path / "out").rglob("*.yaml"))


def test_every_secret_is_named_with_its_keys(tmp_path, ziggurat):
    ziggurat("render", TWO_TEAMS, "--output", tmp_path / "out")
    secrets = yaml.safe_load((tmp_path / "out/secrets.yaml").read_text())["secrets"]
    vision = next(each for each in secrets if each["name"] == "mlflow-vision")
    assert vision["namespace"] == "acme-ml-vision"
    assert vision["secretKeys"] == ["MLFLOW_TRACKING_PASSWORD"]
    assert vision["values"]["MLFLOW_WORKSPACE"] == "vision"


def test_every_chart_is_named_with_its_values(tmp_path, ziggurat):
    queues = Path(__file__).parent / "variants" / "queues.yaml"
    ziggurat("render", queues, "--output", tmp_path / "out")
    charts = yaml.safe_load((tmp_path / "out/charts.yaml").read_text())["charts"]
    assert [(each["namespace"], each["name"]) for each in charts] == [
        ("acme-ml", "kueue"),
        ("acme-ml-gpu", "nvidia-device-plugin-t4"),
    ]
    assert charts[0]["chart"] == "oci://registry.k8s.io/kueue/charts/kueue"
    assert charts[0]["version"] == "0.19.2"
    assert charts[1]["repository"] == "https://nvidia.github.io/k8s-device-plugin"
    assert "charts.yaml" not in (tmp_path / "out/kustomization.yaml").read_text()
    assert ziggurat("render", TWO_TEAMS, "--output", tmp_path / "none").returncode == 0
    assert not (tmp_path / "none/charts.yaml").exists()


def test_rendering_again_gives_the_same_bytes(tmp_path, ziggurat):
    def contents(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    ziggurat("render", TWO_TEAMS, "-o", tmp_path / "one")
    elsewhere(TWO_TEAMS, "-o", tmp_path / "two", cwd=tmp_path)
    ziggurat("render", TWO_TEAMS, "-o", tmp_path / "one")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_stream(ziggurat):
    done = ziggurat("render", TWO_TEAMS, "--output", "-")
    assert done.returncode == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(done.stdout)]
    assert kinds[0] == "Namespace"
    assert "Secret" not in kinds
    assert len(kinds) == sum(each.kind != "Secret" for each in plan(load(TWO_TEAMS)).objects)


def test_result_for_machines(tmp_path, ziggurat):
    done = ziggurat("render", TWO_TEAMS, "--output", tmp_path / "out", "--json")
    shown = json.loads(done.stdout)
    assert shown["secretsNotRendered"] == sum(each.kind == "Secret" for each in plan(load(TWO_TEAMS)).objects)
    assert all((tmp_path / "out" / file).is_file() for file in shown["files"])


def test_foreign_folder_is_refused(tmp_path, ziggurat):
    (tmp_path / "notes.txt").write_text("mine")
    done = ziggurat("render", TWO_TEAMS, "--output", tmp_path)
    assert done.returncode == 8
    assert "the output folder holds files that were not rendered: notes.txt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_stream_is_no_json(ziggurat):
    done = ziggurat("render", TWO_TEAMS, "--output", "-", "--json")
    assert done.returncode == 2
