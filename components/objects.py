"""Registration of Kubernetes objects: manifests are plain data, and here alone they are registered.

Objects are registered by their raw type token instead of through the typed classes of
`pulumi_kubernetes`: a fraction of the time for each, and no 350 ms import (measured, docs/decisions.md). The
manifests are checked against Kubernetes' own schemas before anything runs (ziggurat/plan), which is
stricter than the typed classes are.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.expressions import entries, expressions
from components.manifests.external_secrets import external_secret
from components.manifests.metadata import Manifest

PACKAGE = "ziggurat"
"""The first part of every component's type token."""


def token(api_version: str, kind: str) -> str:
    """The Pulumi type of a Kubernetes kind; the core group is written `core/v1`."""
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group_version}:{kind}"


def logical_name(manifest: Manifest) -> str:
    """`namespace/name`: unique for each kind because Kubernetes makes it so, and never in need of a rule."""
    metadata = manifest["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def register(
    parent: pulumi.Resource,
    manifest: Manifest,
    *,
    name: str | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    holds_data: bool = False,
) -> pulumi.CustomResource:
    """Registers one object under `parent`.

    `name` is the logical name, by default `namespace/name`. It is part of the URN and never changes once
    released, so an object whose Kubernetes name holds a hash needs one of its own. An object that
    `holds_data` is protected: no run replaces or deletes it unless the user names it. A Secret whose values
    an outside store holds becomes an ExternalSecret.
    """
    stored = expressions(manifest["stringData"]) if manifest["kind"] == "Secret" else ()
    if stored:
        source = stored[0].source
        manifest = external_secret(manifest, source.store, entries(stored))
        depends_on = [*depends_on, *source.after]
    return pulumi.CustomResource(
        token(manifest["apiVersion"], manifest["kind"]),
        name or logical_name(manifest),
        manifest,
        pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on) or None,
            protect=True if holds_data else None,
            additional_secret_outputs=["data", "stringData"] if manifest["kind"] == "Secret" else None,
        ),
    )


def component_token(component: type[pulumi.ComponentResource]) -> str:
    """The type of a component: all of them lie in the module `index`, as hosted components have to."""
    return f"{PACKAGE}:index:{component.__name__}"
