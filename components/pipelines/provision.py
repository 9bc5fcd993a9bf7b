"""What a platform with pipelines is given: the engine, made on the platform's core."""

from __future__ import annotations

import pulumi

from components.core import Core
from components.pipelines.engine import PipelineEngine, PipelineEngineArgs
from components.pipelines.parts import Parts


def pipelines(core: Core) -> tuple[pulumi.Resource, ...]:
    """Registers the engine."""
    blueprint = core.blueprint
    chosen = blueprint.pipelines
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    args = PipelineEngineArgs(
        Parts.of(blueprint.name),
        chosen,
        blueprint.teams,
        core.teams.namespaces,
        blueprint.artifacts,
        core.apps.mlflow,
        core.apps.seaweedfs,
        core.connections,
        core.images,
        core.credentials,
        tracking_host=blueprint.tracking.host,
        after=core.system.ready,
        accounts=(*core.access.ready, *core.bucket.store.ready),
    )
    return PipelineEngine(f"{core.name}-pipelines", args, core.options).ready
