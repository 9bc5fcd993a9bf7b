"""The shipped automation blueprint climbs to orchestration: by the real engine, onto a real API server.

With real definitions at hand (docs/testing.md) the API server holds custom resources to them.
"""

from __future__ import annotations

import pytest
from shipped import claims, destroy, put, settled, up

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False


def test_a_platform_climbs_from_automation_to_orchestration(machine):
    blueprint = put(machine, "automation")
    up(machine, blueprint)
    before = claims(machine)
    assert before

    blueprint = put(machine, "orchestration")
    changed = up(machine, blueprint)["summary"]
    assert changed.get("create", 0) > 0
    after = claims(machine)
    assert {place: after.get(place) for place in before} == before
    assert settled(machine, blueprint) == {}

    destroy(machine, blueprint)
