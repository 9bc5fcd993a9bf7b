"""Certificates: cert-manager, the issuers that the blueprint names, and a certificate for each page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from blueprints.model import Blueprint
from blueprints.model.certificates import AcmeIssuer, Certificates, Issuer
from blueprints.names import system_namespace
from components.charts import release
from components.manifests import certificates as manifests
from components.manifests.certificates import Signer
from components.manifests.metadata import App, Manifest
from components.manifests.network import API_PORTS, Edge, Outside, Peer
from components.objects import component_token, register
from components.versions.certificates import CERT_MANAGER
from components.versions.model import Chart, ImageSource

WEBHOOK = 10250
SOLVER_PORT = 8089
"""Where a pod of cert-manager answers an ACME authority."""
METRICS = 9402
SELF_SIGNED = "self-signed"
"""The Issuer that signs the certificates of authorities of the platform's own."""
_POD_NAMES = ("cert-manager", "webhook", "cainjector", "startupapicheck")
"""What the chart's pods are called by their labels."""


def app(platform: str) -> App:
    """Whose the issuers and certificates are."""
    return App(platform, system_namespace(platform), "certificates", "certificates")


def solver(platform: str) -> App:
    """The pods by which a host name is proved to an ACME authority; they come and go."""
    return App(platform, system_namespace(platform), "acme-solver", "certificates")


def _pods(platform: str) -> tuple[App, ...]:
    namespace = system_namespace(platform)
    return tuple(
        App(platform, namespace, name, "certificates", release=CERT_MANAGER.name) for name in _POD_NAMES
    )


def controller(platform: str) -> App:
    """The pods of cert-manager's controller."""
    return _pods(platform)[0]


def runs_cert_manager(certificates: Certificates | None) -> bool:
    """Whether the platform runs cert-manager itself."""
    return certificates is not None and certificates.controller == "embedded"


def charts(certificates: Certificates | None) -> tuple[Chart, ...]:
    """cert-manager's, where the platform runs it."""
    return (CERT_MANAGER,) if runs_cert_manager(certificates) else ()


def edges(blueprint: Blueprint, entrance: Peer) -> tuple[Edge, ...]:
    """cert-manager and the API server call each other; it also calls an authority, and the host names
    that are to be proved, on port 80. The authority comes by the `entrance`."""
    if blueprint.certificates is None:
        return ()
    own: tuple[Edge, ...] = ()
    if runs_cert_manager(blueprint.certificates):
        pods = _pods(blueprint.name)
        controller, webhook, *_ = pods
        own = (
            *(Edge(pod, Outside(), port) for pod in pods for port in API_PORTS),
            Edge(controller, Outside(), 80),
            Edge(Outside(), webhook, WEBHOOK),
        )
    proved = any(isinstance(issuer, AcmeIssuer) for issuer in blueprint.certificates.issuers.values())
    here = solver(blueprint.name)
    return (*own, *((Edge(entrance, here, SOLVER_PORT),) if proved else ()))


def signer(name: str, issuers: Mapping[str, Issuer]) -> Signer:
    """The issuer that a blueprint means: one of the platform's own, else a ClusterIssuer."""
    return Signer(name, "Issuer" if name in issuers else "ClusterIssuer")


@dataclass(frozen=True)
class PlatformCertificatesArgs:
    """What PlatformCertificates are made of."""

    app: App
    certificates: Certificates
    images: ImageSource
    issuer: str | None = None
    """Who signs the certificates of `hosts`."""
    hosts: Mapping[str, str] | None = None
    """A host name for each certificate, by the name of its Secret."""
    gateway: Mapping[str, str] | None = None
    """Name and namespace of the Gateway that people come through; None where there is none."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes before cert-manager: the platform's namespace and policies, the kinds of the Gateway API."""
    issuers_after: tuple[pulumi.Resource, ...] = ()
    """What comes before issuers and certificates beside cert-manager: the Gateway."""


class PlatformCertificates(pulumi.ComponentResource):
    """cert-manager, unless the cluster has it; issuers; certificates."""

    issuers: pulumi.Output[list[str]]
    """The Issuers in the platform's namespace."""

    def __init__(
        self, name: str, args: PlatformCertificatesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        chosen = args.certificates
        super().__init__(component_token(PlatformCertificates), name, {"controller": chosen.controller}, opts)
        first: tuple[pulumi.Resource, ...] = args.after
        if runs_cert_manager(chosen):
            first = (
                *first,
                release(
                    self,
                    CERT_MANAGER,
                    values(args.app, args.images, routes=args.gateway is not None),
                    namespace=args.app.namespace,
                    images=args.images,
                    depends_on=args.after,
                ),
            )
        self.controller: tuple[pulumi.Resource, ...] = first
        """cert-manager, where the platform runs it, and what comes before it."""
        first = (*first, *args.issuers_after)
        made = [
            register(self, manifest, depends_on=first)
            for issuer in sorted(chosen.issuers)
            for manifest in issuer_manifests(args, issuer, chosen.issuers[issuer])
        ]
        if any(not isinstance(issuer, AcmeIssuer) for issuer in chosen.issuers.values()):
            self_signed = manifests.issuer(args.app, SELF_SIGNED, {"selfSigned": {}})
            made.append(register(self, self_signed, depends_on=first))
        if args.issuer:
            by = signer(args.issuer, chosen.issuers)
            for secret, host in sorted((args.hosts or {}).items()):
                manifest = manifests.certificate(args.app, secret, [host], by)
                register(self, manifest, depends_on=[*first, *made])
        self.ready: tuple[pulumi.Resource, ...] = (*first, *made)
        self.issuers = pulumi.Output.from_input(sorted(chosen.issuers))
        self.register_outputs({"issuers": self.issuers})


def issuer_manifests(args: PlatformCertificatesArgs, name: str, issuer: Issuer) -> Sequence[Manifest]:
    """An issuer that the blueprint names; before one of the platform's own comes its certificate."""
    app = args.app
    if isinstance(issuer, AcmeIssuer):
        spec = manifests.acme(
            f"{name}-account", issuer.server, issuer.email, args.gateway or {}, solver(app.platform).labels
        )
        return [manifests.issuer(app, name, spec)]
    secret = f"{name}-ca"
    return [
        manifests.authority(app, secret, Signer(SELF_SIGNED, "Issuer")),
        manifests.issuer(app, name, {"ca": {"secretName": secret}}),
    ]


def values(app: App, images: ImageSource, *, routes: bool) -> dict[str, Any]:
    """The values of cert-manager's chart; with `routes` it proves host names through a Gateway.

    It keeps its kinds when it goes: with them every certificate of the cluster would go, whoever made it.
    """
    return {
        "global": {
            "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
            # The default is kube-system, where the platform has no business.
            "leaderElection": {"namespace": app.namespace},
        },
        "crds": {"enabled": True, "keep": True},
        "imageRegistry": images.registry or "quay.io",
        "imageNamespace": "jetstack",
        # cert-manager does not start without the kinds of the Gateway API where this is on.
        **({"config": {"gatewayAPI": {"enabled": True}}} if routes else {}),
        "resources": _resources("10m", "64Mi", "512Mi"),
        "webhook": {"securePort": WEBHOOK, "resources": _resources("10m", "32Mi", "128Mi")},
        "cainjector": {"resources": _resources("10m", "64Mi", "512Mi")},
        "startupapicheck": {"resources": _resources("10m", "32Mi", "128Mi")},
    }


def _resources(cpu: str, memory: str, memory_limit: str) -> Manifest:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}
