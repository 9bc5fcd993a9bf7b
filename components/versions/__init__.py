"""Every image, chart and version that Ziggurat provisions, in one place, and where they are pulled from.

One module for each part of the platform; here are all of them together.
"""

from components.versions.certificates import CERT_MANAGER
from components.versions.core import (
    GIT,
    MLFLOW,
    OAUTH2_PROXY,
    POSTGRESQL,
    RCLONE,
    RESTIC,
    SEAWEEDFS,
)
from components.versions.database import CLOUDNATIVE_PG, CNPG_POSTGRESQL, PGBOUNCER
from components.versions.gpu import CUDA_SAMPLE, NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR
from components.versions.kubeflow import KUBEFLOW_CHARTS, KUBEFLOW_IMAGES
from components.versions.model import Chart, Definition, Image, ImageSource
from components.versions.queues import KUEUE

ALL: tuple[Image, ...] = (
    MLFLOW,
    POSTGRESQL,
    SEAWEEDFS,
    OAUTH2_PROXY,
    RESTIC,
    RCLONE,
    GIT,
    CNPG_POSTGRESQL,
    PGBOUNCER,
    CUDA_SAMPLE,
    *KUBEFLOW_IMAGES,
)
"""What a mirror has to hold, beside the images of charts."""

CHARTS: tuple[Chart, ...] = (
    KUEUE,
    NVIDIA_DEVICE_PLUGIN,
    NVIDIA_GPU_OPERATOR,
    CERT_MANAGER,
    CLOUDNATIVE_PG,
    *KUBEFLOW_CHARTS,
)
"""Every chart that a blueprint may need. `standin/charts.json` is made of their definitions."""

__all__ = [
    "ALL",
    "CERT_MANAGER",
    "CHARTS",
    "CLOUDNATIVE_PG",
    "CNPG_POSTGRESQL",
    "CUDA_SAMPLE",
    "GIT",
    "KUEUE",
    "MLFLOW",
    "NVIDIA_DEVICE_PLUGIN",
    "NVIDIA_GPU_OPERATOR",
    "OAUTH2_PROXY",
    "PGBOUNCER",
    "POSTGRESQL",
    "RCLONE",
    "RESTIC",
    "SEAWEEDFS",
    "Chart",
    "Definition",
    "Image",
    "ImageSource",
]
