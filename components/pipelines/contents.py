"""The images of pipelines."""

from __future__ import annotations

from blueprints.model import Blueprint
from blueprints.model.pipelines import EmbeddedMySql
from components import versions
from components.versions.model import Image


def pipeline_images(blueprint: Blueprint) -> set[Image]:
    """What pipelines run, beside what their tasks name; nothing without them."""
    pipelines = blueprint.pipelines
    if pipelines is None:
        return set()
    page = {versions.KFP_UI} if pipelines.host else set[Image]()
    # Backups dump a database that is brought by MySQL's own program, too.
    used = isinstance(pipelines.database, EmbeddedMySql) or blueprint.backup is not None
    database = {versions.MYSQL} if used else set[Image]()
    return {*versions.PIPELINES, *page, *database}
