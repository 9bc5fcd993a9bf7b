"""Configuration and identity of pods: ConfigMaps, Secrets, ServiceAccounts, volume claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.manifests.metadata import EXCEPTION, App, Manifest


def config_map(app: App, data: Mapping[str, str], name: str | None = None) -> Manifest:
    """Files or settings that are no secret."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": app.metadata(name), "data": dict(data)}


def secret(app: App, data: Mapping[str, Any], name: str | None = None) -> Manifest:
    """Credentials; values are secret Outputs, or plain text such as a user's name."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": app.metadata(name),
        "type": "Opaque",
        "stringData": dict(data),
    }


def service_account(
    app: App,
    annotations: Mapping[str, str] | None = None,
    pull_secret: str | None = None,
    *,
    speaks: str | None = None,
) -> Manifest:
    """An identity that gives its pods no token: nothing of the starter talks to the Kubernetes API.

    `speaks` is why pods of it speak to Kubernetes and may mount one all the same; those that do say so.
    """
    pull = {"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {}
    why = {EXCEPTION: speaks} if speaks else {}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": app.metadata(annotations={**(annotations or {}), **why}),
        "automountServiceAccountToken": False,
        **pull,
    }


def volume_claim(app: App, name: str, size: str, storage_class: str | None) -> Manifest:
    """A volume with data. It is an object of its own, not a StatefulSet's claim template: so it can be
    protected, seen in a plan, and grown (a template is immutable)."""
    chosen = {"storageClassName": storage_class} if storage_class else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        # A class that binds at the first consumer leaves the claim Pending until its pod exists, and the
        # pod waits for the claim to be registered: awaiting it would be a deadlock.
        "metadata": app.metadata(name, {"pulumi.com/skipAwait": "true"}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **chosen,
        },
    }
