"""Who may speak to whom: a table of edges, and the NetworkPolicies that allow exactly these.

Everything is denied first. An edge between two parts of the platform opens both ends: the way out of its
source and the way in to its target, on one port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.manifests.metadata import GATEWAY, TEAM, App, Manifest

NAMESPACE = "kubernetes.io/metadata.name"
"""The label that the API server itself gives to each namespace."""


API_PORTS = (443, 6443)
"""The ports of API servers: of their Service, and of the servers themselves behind it."""


@dataclass(frozen=True)
class Teams:
    """Every pod in every namespace of a team."""

    platform: str

    def peers(self) -> list[Manifest]:
        """What a rule names them by."""
        return [
            {
                "namespaceSelector": {
                    "matchLabels": {"app.kubernetes.io/instance": self.platform},
                    "matchExpressions": [{"key": TEAM, "operator": "Exists"}],
                }
            }
        ]


def _pods_of_teams(platform: str, pods: Manifest) -> list[Manifest]:
    (teams,) = Teams(platform).peers()
    return [{**teams, "podSelector": pods}]


RUN = {"matchLabels": {"pipelines.kubeflow.org/v2_component": "true"}}
"""What picks the pods of pipelines' runs: a label of Kubeflow Pipelines."""


@dataclass(frozen=True)
class Runs:
    """The pods of pipelines' runs in every namespace of a team."""

    platform: str

    def peers(self) -> list[Manifest]:
        """What a rule names them by."""
        return _pods_of_teams(self.platform, RUN)


NOTEBOOK = {"matchExpressions": [{"key": "notebook-name", "operator": "Exists"}]}
"""What picks the pods of notebooks: a label of Kubeflow's controller."""


@dataclass(frozen=True)
class NotebookPods:
    """The notebooks in every namespace of a team."""

    platform: str

    def peers(self) -> list[Manifest]:
        """What a rule names them by."""
        return _pods_of_teams(self.platform, NOTEBOOK)


MODEL = {"matchExpressions": [{"key": "serving.kserve.io/inferenceservice", "operator": "Exists"}]}
"""What picks the pods that serve models: a label of KServe's controller."""


@dataclass(frozen=True)
class Models:
    """The pods that serve models in every namespace of a team."""

    platform: str

    def peers(self) -> list[Manifest]:
        """What a rule names them by."""
        return _pods_of_teams(self.platform, MODEL)


@dataclass(frozen=True)
class Entrance:
    """The user's own ingress controller or gateway, in namespaces labelled `ziggurat.dev/gateway`."""

    platform: str
    namespace: str | None = None
    """One more namespace, by its name."""

    def peers(self) -> list[Manifest]:
        """What a rule names it by."""
        labels = [{GATEWAY: self.platform}]
        if self.namespace:
            labels.append({NAMESPACE: self.namespace})
        return [{"namespaceSelector": {"matchLabels": each}} for each in labels]


@dataclass(frozen=True)
class Pods:
    """Pods of somebody else in this cluster, by Kubernetes' recommended label of their name."""

    namespace: str
    name: str

    def peers(self) -> list[Manifest]:
        """What a rule names them by."""
        return [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE: self.namespace}},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": self.name}},
            }
        ]


@dataclass(frozen=True)
class Namespace:
    """Every pod of a namespace that is not the platform's."""

    name: str

    def peers(self) -> list[Manifest]:
        """What a rule names it by."""
        return [{"namespaceSelector": {"matchLabels": {NAMESPACE: self.name}}}]


@dataclass(frozen=True)
class Outside:
    """Something that the platform does not run."""

    host: str | None = None
    """Its name or address. NetworkPolicies know no names: a name opens the port to every address."""

    def peers(self) -> list[Manifest]:
        """What a rule names it by. Link-local addresses, where clouds hand out credentials, stay shut
        unless they are named."""
        try:
            address = ipaddress.ip_address(self.host or "")
        except ValueError:
            return [
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
                {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::/32", "fe80::/10"]}},
                {"namespaceSelector": {}},  # some network plugins match no pod by its address
            ]
        return [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}]


Peer = App | Teams | Runs | NotebookPods | Models | Entrance | Namespace | Pods | Outside


@dataclass(frozen=True)
class Edge:
    """`source` may open connections to `target` on a TCP port."""

    source: Peer
    target: Peer
    port: int


def controller(app: App, *webhooks: int) -> tuple[Edge, ...]:
    """What a controller needs: the API server, and the API server its webhooks.

    Where the API server is, or calls from, no NetworkPolicy can say: these ports are open to every address.
    """
    return (
        *(Edge(Outside(), app, port) for port in webhooks),
        *(Edge(app, Outside(), port) for port in API_PORTS),
    )


def _peers(peer: Peer, seen_from: str) -> list[Manifest]:
    if not isinstance(peer, App):
        return peer.peers()
    pods: Manifest = {"podSelector": {"matchLabels": peer.selector}}
    if peer.namespace != seen_from:
        pods["namespaceSelector"] = {"matchLabels": {NAMESPACE: peer.namespace}}
    return [pods]


def _ports(port: int, *protocols: str) -> list[Manifest]:
    return [{"protocol": protocol, "port": port} for protocol in protocols or ("TCP",)]


_DNS: Manifest = {
    "to": [{"namespaceSelector": {"matchLabels": {NAMESPACE: "kube-system"}}}],
    "ports": _ports(53, "UDP", "TCP"),
}


def _policy(app: App, name: str, pods: Manifest, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": app.metadata(name),
        "spec": {"podSelector": pods, **spec},
    }


def _ways_out(
    app: App, name: str, pods: Manifest, edges: Iterable[Edge], source: type[Teams | Runs | Models]
) -> Manifest:
    egress = [
        {"to": _peers(edge.target, app.namespace), "ports": _ports(edge.port)}
        for edge in edges
        if isinstance(edge.source, source)
    ]
    return _policy(app, name, pods, {"policyTypes": ["Egress"], "egress": [*egress, _DNS]})


def deny_all(app: App) -> Manifest:
    """Nothing gets in or out of the namespace."""
    return _policy(app, "default-deny", {}, {"policyTypes": ["Ingress", "Egress"]})


def app_policy(app: App, edges: Iterable[Edge]) -> Manifest:
    """The ways in and out of one part of the platform; whoever calls anybody may ask for names, too."""
    edges = tuple(edges)
    ingress = [
        {"from": _peers(edge.source, app.namespace), "ports": _ports(edge.port)}
        for edge in edges
        if edge.target == app
    ]
    egress = [
        {"to": _peers(edge.target, app.namespace), "ports": _ports(edge.port)}
        for edge in edges
        if edge.source == app
    ]
    types = [name for name, rules in (("Ingress", ingress), ("Egress", egress)) if rules]
    rules = {**({"ingress": ingress} if ingress else {}), **({"egress": [*egress, _DNS]} if egress else {})}
    return _policy(app, app.name, {"matchLabels": app.selector}, {"policyTypes": types, **rules})


def team_policy(app: App, edges: Iterable[Edge]) -> Manifest:
    """What pods of a team reach: the edges of `Teams`, and names."""
    return _ways_out(app, "platform", {}, edges, Teams)


def runs_policy(app: App, edges: Iterable[Edge]) -> Manifest:
    """What the pods of a team's runs reach beside what all of its pods do: the edges of `Runs`."""
    return _ways_out(app, "pipelines", RUN, edges, Runs)


def models_policy(app: App, edges: Iterable[Edge]) -> Manifest:
    """What pods that serve a team's models reach beside what all of its pods do: the edges of `Models`."""
    return _ways_out(app, "models", MODEL, edges, Models)


def notebooks_policy(app: App, door: App, port: int) -> Manifest:
    """The way into a team's notebooks, for the door alone."""
    ingress = [{"from": _peers(door, app.namespace), "ports": _ports(port)}]
    return _policy(app, "notebooks", NOTEBOOK, {"policyTypes": ["Ingress"], "ingress": ingress})


def namespace_policy(app: App, edges: Iterable[Edge]) -> Manifest:
    """What every pod in the namespace of `app` reaches: the edges from `app`, and names."""
    egress = [
        {"to": _peers(edge.target, app.namespace), "ports": _ports(edge.port)}
        for edge in edges
        if edge.source == app
    ]
    return _policy(app, app.name, {}, {"policyTypes": ["Egress"], "egress": [*egress, _DNS]})


def among(app: App) -> Manifest:
    """Pods of one part, in its namespace, speak to one another on any port; nothing else is opened."""
    pods: Manifest = {"podSelector": {"matchLabels": app.selector}}
    spec = {"policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [pods]}], "egress": [{"to": [pods]}]}
    return _policy(app, app.name, {"matchLabels": app.selector}, spec)


def inside(app: App, port: int) -> list[Manifest]:
    """Every pod of the namespace of `app` reaches its pods on a port; nothing from elsewhere does."""
    pods: Manifest = {"podSelector": {"matchLabels": app.selector}}
    everyone: Manifest = {"podSelector": {}}
    ingress = [{"from": [everyone], "ports": _ports(port)}]
    egress = [{"to": [pods], "ports": _ports(port)}]
    return [
        _policy(app, app.name, pods["podSelector"], {"policyTypes": ["Ingress"], "ingress": ingress}),
        _policy(app, f"{app.name}-clients", {}, {"policyTypes": ["Egress"], "egress": egress}),
    ]


def apps(edges: Sequence[Edge]) -> tuple[App, ...]:
    """The platform's own parts among the ends of `edges`, each once, in the order of the table."""
    ends = (end for edge in edges for end in (edge.source, edge.target))
    return tuple(dict.fromkeys(end for end in ends if isinstance(end, App)))
