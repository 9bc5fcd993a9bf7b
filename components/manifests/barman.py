"""The object of CloudNativePG's Barman Cloud plugin (barmancloud.cnpg.io/v1): where an archive lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.manifests.metadata import App, Manifest
from components.manifests.workloads import Resources, plain

API_VERSION = "barmancloud.cnpg.io/v1"


def object_store(
    app: App,
    name: str,
    configuration: Mapping[str, Any],
    *,
    settings: Mapping[str, str],
    resources: Resources,
    retention: str | None = None,
) -> Manifest:
    """Where an archive lies and how it is entered; `settings` are variables of the container that does it.

    Without `retention` nothing is ever deleted there.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ObjectStore",
        "metadata": app.metadata(name),
        "spec": {
            "configuration": {
                **configuration,
                "wal": {"compression": "gzip"},
                "data": {"compression": "gzip"},
            },
            **({"retentionPolicy": retention} if retention else {}),
            "instanceSidecarConfiguration": {
                "env": plain(settings),
                "resources": resources.manifest(),
            },
        },
    }
