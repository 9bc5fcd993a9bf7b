"""Models in the bucket that a team's pipelines wrote, served by their `s3://` or `gs://` URI.

KServe's own image fetches them, as what an InferenceService's ServiceAccount says. That one enters the bucket
as the team's runs do: by the Secret of the team's namespace, or the identity in the cloud, so with the team's
folder alone. Models of MLflow's registry need none of it (serving.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, GcsArtifacts
from components import artifacts
from components.apps import Apps
from components.manifests import configuration
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge, Models, Outside
from components.pipelines.parts import STORE_SECRET, address
from components.pipelines.stores import RunStore, run_store

ACCOUNT = "models"
"""The ServiceAccount in each team's namespace of models that its pipelines wrote."""


@dataclass(frozen=True)
class ServingStore:
    """How models get out of the bucket."""

    runs: RunStore
    identities: Mapping[str, str]
    """The identity in the cloud of each team's runs, where they enter by one."""
    endpoint: str | None
    """The URL of an S3 store; None: AWS' own, or no S3 store."""
    region: str | None


def serving_store(blueprint: Blueprint, apps: Apps) -> ServingStore | None:
    """None without serving, or without pipelines: then the bucket has no folders of teams."""
    pipelines, chosen = blueprint.pipelines, blueprint.artifacts
    if blueprint.serving is None or pipelines is None:
        return None
    runs = run_store(chosen, apps.seaweedfs)
    if isinstance(chosen, EmbeddedArtifacts):
        where = f"http://{address(apps.seaweedfs)}:{artifacts.PORT}"
        return ServingStore(runs, {}, where, artifacts.REGION)
    if isinstance(chosen, GcsArtifacts):
        return ServingStore(runs, pipelines.identities, None, None)
    # The rules of blueprints refuse Azure Blob Storage beside pipelines.
    assert chosen.mode == "s3"  # noqa: S101  # for the type checker
    return ServingStore(runs, pipelines.identities, chosen.endpoint, chosen.region)


def edges(blueprint: Blueprint, apps: Apps) -> Iterator[Edge]:
    """Pods of models reach the bucket: which of them is fetched from there, no policy can tell."""
    store = serving_store(blueprint, apps)
    if store is None:
        return
    models = Models(blueprint.name)
    if isinstance(blueprint.artifacts, EmbeddedArtifacts):
        yield Edge(models, apps.seaweedfs, artifacts.PORT)
    for host, port in store.runs.egress:
        yield Edge(models, Outside(host), port)


def account(app: App, store: ServingStore, pull_secret: str | None) -> Manifest:
    """The ServiceAccount of a team. KServe reads from it how to enter the bucket; its pods get no token."""
    team, annotation = app.team, store.runs.account_annotation
    identity = store.identities.get(team) if team and annotation else None
    annotations = {annotation: identity} if annotation and identity else None
    named = App(app.platform, app.namespace, ACCOUNT, app.component, team)
    manifest = configuration.service_account(named, annotations, pull_secret)
    return {**manifest, **({"secrets": [{"name": STORE_SECRET}]} if store.runs.reads_secret else {})}


def values(store: ServingStore) -> Manifest:
    """What KServe's chart is told of the store: its default for every Secret and identity that names none."""
    told = {"endpoint": store.endpoint, "region": store.region}
    return {key: value for key, value in told.items() if value}
