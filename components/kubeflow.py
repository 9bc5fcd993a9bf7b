"""Training, tuning, serving and notebooks: what they add to the platform's tables."""

from blueprints.model import Blueprint
from components import notebooks, notebooks_page, serving, serving_store, training, tuning
from components.apps import Apps
from components.manifests.network import Edge
from components.versions.model import Chart, Image


def edges(blueprint: Blueprint, apps: Apps) -> tuple[Edge, ...]:
    """Who speaks to whom."""
    return (
        *training.edges(blueprint.training, apps.platform),
        *serving.edges(blueprint.serving, apps.platform),
        *serving_store.edges(blueprint, apps),
        *tuning.edges(blueprint.tuning, apps.platform),
        *notebooks.edges(blueprint.notebooks, apps.platform),
        *notebooks_page.edges(blueprint),
    )


def charts(blueprint: Blueprint) -> tuple[Chart, ...]:
    """The charts that they come with."""
    return (*training.charts(blueprint.training), *serving.charts(blueprint.serving))


def images(blueprint: Blueprint) -> set[Image]:
    """Images of pods that no chart makes."""
    return {
        *training.images(blueprint.training),
        *tuning.images(blueprint.tuning),
        *notebooks.images(blueprint.notebooks),
    }


def namespace_labels(blueprint: Blueprint) -> dict[str, str]:
    """What they know the namespaces of teams by."""
    return tuning.namespace_labels(blueprint.tuning)


def brought_images(blueprint: Blueprint) -> set[str]:
    """Images that users name for them; no mirror rewrites these."""
    named = (blueprint.training.image if blueprint.training else None,)
    return {image for image in named if image}
