"""The login proxies: what each is told, and who reaches what."""

from __future__ import annotations

import csv

import pytest
from signon_blueprints import BROUGHT, EMBEDDED, HEAD

from components.apps import Apps
from components.connections import edges
from components.manifests.metadata import App
from components.manifests.network import Entrance, Outside
from components.signon.entry import doors
from components.signon.issuer import NOBODY, admitted
from components.signon.proxies import flags, login_proxy, proxied
from components.sites import Audience, sites
from components.versions import ImageSource


def options(blueprint, name, credentials):
    site = next(site for site in sites(blueprint) if site.name == name)
    found = {}
    for flag in flags(login_proxy(blueprint, site, ImageSource(), credentials)):
        key, _, value = flag.removeprefix("--").partition("=")
        found.setdefault(key, []).append(value)
    return found


def test_every_page_but_one_with_a_login_of_its_own_has_a_proxy(blueprint, pages):
    assert [site.name for site in proxied(blueprint(EMBEDDED))] == ["mlflow", "pipelines", "katib"]
    assert proxied(blueprint(HEAD)) == ()


def test_a_page_that_believes_a_header_gets_it_from_the_proxy_alone(blueprint, pages, credentials):
    found = options(blueprint(EMBEDDED), "pipelines", credentials)
    assert found["pass-user-headers"] == ["true"]
    assert found["skip-auth-strip-headers"] == ["true"]
    assert "skip-auth-route" not in found
    assert found["upstream"] == ["http://pipelines.acme.svc.cluster.local:3000"]
    into = [
        edge for edge in edges(blueprint(EMBEDDED), Apps.of("acme")) if edge.target == pages["pipelines"].app
    ]
    assert [edge.source for edge in into] == [App("acme", "acme", "oauth2-proxy-pipelines", "auth")]


def test_a_page_for_administrators_admits_no_team(blueprint, pages, credentials):
    found = options(blueprint(EMBEDDED), "katib", credentials)
    assert found["allowed-group"] == ["ml-platform"]
    assert found["pass-user-headers"] == ["false"]


def test_groups_with_commas_stay_whole(blueprint, pages, credentials):
    """oauth2-proxy reads each value as a line of CSV: split, `OU=ml` would admit whoever is in that."""
    listed = options(blueprint(EMBEDDED), "pipelines", credentials)["allowed-group"]
    assert [entry for line in csv.reader(listed) for entry in line] == [
        "CN=pricing,OU=ml",
        "ml-vision",
        "ml-platform",
    ]


def test_no_group_never_means_everybody(blueprint, pages):
    alone = blueprint(EMBEDDED.replace("  adminGroups: [ml-platform]\n", ""))
    assert admitted(alone, Audience.ADMINS) == (NOBODY,)


def test_clients_of_the_embedded_issuer_need_neither_its_public_name_nor_its_certificate(
    blueprint, pages, credentials
):
    found = options(blueprint(EMBEDDED), "pipelines", credentials)
    assert found["oidc-issuer-url"] == ["https://login.acme.dev"]
    assert found["login-url"] == ["https://login.acme.dev/auth"]
    assert found["redeem-url"] == ["http://dex.acme.svc.cluster.local:5556/token"]
    assert found["oidc-jwks-url"] == ["http://dex.acme.svc.cluster.local:5556/keys"]
    assert found["client-id"] == ["pipelines"]
    assert found["redirect-url"] == ["https://pipelines.acme.dev/oauth2/callback"]
    proxy = App("acme", "acme", "oauth2-proxy-pipelines", "auth")
    ways = [edge.target for edge in edges(blueprint(EMBEDDED), Apps.of("acme")) if edge.source == proxy]
    assert Outside() not in ways


def test_a_brought_issuer_is_discovered_and_has_one_client(blueprint, pages, credentials):
    found = options(blueprint(BROUGHT), "katib", credentials)
    assert "skip-oidc-discovery" not in found
    assert found["client-id"] == ["ziggurat"]


@pytest.mark.parametrize("text", [EMBEDDED, BROUGHT])
def test_from_outside_people_reach_proxies_and_pages_with_a_login_only(blueprint, pages, text):
    open_ = {
        edge.target.name
        for edge in edges(blueprint(text), Apps.of("acme"))
        if isinstance(edge.source, Entrance)
    }
    issuer = {"dex"} if text is EMBEDDED else set()
    assert open_ == {"oauth2-proxy", "oauth2-proxy-pipelines", "oauth2-proxy-katib", "grafana"} | issuer


def test_a_page_that_knows_no_users_has_no_door_without_a_sign_on(blueprint, pages):
    with pytest.raises(ValueError, match="nothing logs people in to Pipelines"):
        doors(blueprint(HEAD))
