"""The blueprints under test: every shipped one, and variants that bring what the shipped ones own."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints import load
from ziggurat.plan import plan

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "blueprints").glob("*.yaml"))
VARIANTS = sorted((Path(__file__).parent / "variants").glob("*.yaml"))

CANARY = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeS0wMQ=="
"""A root secret that must show nowhere."""


def pytest_generate_tests(metafunc):
    if "planned" in metafunc.fixturenames:
        files = [*SHIPPED, *VARIANTS]
        metafunc.parametrize("planned", files, ids=[file.stem for file in files], indirect=True)


_plans = {}


@pytest.fixture
def planned(request):
    """The plan of a blueprint, made once."""
    if request.param not in _plans:
        _plans[request.param] = plan(load(request.param), CANARY)
    return _plans[request.param]
