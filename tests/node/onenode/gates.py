"""Tests that run only where they are asked for."""

from __future__ import annotations

import os

import pytest


def asked_for(variable: str, takes: str) -> pytest.MarkDecorator:
    """The mark of tests that the environment variable asks for; `takes`: what they cost."""
    return pytest.mark.skipif(not os.environ.get(variable), reason=f"{variable}=1 runs it: it {takes}")
