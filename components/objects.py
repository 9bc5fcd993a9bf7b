"""Registration of Kubernetes objects: manifests are plain data, and this is the one place that registers them.

Objects are registered by their raw type token instead of through the typed classes of
`pulumi_kubernetes`: 1.4 ms each against 5 ms, and no 350 ms import (measured, docs/decisions.md). The
manifests are checked against Kubernetes' own schemas before anything runs (ziggurat/plan), which is
stricter than the typed classes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

Manifest = dict[str, Any]
"""One Kubernetes object as YAML would hold it; values may be secret Outputs."""


def token(api_version: str, kind: str) -> str:
    """The Pulumi type of a Kubernetes kind; the core group is written `core/v1`."""
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group_version}:{kind}"


def register(
    parent: pulumi.Resource,
    name: str,
    manifest: Manifest,
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    holds_data: bool = False,
) -> pulumi.CustomResource:
    """Registers one object under `parent`.

    `name` is the logical name and never changes once released: it is part of the URN. An object that
    `holds_data` is protected: no run replaces or deletes it unless the user names it.
    """
    return pulumi.CustomResource(
        token(manifest["apiVersion"], manifest["kind"]),
        name,
        manifest,
        pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on), protect=True if holds_data else None),
    )
