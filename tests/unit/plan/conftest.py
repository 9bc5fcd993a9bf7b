"""A tiny program of every shape that a plan must understand, so that these tests need no blueprint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

SECRET = "hush-hush-value"


def register(
    parent: pulumi.Resource,
    name: str,
    manifest: dict[str, Any],
    *,
    first: Any = None,
    holds_data: bool = False,
) -> pulumi.CustomResource:
    group_version = (
        manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
    )
    token = f"kubernetes:{group_version}:{manifest['kind']}"
    options = pulumi.ResourceOptions(parent=parent, depends_on=first, protect=holds_data or None)
    return pulumi.CustomResource(token, name, manifest, options)


class Box(pulumi.ComponentResource):
    """A namespace, what holds data, a workload, a Secret, and a component inside."""

    def __init__(self, name: str, image: str, parent: pulumi.Resource | None = None) -> None:
        super().__init__("ziggurat:index:Box", name, None, pulumi.ResourceOptions(parent=parent))
        namespace = register(self, f"{name}-namespace", named("v1", "Namespace", name), holds_data=True)
        claim = named("v1", "PersistentVolumeClaim", "data", name)
        claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
        register(self, f"{name}-data", claim, first=namespace, holds_data=True)
        register(self, f"{name}-server", deployment(name, image), first=namespace)
        secret = named("v1", "Secret", "login", name)
        secret["stringData"] = {"password": pulumi.Output.secret(SECRET), "user": pulumi.Output.secret("me")}
        register(self, f"{name}-login", secret, first=namespace)
        self.register_outputs({"namespace": name, "password": pulumi.Output.secret(SECRET)})


def named(api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def deployment(namespace: str, image: str) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": image,
        "ports": [{"containerPort": 5000}],
        "resources": {"requests": {"cpu": "250m", "memory": "768Mi"}},
    }
    template = {"metadata": {"labels": {"app": "server"}}, "spec": {"containers": [container]}}
    return named("apps/v1", "Deployment", "server", namespace) | {
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "server"}}, "template": template}
    }


@pytest.fixture
def program() -> Callable[..., Callable[[], None]]:
    """Makes a program of one outer Box and some inner ones."""

    def make(boxes: int = 1, image: str = "server:1.0") -> Callable[[], None]:
        def run() -> None:
            outer = Box("outer", image)
            for index in range(boxes):
                Box(f"inner{index}", image, outer)
            pulumi.export("address", "http://server")
            pulumi.export("password", pulumi.Output.secret(SECRET))

        return run

    return make
