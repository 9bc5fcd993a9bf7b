"""What the pods of pipelines share: those that speak to Kubernetes need a token of theirs."""

from __future__ import annotations

from components.manifests import workloads
from components.manifests.metadata import Manifest
from components.pipelines.parts import AUDIENCE

TOKENS = "/var/run/secrets/kubeflow/tokens"


def with_token(template: Manifest) -> Manifest:
    """The pod with its ServiceAccount's token: it speaks to the Kubernetes API."""
    return {**template, "spec": {**template["spec"], "automountServiceAccountToken": True}}


def api_token(file: str) -> workloads.Volume:
    """A token for the API server of pipelines, and for nothing else, in a file of that name."""
    source = {"serviceAccountToken": {"path": file, "expirationSeconds": 3600, "audience": AUDIENCE}}
    return workloads.Volume("token", {"projected": {"sources": [source]}}, TOKENS, read_only=True)
