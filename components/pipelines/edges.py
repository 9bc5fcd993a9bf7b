"""Who speaks to whom around pipelines."""

from __future__ import annotations

from collections.abc import Iterator

from blueprints.model import Blueprint
from blueprints.model.pipelines import EmbeddedMySql, Pipelines
from blueprints.model.storage import EmbeddedArtifacts
from components import artifacts, tracking
from components.manifests.metadata import App
from components.manifests.network import Edge, Outside, Runs, Teams
from components.pipelines import database
from components.pipelines.parts import GRPC, HTTP, METADATA, METADATA_WEB, PEOPLE, TRACKING, Parts
from components.pipelines.stores import engine_store, run_store

_KUBERNETES = (443, 6443)
"""The API server's ports. Where it is, no NetworkPolicy can say."""


def pipeline_edges(blueprint: Blueprint, mlflow: App, seaweedfs: App, backup: App) -> tuple[Edge, ...]:
    """Every connection that pipelines need; none without them."""
    if blueprint.pipelines is None:
        return ()
    parts = Parts.of(blueprint.name)
    runs = Runs(blueprint.name)
    return (
        *_programs(blueprint.name, parts),
        *(Edge(runs, parts.door, TRACKING), Edge(runs, parts.metadata, METADATA)),
        *_engine(blueprint.pipelines, parts, mlflow),
        *_kubernetes(blueprint.pipelines, parts, runs),
        *_database(blueprint.pipelines, parts, (backup,) if blueprint.backup else ()),
        *_store(blueprint, parts, runs, seaweedfs),
    )


def _programs(platform: str, parts: Parts) -> Iterator[Edge]:
    for port in (HTTP, GRPC):
        yield Edge(Teams(platform), parts.door, port)
        yield Edge(parts.persistence, parts.door, port)
        yield Edge(parts.door, parts.server, port)
    yield Edge(parts.schedules, parts.door, GRPC)


def _engine(pipelines: Pipelines, parts: Parts, mlflow: App) -> Iterator[Edge]:
    yield Edge(parts.server, parts.door, TRACKING)
    yield Edge(parts.door, mlflow, tracking.PORT)
    if pipelines.host:
        yield Edge(parts.page, parts.door, PEOPLE)
        yield Edge(parts.page, parts.door, METADATA_WEB)
        yield Edge(parts.door, parts.metadata, METADATA)


def _kubernetes(pipelines: Pipelines, parts: Parts, runs: Runs) -> Iterator[Edge]:
    speakers = (parts.server, parts.persistence, parts.schedules, parts.workflows)
    pages = (parts.page,) if pipelines.host else ()
    for source in (*speakers, *pages, runs):
        for port in _KUBERNETES:
            yield Edge(source, Outside(), port)


def _database(pipelines: Pipelines, parts: Parts, more: tuple[App, ...]) -> Iterator[Edge]:
    chosen = pipelines.database
    for source in (parts.server, parts.metadata, *more):
        if isinstance(chosen, EmbeddedMySql):
            yield Edge(source, parts.mysql, database.PORT)
        else:
            yield Edge(source, Outside(chosen.host), chosen.port)


def _store(blueprint: Blueprint, parts: Parts, runs: Runs, seaweedfs: App) -> Iterator[Edge]:
    pages = (parts.page,) if blueprint.pipelines and blueprint.pipelines.host else ()
    chosen = blueprint.artifacts
    if isinstance(chosen, EmbeddedArtifacts):
        for source in (runs, parts.server, *pages):
            yield Edge(source, seaweedfs, artifacts.PORT)
        return
    for host, port in run_store(chosen, seaweedfs).egress:
        yield Edge(runs, Outside(host), port)
    for host, port in engine_store(chosen, seaweedfs).egress:
        for source in (parts.server, *pages):
            yield Edge(source, Outside(host), port)
