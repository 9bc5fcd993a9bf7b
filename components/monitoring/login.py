"""How people get into Grafana where there is a single sign-on: as a client of the issuer itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from blueprints.model import Blueprint
from components.credentials import Credentials, Label
from components.manifests import configuration
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge
from components.monitoring.parts import Parts
from components.signon.issuer import (
    CA_FILE,
    CLIENT_SECRET,
    Client,
    Issuer,
    admitted,
    client,
    client_edges,
    issuer,
)
from components.sites import Site, grafana

_CA_FOLDER, _, _CA_NAME = CA_FILE.rpartition("/")


@dataclass(frozen=True)
class GrafanaLogin:
    """Grafana as a client of the issuer."""

    site: Site
    issuer: Issuer
    client: Client
    groups: tuple[str, ...]
    """Who gets in; all of them administer the platform."""

    @property
    def settings(self) -> dict[str, Any]:
        """The section `auth.generic_oauth` of its configuration; its secret is in its environment."""
        found = self.issuer
        where = found.endpoints
        return {
            "enabled": True,
            "name": "Single sign-on",
            "client_id": self.client.id,
            "scopes": " ".join(found.scopes),
            **(
                {"auth_url": where.login, "token_url": where.token, "api_url": where.userinfo}
                if where
                else {}
            ),
            "use_pkce": True,
            "allow_sign_up": True,
            "login_attribute_path": found.username_claim,
            "email_attribute_path": found.username_claim,
            "groups_attribute_path": found.groups_claim,
            "allowed_groups": json.dumps(list(self.groups)),
            # Whoever is in none of these is refused; the others get the role of every new user.
            "skip_org_role_sync": True,
            **({"tls_client_ca": CA_FILE} if found.ca else {}),
        }

    def chart(self) -> dict[str, Any]:
        """What the chart's values have to have beside those settings."""
        secret = {"name": self.client.secret_name, "key": self.client.key}
        ca = self.issuer.ca
        mount = {
            "name": "issuer-ca",
            "secretName": ca.secret_name if ca else "",
            "mountPath": _CA_FOLDER,
            "readOnly": True,
            "optional": False,
            "items": [{"key": ca.key if ca else "", "path": _CA_NAME}],
        }
        return {
            "envValueFrom": {"GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": {"secretKeyRef": secret}},
            **({"extraSecretMounts": [mount]} if ca else {}),
        }


def login(blueprint: Blueprint) -> GrafanaLogin | None:
    """How people get in; None where Grafana has no host name, or nobody says who people are."""
    site, found = grafana(blueprint), issuer(blueprint)
    if site is None or found is None:
        return None
    return GrafanaLogin(site, found, client(blueprint, site), admitted(blueprint, site.audience))


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """Grafana asks the issuer who people are."""
    return client_edges(blueprint, Parts.of(blueprint.name).grafana) if login(blueprint) else ()


def secret(own: App, chosen: GrafanaLogin, credentials: Credentials) -> Manifest | None:
    """The client's secret, where Grafana reads it; None where the user brings it there."""
    if chosen.issuer.app is None:
        return None
    value = credentials.password(Label.login_client(chosen.site.name))
    return configuration.secret(own, {CLIENT_SECRET: value}, chosen.client.secret_name)
