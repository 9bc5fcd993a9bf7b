"""Kubeflow Pipelines, and what it runs on."""

from components.versions.model import Image

_KFP = "2.17.0"
_ARGO = "v4.0.5"
"""The version that Kubeflow Pipelines 2.17.0 is made for."""

KFP_API_SERVER = Image("ghcr.io", "kubeflow/kfp-api-server", _KFP)
KFP_PERSISTENCE_AGENT = Image("ghcr.io", "kubeflow/kfp-persistence-agent", _KFP)
KFP_SCHEDULED_WORKFLOWS = Image("ghcr.io", "kubeflow/kfp-scheduled-workflow-controller", _KFP)
KFP_UI = Image("ghcr.io", "kubeflow/kfp-frontend", _KFP)
KFP_DRIVER = Image("ghcr.io", "kubeflow/kfp-driver", _KFP)
KFP_LAUNCHER = Image("ghcr.io", "kubeflow/kfp-launcher", _KFP)
ML_METADATA = Image("gcr.io", "tfx-oss-public/ml_metadata_store_server", "1.14.0")
WORKFLOW_CONTROLLER = Image("quay.io", "argoproj/workflow-controller", _ARGO)
ARGOEXEC = Image("quay.io", "argoproj/argoexec", _ARGO)
MYSQL = Image("docker.io", "library/mysql", "8.4")
"""The last series with `mysql_native_password`, which the metadata store logs in by."""
ENVOY = Image("docker.io", "envoyproxy/envoy", "v1.37.0")
"""What Kubeflow Pipelines 2.17.0 builds its metadata proxy from."""

PIPELINE_RUNS = (KFP_DRIVER, KFP_LAUNCHER, ARGOEXEC)
"""What the pods of runs run, beside the images that their tasks name."""
PIPELINES = (
    KFP_API_SERVER,
    KFP_PERSISTENCE_AGENT,
    KFP_SCHEDULED_WORKFLOWS,
    ML_METADATA,
    WORKFLOW_CONTROLLER,
    ENVOY,
    *PIPELINE_RUNS,
)
"""What every platform with pipelines runs; the page and an embedded database come on top."""
