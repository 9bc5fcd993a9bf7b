"""The blueprints under test: every shipped one, and variants that bring what the shipped ones own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

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


@pytest.fixture
def ziggurat(capsys):
    """Runs one command line in this process: exit code, standard output, standard error."""
    from ziggurat.cli import run

    def call(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=int(code), stdout=printed.out, stderr=printed.err)

    return call


_plans = {}


@pytest.fixture
def planned(request):
    """The plan of a blueprint, made once."""
    if request.param not in _plans:
        _plans[request.param] = plan(load(request.param), CANARY)
    return _plans[request.param]
