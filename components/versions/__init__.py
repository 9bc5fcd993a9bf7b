"""Every image, chart and version that Ziggurat provisions, in one place, and where they are pulled from.

One module for each part of the platform; here are all of them together.
"""

from components.versions.certificates import CERT_MANAGER
from components.versions.core import (
    DEX,
    GIT,
    MLFLOW,
    OAUTH2_PROXY,
    POSTGRESQL,
    RCLONE,
    RESTIC,
    SEAWEEDFS,
)
from components.versions.database import CLOUDNATIVE_PG, CNPG_POSTGRESQL, PGBOUNCER, PLUGIN_BARMAN_CLOUD
from components.versions.external_secrets import EXTERNAL_SECRETS
from components.versions.gateway import ENVOY_GATEWAY
from components.versions.gpu import CUDA_SAMPLE, NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR
from components.versions.kubeflow import KUBEFLOW_CHARTS, KUBEFLOW_IMAGES
from components.versions.model import Chart, Definition, Image, ImageSource
from components.versions.monitoring import PROMETHEUS_STACK
from components.versions.pipelines import (
    ARGOEXEC,
    ENVOY,
    KFP_API_SERVER,
    KFP_DRIVER,
    KFP_LAUNCHER,
    KFP_PERSISTENCE_AGENT,
    KFP_SCHEDULED_WORKFLOWS,
    KFP_UI,
    ML_METADATA,
    MYSQL,
    PIPELINE_RUNS,
    PIPELINES,
    WORKFLOW_CONTROLLER,
)
from components.versions.queues import KUEUE

ALL: tuple[Image, ...] = (
    MLFLOW,
    POSTGRESQL,
    SEAWEEDFS,
    OAUTH2_PROXY,
    DEX,
    RESTIC,
    RCLONE,
    GIT,
    CNPG_POSTGRESQL,
    PGBOUNCER,
    CUDA_SAMPLE,
    *KUBEFLOW_IMAGES,
    *(*PIPELINES, KFP_UI, MYSQL),
)
"""What a mirror has to hold, beside the images of charts."""

CHARTS: tuple[Chart, ...] = (
    KUEUE,
    NVIDIA_DEVICE_PLUGIN,
    NVIDIA_GPU_OPERATOR,
    CERT_MANAGER,
    ENVOY_GATEWAY,
    CLOUDNATIVE_PG,
    PLUGIN_BARMAN_CLOUD,
    EXTERNAL_SECRETS,
    PROMETHEUS_STACK,
    *KUBEFLOW_CHARTS,
)
"""Every chart that a blueprint may need. `standin/charts.json` is made of their definitions."""

__all__ = [
    "ALL",
    "ARGOEXEC",
    "CERT_MANAGER",
    "CHARTS",
    "CLOUDNATIVE_PG",
    "CNPG_POSTGRESQL",
    "CUDA_SAMPLE",
    "DEX",
    "ENVOY",
    "ENVOY_GATEWAY",
    "EXTERNAL_SECRETS",
    "GIT",
    "KFP_API_SERVER",
    "KFP_DRIVER",
    "KFP_LAUNCHER",
    "KFP_PERSISTENCE_AGENT",
    "KFP_SCHEDULED_WORKFLOWS",
    "KFP_UI",
    "KUEUE",
    "MLFLOW",
    "ML_METADATA",
    "MYSQL",
    "NVIDIA_DEVICE_PLUGIN",
    "NVIDIA_GPU_OPERATOR",
    "OAUTH2_PROXY",
    "PGBOUNCER",
    "PIPELINES",
    "PIPELINE_RUNS",
    "PLUGIN_BARMAN_CLOUD",
    "POSTGRESQL",
    "PROMETHEUS_STACK",
    "RCLONE",
    "RESTIC",
    "SEAWEEDFS",
    "WORKFLOW_CONTROLLER",
    "Chart",
    "Definition",
    "Image",
    "ImageSource",
]
