"""Kubeflow Notebooks."""

from components.versions.model import Image

NOTEBOOK_CONTROLLER = Image("ghcr.io", "kubeflow/notebooks/notebook-controller", "v1.11.0")
JUPYTER = Image("ghcr.io", "kubeflow/kubeflow/notebook-servers/jupyter-scipy", "v1.11.0")
"""What a Notebook may run: a mirror holds it, and admission lets it through."""
