"""Third-party software that comes as a Helm chart: one `helm.v3.Release` each, pinned by its version.

A Release is one resource of the stack; what the chart makes is Helm's. Whatever needs the kinds that a chart
brings depends on its Release, so that it comes after them and goes before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.versions import Chart, ImageSource

RELEASE = "kubernetes:helm.sh/v3:Release"
"""The type of a release."""
_SECONDS = 600
"""How long Helm waits until everything of a chart is ready: images of several gigabytes are pulled."""


def release(
    parent: pulumi.Resource,
    chart: Chart,
    values: Mapping[str, Any],
    *,
    namespace: str,
    images: ImageSource,
    name: str | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
) -> pulumi.CustomResource:
    """Installs `chart` as the release `name` (by default the chart's own name) into a namespace.

    It is there when everything of the chart is ready, webhooks included; one that fails is taken back whole.
    """
    called = name or chart.name
    return pulumi.CustomResource(
        RELEASE,
        f"{namespace}/{called}",
        release_inputs(chart, values, namespace=namespace, images=images, name=called),
        pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on) or None),
    )


def release_inputs(
    chart: Chart, values: Mapping[str, Any], *, namespace: str, images: ImageSource, name: str
) -> dict[str, Any]:
    """The inputs of a Release, as Pulumi's plugin takes them."""
    reference, repository = images.chart(chart)
    return {
        "compat": "true",  # as Pulumi's own SDKs say of every Release
        "name": name,
        "namespace": namespace,
        "chart": reference,
        "version": chart.version,
        **({"repositoryOpts": {"repo": repository}} if repository else {}),
        "values": dict(values),
        "atomic": True,
        "cleanupOnFail": True,
        "createNamespace": False,
        "skipAwait": False,
        "timeout": _SECONDS,
    }
