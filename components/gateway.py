"""The gateway: what host names lead to, and Envoy Gateway where the platform runs it.

Envoy's pods, which take whatever comes from outside, are in a namespace of their own; Gateway, routes and
certificates are in the platform's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from blueprints.model import Blueprint
from blueprints.model.gateway import Gateway
from blueprints.names import gateway_namespace, system_namespace
from components.charts import release
from components.manifests import gateway as manifests
from components.manifests import namespaces, network
from components.manifests.metadata import App, Manifest
from components.manifests.network import API_PORTS, Edge, Entrance, Outside, Peer
from components.objects import component_token, register
from components.signon.entry import Door, doors, issuer_doors
from components.signon.issuer import client_edges
from components.signon.policies import FORGEABLE, PROGRAMS, guarded, policy
from components.sites import Login
from components.versions.gateway import ENVOY_GATEWAY, ENVOY_GATEWAY_IMAGE, ENVOY_IMAGE
from components.versions.model import Chart, ImageSource

NAME = "gateway"
_XDS = 18000
_LISTENERS = (10080, 10443)
"""Where Envoy's pods listen for ports 80 and 443: they are not root."""


def app(platform: str) -> App:
    """Whose Gateway and routes are."""
    return App(platform, system_namespace(platform), NAME, "gateway")


def envoy(platform: str) -> App:
    """Envoy's pods."""
    return App(platform, gateway_namespace(platform), "envoy", "gateway")


def controller(platform: str) -> App:
    """Envoy Gateway's own pods."""
    name = ENVOY_GATEWAY.name
    return App(platform, gateway_namespace(platform), name, "gateway", release=name)


def runs_gateway(gateway: Gateway | None) -> bool:
    """Whether the platform runs Envoy Gateway itself."""
    return gateway is not None and gateway.controller == "embedded"


def charts(gateway: Gateway | None) -> tuple[Chart, ...]:
    """Envoy Gateway's, where the platform runs it."""
    return (ENVOY_GATEWAY,) if runs_gateway(gateway) else ()


def entrance(blueprint: Blueprint) -> Peer:
    """Where people come from: Envoy's pods, or the namespaces that the user labelled."""
    chosen = blueprint.gateway
    if runs_gateway(chosen):
        return envoy(blueprint.name)
    return Entrance(blueprint.name, chosen.namespace if chosen else None)


def all_doors(blueprint: Blueprint) -> tuple[Door, ...]:
    """Every host name with what answers."""
    return (*doors(blueprint), *issuer_doors(blueprint))


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """The way in to each door; Envoy is open to everybody, and is told by its controller what to do."""
    gate = entrance(blueprint)
    way_in = tuple(Edge(gate, door.app, door.port) for door in all_doors(blueprint))
    if not runs_gateway(blueprint.gateway):
        return way_in
    pods, own = envoy(blueprint.name), controller(blueprint.name)
    return (
        *way_in,
        *(Edge(Outside(), pods, port) for port in _LISTENERS),
        *(Edge(pods, Outside(), port) for port in _issuer_ports(blueprint)),
        Edge(pods, own, _XDS),
        *(Edge(own, Outside(), port) for port in API_PORTS),
    )


def _issuer_ports(blueprint: Blueprint) -> list[int]:
    """The ports of a brought issuer, where Envoy logs people in itself."""
    if not guarded(blueprint, doors(blueprint)):
        return []
    ways = client_edges(blueprint, envoy(blueprint.name))
    return [edge.port for edge in ways if isinstance(edge.target, Outside)]


def reference(blueprint: Blueprint) -> dict[str, str] | None:
    """Name and namespace of the Gateway; None where there is none."""
    chosen = blueprint.gateway
    if chosen is None:
        return None
    own = app(blueprint.name)
    return {"name": chosen.name or own.name, "namespace": chosen.namespace or own.namespace}


def certificates(blueprint: Blueprint) -> dict[str, tuple[str, str]]:
    """{door: (host, Secret)}: the certificates of the platform's own Gateway."""
    tls = blueprint.gateway.tls if blueprint.gateway else None
    if tls is None:
        return {}
    return {door.name: (door.host, tls.secret_name or f"tls-{door.name}") for door in all_doors(blueprint)}


@dataclass(frozen=True)
class PlatformGatewayArgs:
    """What a PlatformGateway is made of."""

    blueprint: Blueprint
    gateway: Gateway
    edges: Sequence[Edge]
    """Every connection of the platform; those of Envoy and its controller count here."""
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""


class PlatformGateway(pulumi.ComponentResource):
    """Envoy Gateway unless the cluster has it, a Gateway unless one is brought, a route for each page."""

    hosts: pulumi.Output[list[str]]
    """Every host name."""

    def __init__(
        self, name: str, args: PlatformGatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        blueprint, chosen = args.blueprint, args.gateway
        found = all_doors(blueprint)
        hosts = [door.host for door in found]
        super().__init__(
            component_token(PlatformGateway), name, {"className": chosen.class_name, "hosts": hosts}, opts
        )
        self.kinds: tuple[pulumi.Resource, ...] = ()
        """What brings the kinds of the Gateway API, where the platform does."""
        first = args.after
        if runs_gateway(chosen):
            self.kinds = self._software(args)
            first = (*first, *self.kinds)
        own = app(blueprint.name)
        if chosen.name is None:
            manifest = manifests.gateway(own, chosen.class_name, certificates(blueprint))
            first = (*first, register(self, manifest, depends_on=first))
        self.ready = first
        for manifest in routes(blueprint, found):
            register(self, manifest, depends_on=first)
        self._logins(blueprint, found, first)
        self.hosts = pulumi.Output.from_input(hosts)
        self.register_outputs({"hosts": self.hosts})

    def _software(self, args: PlatformGatewayArgs) -> tuple[pulumi.Resource, ...]:
        """Envoy Gateway in its namespace, and the class of gateways that it makes."""
        platform = args.blueprint.name
        own, pods = controller(platform), envoy(platform)
        namespace = register(self, namespaces.namespace(own), holds_data=True)
        fences = [
            register(self, policy, depends_on=[namespace])
            for policy in (
                network.deny_all(own),
                network.app_policy(own, args.edges),
                network.app_policy(pods, args.edges),
            )
        ]
        installed = release(
            self,
            ENVOY_GATEWAY,
            values(args.images),
            namespace=own.namespace,
            images=args.images,
            depends_on=[*args.after, namespace, *fences],
        )
        parameters = manifests.envoy_proxy(pods, own.namespace, NAME, pods.selector, replicas=2)
        made = register(self, parameters, depends_on=[installed])
        class_ = manifests.gateway_class(app(platform), args.gateway.class_name, parameters)
        return (installed, register(self, class_, depends_on=[made]))

    def _logins(self, blueprint: Blueprint, found: Sequence[Door], first: Sequence[pulumi.Resource]) -> None:
        own, behind = app(blueprint.name), guarded(blueprint, found)
        if behind:
            register(self, manifests.client_traffic_policy(own, own.name, FORGEABLE), depends_on=first)
        for door in behind:
            register(self, policy(own, blueprint, door), depends_on=first)


def routes(blueprint: Blueprint, found: Sequence[Door]) -> list[Manifest]:
    """A route for each door, a second one where programs pass a login, and one from http to https."""
    own, chosen, gateway = app(blueprint.name), blueprint.gateway, reference(blueprint)
    if chosen is None or gateway is None:
        return []
    brought, encrypted = chosen.name is not None, chosen.tls is not None

    def parents(door: Door) -> list[Manifest]:
        section = None if brought else manifests.listener(door.name) if encrypted else manifests.HTTP
        return [manifests.parent(**gateway, section=section)]

    made = [
        manifests.route(own, door.name, door.host, parents(door), (door.app, door.port)) for door in found
    ]
    made += [
        manifests.route(
            own, f"{door.name}-programs", door.host, parents(door), (door.app, door.port), PROGRAMS
        )
        for door in guarded(blueprint, found)
        if door.site and door.site.login is Login.BEARER
    ]
    if encrypted and not brought:
        plain = [manifests.parent(**gateway, section=manifests.HTTP)]
        made.append(manifests.redirect(own, "to-https", [door.host for door in found], plain))
    return made


def values(images: ImageSource) -> dict[str, Any]:
    """The values of Envoy Gateway's chart."""
    return {
        "global": {
            "images": {
                "envoyGateway": {
                    "image": images.reference(ENVOY_GATEWAY_IMAGE),
                    "pullPolicy": "IfNotPresent",
                },
                "envoyProxy": {"image": images.reference(ENVOY_IMAGE), "pullPolicy": "IfNotPresent"},
            },
            "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
        },
        # Its webhook would have to be let in from the API server, only to tell Envoy its zone.
        "topologyInjector": {"enabled": False},
        "certgen": {
            "job": {
                "pod": {
                    "labels": {
                        "app.kubernetes.io/name": ENVOY_GATEWAY.name,
                        "app.kubernetes.io/instance": ENVOY_GATEWAY.name,
                    }
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "64Mi"},
                    "limits": {"memory": "256Mi"},
                },
            }
        },
    }
