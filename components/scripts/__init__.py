"""Programs that run inside the platform's pods, mounted from ConfigMaps.

They are not imported here: they run with the Python of MLflow's image, against what that image holds.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """The text of one of them."""
    return (files(__name__) / name).read_text(encoding="utf-8")
