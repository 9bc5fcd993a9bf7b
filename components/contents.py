"""What has to be pulled to run a platform: images and charts."""

from blueprints.model import Blueprint
from blueprints.model.access import EmbeddedAuth
from blueprints.model.storage import EmbeddedArtifacts, EmbeddedDatabase, HighlyAvailableDatabase
from components import certificates, external_secrets, gateway, kubeflow, pools, projects, queues, versions
from components.database import cluster
from components.monitoring.parts import embedded
from components.pipelines.contents import pipeline_images
from components.signon.proxies import proxied
from components.versions.model import Chart, Image, ImageSource


def images(blueprint: Blueprint) -> list[str]:
    """Every image of the platform as its pods name it: what a mirror has to hold, and users' own."""
    source = ImageSource(blueprint.images.registry, blueprint.images.pull_secret)
    own = {source.reference(image) for image in used_images(blueprint)}
    return sorted(own | brought_images(blueprint))


def brought_images(blueprint: Blueprint) -> set[str]:
    """Images that users name for what they run; no mirror rewrites them."""
    return projects.brought_images(blueprint.projects) | kubeflow.brought_images(blueprint)


def used_images(blueprint: Blueprint) -> tuple[Image, ...]:
    """Every image that the platform runs, as its maker names it: what a mirror has to hold."""
    database = blueprint.database
    is_cluster = isinstance(database, HighlyAvailableDatabase)
    used = {
        versions.MLFLOW: True,
        versions.POSTGRESQL: isinstance(database, EmbeddedDatabase) or bool(blueprint.backup),
        versions.CNPG_POSTGRESQL: is_cluster,
        versions.PGBOUNCER: is_cluster and database.pooler is not None,
        versions.SEAWEEDFS: isinstance(blueprint.artifacts, EmbeddedArtifacts),
        versions.OAUTH2_PROXY: bool(proxied(blueprint)),
        versions.DEX: isinstance(blueprint.auth, EmbeddedAuth),
        versions.RESTIC: bool(blueprint.backup),
        versions.RCLONE: bool(blueprint.backup),
        versions.GIT: projects.fetches(blueprint.projects),
        versions.CUDA_SAMPLE: bool(blueprint.gpu_pools),  # `ziggurat check gpu`
    }
    own = {image for image, is_used in used.items() if is_used}
    own |= kubeflow.images(blueprint) | pipeline_images(blueprint)
    return tuple(own.union(*(chart.images for chart in charts(blueprint))))


def charts(blueprint: Blueprint) -> tuple[Chart, ...]:
    """Every chart that the platform is made with: what a mirror has to hold beside the images."""
    kueue = (versions.KUEUE,) if queues.runs_kueue(blueprint.queues) else ()
    return (
        *kueue,
        *pools.charts(blueprint.gpu_pools),
        *gateway.charts(blueprint.gateway),
        *certificates.charts(blueprint.certificates),
        *cluster.charts(blueprint.database),
        *external_secrets.charts(blueprint.external_secrets),
        *kubeflow.charts(blueprint),
        *((versions.PROMETHEUS_STACK,) if embedded(blueprint) else ()),
    )
