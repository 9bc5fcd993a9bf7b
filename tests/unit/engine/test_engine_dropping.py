"""Which data `up --drop-data` lets go, and what it refuses."""

from __future__ import annotations

import pytest

from blueprints.loader import loads
from ziggurat.engine.changes import Change
from ziggurat.engine.dropping import droppable, dropped
from ziggurat.engine.state import Managed, State
from ziggurat.errors import ZigguratError

BLUEPRINT = """\
apiVersion: ziggurat/v1
name: acme
phase: orchestration
teams: {vision: {}}
monitoring: {}
"""
COMPONENTS = {
    "katib": "tuning",
    "mysql": "pipelines",
    "gpus": "gpu-pools",
    "metrics": "monitoring",
    "db": "database",
}
STATE = State(
    exists=True,
    objects=tuple(
        Managed(
            name, "v1", "PersistentVolumeClaim", name, "acme", True, {"app.kubernetes.io/component": part}
        )
        for name, part in COMPONENTS.items()
    ),
)


def losing(*names: str) -> list[Change]:
    return [
        Change(
            "delete", name, "t", kind="PersistentVolumeClaim", name=name, namespace="acme", holds_data=True
        )
        for name in names
    ]


def capabilities(*names: str) -> dict[str, str]:
    return droppable(losing(*names), STATE, loads(BLUEPRINT, "b").blueprint)


def test_only_what_a_capability_had_that_is_gone_from_the_blueprint_can_be_dropped() -> None:
    assert capabilities("katib", "mysql", "gpus", "metrics", "db", "unheard-of") == {
        "katib": "tuning",
        "mysql": "pipelines",
        "gpus": "gpuPools",
    }


def test_only_the_named_capabilities_data_goes() -> None:
    known = capabilities("katib", "mysql", "gpus")

    assert dropped((), known) == frozenset()
    assert dropped(("tuning",), known) == {"katib"}
    assert dropped(("tuning", "gpuPools"), known) == {"katib", "gpus"}


@pytest.mark.parametrize("name", ["pipelines", "monitoring", "database", "Tuning", "gpu-pools"])
def test_a_name_that_loses_nothing_is_refused(name: str) -> None:
    with pytest.raises(ZigguratError) as caught:
        dropped(("tuning", name), capabilities("katib", "metrics", "db"))

    assert str(caught.value.message).endswith(f": {name}")
    assert caught.value.remedy.endswith("would go: tuning")
