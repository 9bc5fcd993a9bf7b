"""The model of the blueprint language."""

from blueprints.model.blueprint import Blueprint

__all__ = ["Blueprint"]
