"""Logins by the gateway itself, where it is Envoy Gateway: a SecurityPolicy for the route of each page."""

from __future__ import annotations

from collections.abc import Sequence

from blueprints.model import Blueprint
from components.manifests import gateway as manifests
from components.manifests.metadata import App, Manifest
from components.signon.entry import Door
from components.signon.issuer import CLIENT_SECRET, Client, Issuer, admitted, client, issuer
from components.signon.proxies import USER_HEADER
from components.sites import Login, Site

FORGEABLE = (
    "x-forwarded-email",
    "x-forwarded-user",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
)
"""Headers by which pages are told who somebody is; from outside they mean nothing."""
_PROVIDER = "issuer"

PROGRAMS: tuple[Manifest, ...] = (
    manifests.path("PathPrefix", "/api"),
    manifests.path("Exact", "/v1/traces"),
    manifests.path("Exact", "/version"),
    manifests.path("Exact", "/health"),
)
"""What programs ask of MLflow (components/signon/proxies.py): they log in there by themselves."""


def guarded(blueprint: Blueprint, doors: Sequence[Door]) -> tuple[Door, ...]:
    """The doors at which the gateway logs people in."""
    if blueprint.gateway is None or blueprint.gateway.login != "securityPolicy" or issuer(blueprint) is None:
        return ()
    return tuple(door for door in doors if door.site and door.site.login is not Login.OWN)


def policy(app: App, blueprint: Blueprint, door: Door) -> Manifest:
    """The login at a door: ValueError without an issuer whose endpoints are known, which rules refuse."""
    found, site = issuer(blueprint), door.site
    if found is None or found.endpoints is None or site is None:
        raise ValueError(f"the gateway cannot log people in to {door.host}")
    who = client(blueprint, site)
    if who.key != CLIENT_SECRET:
        raise ValueError(f"Envoy Gateway takes a client's secret from the key {CLIENT_SECRET} alone")
    spec = {
        "oidc": _oidc(found, who, site),
        "jwt": {"providers": [_jwt(found, who, site)]},
        "authorization": {
            "defaultAction": "Deny",
            "rules": [
                {
                    "name": "groups",
                    "action": "Allow",
                    "principal": {
                        "jwt": {
                            "provider": _PROVIDER,
                            "claims": [
                                {
                                    "name": found.groups_claim,
                                    "valueType": "StringArray",
                                    "values": list(admitted(blueprint, site.audience)),
                                }
                            ],
                        }
                    },
                }
            ],
        },
    }
    return manifests.security_policy(app, door.name, door.name, spec)


def _oidc(issuer: Issuer, who: Client, site: Site) -> Manifest:
    assert issuer.endpoints is not None  # noqa: S101  # for the type checker
    return {
        "provider": {
            "issuer": issuer.url,
            "authorizationEndpoint": issuer.endpoints.login,
            "tokenEndpoint": issuer.endpoints.token,
        },
        "clientID": who.id,
        "clientSecret": {"name": who.secret_name},
        "redirectURL": f"https://{site.host}{site.callback}",
        "logoutPath": "/oauth2/sign_out",
        "scopes": list(issuer.scopes),
        # What asks in a page's name and not in a browser's gets 401 instead of a login page.
        "denyRedirect": {
            "headers": [{"name": "X-Requested-With", "type": "Exact", "value": "XMLHttpRequest"}]
        },
        "refreshToken": True,
        "forwardIDToken": {"header": "Authorization"},
    }


def _jwt(issuer: Issuer, who: Client, site: Site) -> Manifest:
    assert issuer.endpoints is not None  # noqa: S101  # for the type checker
    headers = [{"claim": issuer.username_claim, "header": USER_HEADER.lower()}]
    return {
        "name": _PROVIDER,
        "issuer": issuer.url,
        "audiences": [who.id],
        "remoteJWKS": {"uri": issuer.endpoints.keys},
        **({"claimToHeaders": headers} if site.login is Login.HEADER else {}),
    }
