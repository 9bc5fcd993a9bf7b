"""The plan that is made in process is what the engine previews: object for object, input for input."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from blueprints import load
from ziggurat import sandbox, toolchain
from ziggurat.engine import changes
from ziggurat.engine.runs import open_run
from ziggurat.errors import ToolError
from ziggurat.plan import plan, plan_object_set
from ziggurat.plan.planning import comparable
from ziggurat.progress import silent
from ziggurat.settings import Settings

pytestmark = pytest.mark.sandbox

CLUSTER_WIDE = ("karpenter.sh", "karpenter.k8s.aws")
"""Groups of custom resources without namespaces, of which the shipped blueprints bring no definition."""

SHIPPED = sorted((Path(__file__).parents[2] / "blueprints").glob("*.yaml"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A sandbox of this module's own, with the tools that are there already."""
    own = tmp_path_factory.mktemp("state")
    found = Settings.from_environment()
    missing = [
        name for name in (*toolchain.ENGINE, *toolchain.SANDBOX) if toolchain.locate(name, found) is None
    ]
    if missing:
        pytest.skip(f"tools are missing: {', '.join(missing)} (ziggurat tools ensure)")
    used = Settings(found.cache, own, found.downloads, found.pulumi_home)
    try:
        sandbox.up(used, silent())
    except ToolError as error:
        pytest.skip(str(error))
    yield used
    sandbox.reset(used, silent())


def as_made(type_: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a preview, without the namespace that a preview takes for granted.

    Whether a custom resource has one is not known before its definition is there: the provider assumes
    `default` until it makes the object. No object of a platform is in that namespace.
    """
    metadata = dict(inputs.get("metadata") or {})
    if type_.split(":")[1].split("/")[0] not in CLUSTER_WIDE or metadata.get("namespace") != "default":
        return inputs
    del metadata["namespace"]
    return inputs | {"metadata": metadata}


@pytest.fixture
def previewed(monkeypatch):
    """The Kubernetes objects that the engine's events name, as they come by."""
    seen: set[tuple[str, str, str]] = set()
    take_in = changes.Recorder.__call__

    def watch(self: changes.Recorder, event: Any) -> None:
        step = event.resource_pre_event and event.resource_pre_event.metadata
        if step and step.type.startswith("kubernetes:"):
            assert step.new is not None
            seen.add(comparable(step.type, step.urn, as_made(step.type, dict(step.new.inputs))))
        take_in(self, event)

    monkeypatch.setattr(changes.Recorder, "__call__", watch)
    return seen


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_plan_equals_preview(file, settings, previewed):
    loaded = load(file)
    run = open_run(loaded, silent(), sandbox=True, settings=settings)
    run.preview(refresh=False)

    # The engine previews a new platform with this root secret: a throw-away that is known to all.
    planned = plan_object_set(plan(loaded, base64.b64encode(bytes(32)).decode()))
    assert len(previewed) == len(planned)
    assert sorted(previewed - planned) == sorted(planned - previewed) == []
