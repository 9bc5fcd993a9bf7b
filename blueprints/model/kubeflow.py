"""Training, tuning, serving and notebooks: each on request."""

from typing import Literal

from pydantic import Field

from blueprints.model.base import GROW_ONLY, IMMUTABLE, Part
from blueprints.model.projects import ImageReference
from blueprints.model.scalars import HostName, ObjectName, Storage


class Training(Part):
    """Kubeflow Trainer: distributed training as TrainJobs, with a runtime for CPUs and for each GPU pool."""

    jobset: Literal["embedded", "existing"] = "embedded"
    """Who runs JobSet, which Trainer makes its Jobs with: `embedded`, the platform; `existing`, the cluster
    has it already (API v1alpha2)."""
    image: ImageReference | None = None
    """The image of the runtimes, which a TrainJob may replace; left out, PyTorch's own. That has no MLflow
    client: training that logs to MLflow needs an image that has one."""


class Tuning(Part):
    """Katib: Experiments that look for the best parameters, in the teams' namespaces.

    It needs `certificates`.
    """

    host: HostName | None = None
    """The name under which people open Katib's page, which needs a single sign-on (`auth.mode: oidc` or
    `embedded`), and lets in the teams' `members`; left out, there is no page, and Experiments are made with
    kubectl."""
    storage: Storage = Field(default="5Gi", json_schema_extra=GROW_ONLY)
    """The size of the volume with what trials measured; it may grow later, never shrink."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of that volume; left out, the cluster's default."""


class Serving(Part):
    """KServe: models of MLflow's registry behind Services of their teams, reached inside the cluster.

    It needs `certificates`."""


class Notebooks(Part):
    """Kubeflow's notebook controller: Notebooks in the teams' namespaces, reached by port-forward, and in a
    browser with `host`."""

    host: HostName | None = None
    """The name under which people open their teams' notebooks (`/notebook/<namespace>/<name>/`). It needs a
    single sign-on (`auth.mode: oidc` or `embedded`), and lets in the teams' `groups`; left out, port-forward
    is the only way in."""
