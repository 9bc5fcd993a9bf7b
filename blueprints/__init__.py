"""The blueprint language: what a user declares, and all that is said about it before anything runs.

The names below are imported when they are first used: names.py and problems.py are wanted where pydantic
is not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blueprints.loader import Loaded, load
    from blueprints.model import Blueprint
    from blueprints.problems import BlueprintError, Problem

__all__ = ["Blueprint", "BlueprintError", "Loaded", "Problem", "load"]

_HOMES = {
    "Blueprint": "model",
    "BlueprintError": "problems",
    "Loaded": "loader",
    "Problem": "problems",
    "load": "loader",
}


def __getattr__(name: str) -> Any:
    """One of the names above, from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"blueprints.{_HOMES[name]}"), name)
