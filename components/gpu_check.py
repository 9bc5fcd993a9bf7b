"""A Job that sees whether a team's pods get a GPU of a pool: `ziggurat check gpu`."""

from __future__ import annotations

from blueprints.model.pools import GpuPool
from blueprints.names import fit, team_namespace
from components.manifests import workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.pools import placement
from components.manifests.queues import queue_labels
from components.namespaces import SERVICE_ACCOUNT
from components.versions import CUDA_SAMPLE, ImageSource

MAIN = "gpu"
"""The container that looks for the GPU."""
PASSED = "Test PASSED"
"""What the sample says when the GPU has added two vectors right."""
_USER = 1000
_SCRIPT = (
    "nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader && /cuda-samples/vectorAdd"
)
"""`nvidia-smi` comes with the driver, which is mounted from the node to where the image looks for it."""


def smoke_app(platform: str, team: str) -> App:
    """Whose the Jobs are."""
    return App(platform, team_namespace(platform, team), "gpu-check", "gpu-check", team)


def smoke_job(
    platform: str,
    team: str,
    name: str,
    pool: GpuPool,
    images: ImageSource,
    *,
    queued: bool,
    seconds: int,
    suffix: str,
) -> Manifest:
    """A Job of the team that takes one GPU of a pool, as the team's own work would, for at most `seconds`.

    It waits in the team's queue where there are queues, and is deleted an hour after its end at the latest.
    """
    app, place = smoke_app(platform, team), placement(name, pool)
    main = workloads.container(
        MAIN,
        images.reference(CUDA_SAMPLE),
        resources=workloads.Resources("100m", "128Mi", "1Gi", gpus=1),
        command=["sh", "-c"],
        args=[_SCRIPT],
    )
    template = workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(name, _SCRIPT),
        service_account=SERVICE_ACCOUNT,
        once=True,
        node_selector=place["nodeSelector"],
        tolerations=place["tolerations"],
    )
    metadata = app.metadata(fit(f"{app.name}-{name}-{suffix}"))
    if queued:
        metadata["labels"] = {**metadata["labels"], **queue_labels(team)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": 3600,
            "template": template,
        },
    }
