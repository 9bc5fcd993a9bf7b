"""Models in the bucket that a team's pipelines wrote, served by their `s3://` URI.

MLflow's client fetches them: it lists and reads below the model's folder and asks nothing of the bucket
itself, so the key of the team's runs, which opens the team's folder alone, is enough. KServe's own begins
with HeadBucket, which such a key may not. Models of MLflow's registry need none of it (serving.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, S3Artifacts
from components import artifacts
from components.apps import Apps
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge, Models, Outside
from components.pipelines.parts import STORE_SECRET, address
from components.pipelines.stores import RunStore, run_store

ACCOUNT = "models"
"""The ServiceAccount of such models in each team's namespace, where identities of a cloud open the bucket."""


@dataclass(frozen=True)
class ServingStore:
    """How models get out of the bucket."""

    runs: RunStore
    identities: Mapping[str, str]
    """The identity in the cloud of each team's runs, where they enter by one."""
    env: tuple[Manifest, ...]
    """What MLflow's client is told: where the store is, and who it is, where a Secret says that."""

    @property
    def prefix(self) -> str:
        """What the URIs begin with: below it each team has its folder."""
        return f"{self.runs.root}/"


def serving_store(blueprint: Blueprint, apps: Apps) -> ServingStore | None:
    """None without serving, without pipelines (then the bucket has no folders of teams), or without S3."""
    pipelines, chosen = blueprint.pipelines, blueprint.artifacts
    if blueprint.serving is None or pipelines is None:
        return None
    if isinstance(chosen, EmbeddedArtifacts):
        identities: Mapping[str, str] = {}
        told = artifacts.s3_settings(artifacts.REGION, f"http://{address(apps.seaweedfs)}:{artifacts.PORT}")
    elif isinstance(chosen, S3Artifacts):
        identities = pipelines.identities
        told = artifacts.s3_settings(chosen.region, chosen.endpoint)
    else:
        return None
    runs = run_store(chosen, apps.seaweedfs)
    keys = workloads.from_secret(STORE_SECRET, artifacts.KEYS) if runs.reads_secret else []
    return ServingStore(runs, identities, (*workloads.plain(told), *keys))


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


def account(app: App, store: ServingStore, pull_secret: str | None) -> Manifest | None:
    """The ServiceAccount that takes on the identity of a team's runs; none where a Secret opens the bucket.

    Without an identity in the blueprint it is there all the same: EKS Pod Identity is told of it elsewhere.
    """
    if store.runs.reads_secret:
        return None
    team, annotation = app.team, store.runs.account_annotation
    identity = store.identities.get(team) if team else None
    annotations = {annotation: identity} if annotation and identity else None
    named = App(app.platform, app.namespace, ACCOUNT, app.component, team)
    return configuration.service_account(named, annotations, pull_secret)
