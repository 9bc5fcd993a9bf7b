"""ExternalSecrets: Secrets that a controller makes of what an outside store holds."""

from __future__ import annotations

from collections.abc import Mapping

from components.manifests.metadata import Manifest

REFRESH = "5m"
"""How soon a value that was changed in the store is in the Secret."""


def external_secret(secret: Manifest, store: str, entries: Mapping[str, str]) -> Manifest:
    """What makes `secret`, whose values are templates, of the `entries` (name in the template: key) of a
    ClusterSecretStore. The Secret goes with it, and stays while the store cannot be reached."""
    metadata = secret["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    annotations = {**metadata.get("annotations", {}), "pulumi.com/waitFor": "condition=Ready"}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {**metadata, "annotations": annotations},
        "spec": {
            "refreshInterval": REFRESH,
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
            "target": {
                "name": metadata["name"],
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": {
                    "engineVersion": "v2",
                    "mergePolicy": "Replace",
                    "type": secret["type"],
                    "metadata": kept,
                    "data": {key: str(value) for key, value in secret["stringData"].items()},
                },
            },
            "data": [{"secretKey": name, "remoteRef": {"key": key}} for name, key in sorted(entries.items())],
        },
    }
