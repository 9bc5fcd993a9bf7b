"""KServe's objects (serving.kserve.io/v1alpha1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.manifests.metadata import App, Manifest

GROUP = "serving.kserve.io"
API_VERSION = f"{GROUP}/v1alpha1"
CONTAINER = "kserve-container"
"""KServe's own name for the container that serves."""


def storage_container(
    app: App, name: str, formats: Sequence[Mapping[str, str]], container: Manifest, *, several: bool = False
) -> Manifest:
    """What fetches the models whose `storageUri` is of one of the `formats`; an object of the whole cluster.

    KServe gives the container two arguments, the URI and the folder that the model is to lie in; and more
    such pairs to one that takes `several`.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterStorageContainer",
        "metadata": {"name": name, "labels": app.labels},
        "spec": {
            "container": container,
            "supportedUriFormats": [dict(each) for each in formats],
            "supportsMultiModelDownload": several,
            "workloadType": "initContainer",
        },
    }


def serving_runtime(
    app: App,
    name: str,
    container: Manifest,
    *,
    model_format: str,
    automatic: bool,
    volumes: Sequence[Manifest],
    placement: Mapping[str, object],
) -> Manifest:
    """A ServingRuntime in a team's namespace; an `automatic` one is taken where none is named."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ServingRuntime",
        "metadata": app.metadata(name),
        "spec": {
            "supportedModelFormats": [{"name": model_format, "autoSelect": automatic}],
            "labels": app.labels,
            "containers": [container],
            "volumes": list(volumes),
            **placement,
        },
    }
