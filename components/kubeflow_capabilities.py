"""Training, tuning, serving and notebooks: what of the core each is made with."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from components.core import Core
from components.serving import PlatformServing, PlatformServingArgs
from components.training import PlatformTraining, PlatformTrainingArgs


def _training(core: Core) -> tuple[pulumi.Resource, ...]:
    chosen, blueprint = core.blueprint.training, core.blueprint
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    args = PlatformTrainingArgs(
        core.apps.platform,
        chosen,
        blueprint.teams,
        core.teams.namespaces,
        blueprint.gpu_pools,
        core.images,
        after=(*core.system.ready, *core.after(["queues"])),
        accounts=core.access.ready,
    )
    return PlatformTraining(f"{core.name}-training", args, core.options).ready


def _serving(core: Core) -> tuple[pulumi.Resource, ...]:
    args = PlatformServingArgs(
        core.apps.platform,
        core.apps.mlflow,
        core.blueprint.teams,
        core.teams.namespaces,
        core.blueprint.gpu_pools,
        core.images,
        core.credentials,
        after=(*core.system.ready, *core.after(["certificates"])),
        accounts=core.access.ready,
    )
    return PlatformServing(f"{core.name}-serving", args, core.options).ready


KUBEFLOW: dict[str, Callable[[Core], tuple[pulumi.Resource, ...]]] = {
    "training": _training,
    "serving": _serving,
}
"""Each of them by the blueprint's attribute that asks for it."""
