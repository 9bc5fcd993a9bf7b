"""External Secrets: the controller that makes Secrets of what a store of the user's holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from blueprints.model import Blueprint
from blueprints.model.secrets import ExternalSecrets
from blueprints.names import system_namespace
from components.charts import release
from components.manifests.metadata import App, Manifest
from components.manifests.network import API_PORTS, Edge, Outside
from components.objects import component_token
from components.versions.external_secrets import EXTERNAL_SECRETS
from components.versions.model import Chart, ImageSource

WEBHOOK = 10250
_POD_NAMES = ("external-secrets", "external-secrets-webhook", "external-secrets-cert-controller")
"""What the chart's pods are called by their labels."""


def _pods(platform: str) -> tuple[App, ...]:
    namespace = system_namespace(platform)
    return tuple(
        App(platform, namespace, name, "external-secrets", release=EXTERNAL_SECRETS.name)
        for name in _POD_NAMES
    )


def _is_embedded(chosen: ExternalSecrets | None) -> bool:
    return chosen is not None and chosen.controller == "embedded"


def charts(chosen: ExternalSecrets | None) -> tuple[Chart, ...]:
    """External Secrets', where the platform runs it."""
    return (EXTERNAL_SECRETS,) if _is_embedded(chosen) else ()


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """All of it calls the API server, which calls its webhook; the controller calls the store."""
    chosen = blueprint.external_secrets
    if chosen is None or not _is_embedded(chosen):
        return ()
    pods = _pods(blueprint.name)
    controller, webhook, _ = pods
    return (
        *(Edge(pod, Outside(), port) for pod in pods for port in API_PORTS),
        *(Edge(controller, Outside(), port) for port in chosen.store_ports if port not in API_PORTS),
        Edge(Outside(), webhook, WEBHOOK),
    )


@dataclass(frozen=True)
class SecretsControllerArgs:
    """What a SecretsController is made of."""

    namespace: str
    chosen: ExternalSecrets
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and policies."""


class SecretsController(pulumi.ComponentResource):
    """External Secrets, unless the cluster has it."""

    def __init__(
        self, name: str, args: SecretsControllerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(
            component_token(SecretsController), name, {"controller": args.chosen.controller}, opts
        )
        self.ready: tuple[pulumi.Resource, ...] = ()
        if _is_embedded(args.chosen):
            made = release(
                self,
                EXTERNAL_SECRETS,
                values(args.images),
                namespace=args.namespace,
                images=args.images,
                depends_on=args.after,
            )
            self.ready = (made,)
        self.register_outputs({})


def values(images: ImageSource) -> dict[str, Any]:
    """The values of the chart. What the platform does not use of External Secrets is off.

    It keeps its kinds when it goes: with them every ExternalSecret of the cluster would go, whoever made it.
    """
    unused = ("ClusterExternalSecret", "ClusterGenerator", "ClusterPushSecret", "PushSecret")
    (image,) = EXTERNAL_SECRETS.images
    pulled = {
        "image": {"repository": images.repository(image), "tag": image.tag},
        "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
    }
    return {
        **pulled,
        "installCRDs": True,
        "crds": {
            **{f"create{kind}": False for kind in unused},
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        **{f"process{kind}": False for kind in unused},
        "resources": _resources("10m", "64Mi", "512Mi"),
        "webhook": {**pulled, "port": WEBHOOK, "resources": _resources("10m", "32Mi", "128Mi")},
        # It keeps the certificate of the webhook, in a Secret and in the webhook's configuration.
        "certController": {**pulled, "resources": _resources("10m", "64Mi", "256Mi")},
    }


def _resources(cpu: str, memory: str, memory_limit: str) -> Manifest:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}
