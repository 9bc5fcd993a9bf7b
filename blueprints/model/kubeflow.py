"""Training, tuning, serving and notebooks: each on request."""

from blueprints.model.base import Part


class Training(Part):
    """Kubeflow Trainer."""


class Tuning(Part):
    """Katib."""


class Serving(Part):
    """KServe."""


class Notebooks(Part):
    """Notebooks."""
