"""The network policies allow the edges of the table and no other."""

from __future__ import annotations

from typing import Any

import pytest

from components.manifests import network
from components.manifests.metadata import App
from components.manifests.network import Edge, Entrance, Outside, Teams

SERVER = App("acme", "acme", "server", "tracking")
STORE = App("acme", "acme", "store", "artifacts")
TEAM = App("acme", "acme-vision", "team", "team", "vision")
EDGES = (
    Edge(Teams("acme"), SERVER, 5000),
    Edge(SERVER, STORE, 8333),
    Edge(SERVER, Outside("10.1.2.3"), 5432),
)


def ports(rule: dict[str, Any]) -> list[tuple[str, int]]:
    return [(port["protocol"], port["port"]) for port in rule["ports"]]


def test_both_ends_of_an_edge_are_opened() -> None:
    out, into = network.app_policy(SERVER, EDGES)["spec"], network.app_policy(STORE, EDGES)["spec"]

    assert out["egress"][0] == {
        "to": [{"podSelector": {"matchLabels": STORE.selector}}],
        "ports": [{"protocol": "TCP", "port": 8333}],
    }
    assert into["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": SERVER.selector}}],
            "ports": [{"protocol": "TCP", "port": 8333}],
        }
    ]


def test_who_calls_nobody_gets_out_nowhere() -> None:
    spec = network.app_policy(STORE, EDGES)["spec"]

    assert "egress" not in spec
    assert spec["policyTypes"] == ["Ingress"]
    assert network.deny_all(STORE)["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_who_calls_may_ask_for_names() -> None:
    *_, dns = network.app_policy(SERVER, EDGES)["spec"]["egress"]

    assert ports(dns) == [("UDP", 53), ("TCP", 53)]
    assert dns["to"] == [{"namespaceSelector": {"matchLabels": {network.NAMESPACE: "kube-system"}}}]


def test_teams_reach_the_server_in_its_own_namespace_alone() -> None:
    server, _dns = network.team_policy(TEAM, EDGES)["spec"]["egress"]

    assert ports(server) == [("TCP", 5000)]
    assert server["to"] == [
        {
            "podSelector": {"matchLabels": SERVER.selector},
            "namespaceSelector": {"matchLabels": {network.NAMESPACE: "acme"}},
        }
    ]


def test_only_namespaces_of_this_platforms_teams_get_in() -> None:
    (rule,) = network.app_policy(SERVER, EDGES)["spec"]["ingress"]

    assert rule["from"] == [
        {
            "namespaceSelector": {
                "matchLabels": {"app.kubernetes.io/instance": "acme"},
                "matchExpressions": [{"key": "ziggurat.dev/team", "operator": "Exists"}],
            }
        }
    ]


def test_an_entrance_is_a_labelled_namespace_of_this_platform() -> None:
    policy = network.app_policy(SERVER, [Edge(Entrance("acme"), SERVER, 5000)])

    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"ziggurat.dev/gateway": "acme"}}}]


@pytest.mark.parametrize(
    ("host", "cidr"), [("10.1.2.3", "10.1.2.3/32"), ("fd00:ec2::23", "fd00:ec2::23/128")]
)
def test_an_address_opens_itself(host: str, cidr: str) -> None:
    assert Outside(host).peers() == [{"ipBlock": {"cidr": cidr}}]


@pytest.mark.parametrize("host", [None, "db.acme.example", ""])
def test_a_name_opens_no_link_local_address(host: str | None) -> None:
    blocks = {
        peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"]
        for peer in Outside(host).peers()
        if "ipBlock" in peer
    }

    assert "169.254.0.0/16" in blocks["0.0.0.0/0"]
    assert "fe80::/10" in blocks["::/0"]
