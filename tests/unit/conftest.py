"""What several folders of unit tests share."""

from __future__ import annotations

import pytest

from blueprints import load
from ziggurat.plan import plan
from ziggurat.plan.model import Plan


@pytest.fixture(scope="module")
def planned(request: pytest.FixtureRequest) -> Plan:
    """What the blueprint comes to that a module names as its VARIANT; planned once."""
    return plan(load(request.module.VARIANT))
