"""Training, tuning, serving and notebooks: each on request."""

from typing import Literal

from blueprints.model.base import Part
from blueprints.model.projects import ImageReference


class Training(Part):
    """Kubeflow Trainer: distributed training as TrainJobs, with a runtime for CPUs and for each GPU pool."""

    jobset: Literal["embedded", "existing"] = "embedded"
    """Who runs JobSet, which Trainer makes its Jobs with: `embedded`, the platform; `existing`, the cluster
    has it already (API v1alpha2)."""
    image: ImageReference | None = None
    """The image of the runtimes, which a TrainJob may replace; left out, PyTorch's own. That has no MLflow
    client: training that logs to MLflow needs an image that has one."""


class Tuning(Part):
    """Katib."""


class Serving(Part):
    """KServe: models of MLflow's registry behind Services of their teams, reached inside the cluster.

    It needs `certificates`."""


class Notebooks(Part):
    """Notebooks."""
