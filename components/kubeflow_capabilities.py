"""Training, tuning, serving and notebooks: what of the core each is made with."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from components.core import Core
from components.notebooks import PlatformNotebooks, PlatformNotebooksArgs
from components.notebooks_page import NotebooksPage, page_args
from components.serving import PlatformServing, PlatformServingArgs
from components.serving_store import serving_store
from components.training import PlatformTraining, PlatformTrainingArgs
from components.tuning import PlatformTuning, PlatformTuningArgs


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
        store=serving_store(core.blueprint, core.apps),
        edges=core.connections,
    )
    return PlatformServing(f"{core.name}-serving", args, core.options).ready


def _tuning(core: Core) -> tuple[pulumi.Resource, ...]:
    chosen = core.blueprint.tuning
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    args = PlatformTuningArgs(
        core.apps.platform,
        chosen,
        core.blueprint.teams,
        core.teams.namespaces,
        core.images,
        training=core.blueprint.training is not None,
        after=(*core.system.ready, *core.after(["certificates", "training"])),
    )
    return PlatformTuning(f"{core.name}-tuning", args, core.options).ready


def _notebooks(core: Core) -> tuple[pulumi.Resource, ...]:
    args = PlatformNotebooksArgs(
        core.apps.platform,
        core.blueprint.teams,
        core.teams.namespaces,
        core.images,
        after=core.system.ready,
    )
    ready = PlatformNotebooks(f"{core.name}-notebooks", args, core.options).ready
    issuer = core.issuer.ready if core.issuer else ()
    after = (*core.system.ready, *issuer)
    page = page_args(core.blueprint, core.teams.namespaces, core.images, after)
    if page is None:
        return ready
    return (*ready, *NotebooksPage(f"{core.name}-notebooks-page", page, core.options).ready)


KUBEFLOW: dict[str, Callable[[Core], tuple[pulumi.Resource, ...]]] = {
    "training": _training,
    "serving": _serving,
    "tuning": _tuning,
    "notebooks": _notebooks,
}
"""Each of them by the blueprint's attribute that asks for it."""
