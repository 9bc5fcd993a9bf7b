"""The issuer as its clients see it: where it is, who they are to it, and whom a page is for.

For a page that is a client of the issuer itself (`Login.OWN`): `issuer`, `client` and `client_edges` tell all
that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from blueprints.model import Blueprint
from blueprints.model.access import Auth, CaSecretRef, EmbeddedAuth, OidcAuth
from blueprints.names import system_namespace
from components.manifests import workloads
from components.manifests.metadata import App
from components.manifests.network import Edge, Outside
from components.sites import Audience, Site

DEX_PORT = 5556
CLIENT_SECRET = "client-secret"  # noqa: S105  # a key of Secrets
"""The key of a client's secret in its Secret: Envoy Gateway wants it to be called so."""
_CA = "/etc/issuer"
CA_FILE = f"{_CA}/ca.crt"
"""Where a client finds the authority that signed the issuer's certificate."""
NOBODY = "ziggurat:nobody"
"""A group that no issuer has: what a page is for that is for no group."""


@dataclass(frozen=True)
class Endpoints:
    """Where an issuer is asked for what."""

    login: str
    """Where browsers are sent to."""
    token: str
    """Where a code becomes tokens."""
    keys: str
    """The issuer's public keys."""
    userinfo: str


@dataclass(frozen=True)
class Issuer:
    """Who says who people are."""

    url: str
    """What its tokens call it, exactly."""
    username_claim: str
    groups_claim: str
    admin_groups: tuple[str, ...]
    scopes: tuple[str, ...]
    refresh: str
    """How often a session asks whether it still stands, before its tokens end."""
    endpoints: Endpoints | None = None
    """None: they are in its discovery document, which has to be reachable."""
    app: App | None = None
    """What serves it, if the platform runs it."""
    ca: CaSecretRef | None = None
    """The authority that signed its certificate, where it is none that everybody trusts."""

    def ca_volumes(self) -> list[workloads.Volume]:
        """The file of that authority, in the pods of a client."""
        ca = self.ca
        return [workloads.secret_files("issuer-ca", ca.secret_name, _CA, {ca.key: "ca.crt"})] if ca else []


@dataclass(frozen=True)
class Client:
    """Who a page is to the issuer."""

    id: str
    secret_name: str
    """The Secret in the platform's namespace that has the client's secret."""
    key: str = CLIENT_SECRET


def dex_app(platform: str) -> App:
    """The embedded issuer."""
    return App(platform, system_namespace(platform), "dex", "auth")


def issuer(blueprint: Blueprint) -> Issuer | None:
    """The issuer of a platform; None where there is no single sign-on."""
    return issuer_of(blueprint.auth, blueprint.name)


def issuer_of(auth: Auth, platform: str) -> Issuer | None:
    """What clients know of the issuer that `auth` names."""
    match auth:
        case OidcAuth():
            given = auth.endpoints
            return Issuer(
                auth.issuer,
                auth.username_claim,
                auth.groups_claim,
                auth.admin_groups,
                ("openid", "email", "profile", "groups"),
                # Some issuers let ID tokens live five minutes: MLflow refuses them then.
                "4m",
                Endpoints(given.authorization, given.token, given.keys, given.userinfo) if given else None,
                ca=auth.ca_secret,
            )
        case EmbeddedAuth():
            app = dex_app(platform)
            # Browsers come by the public name. The platform's own parts call the Service: they need neither
            # that name to lead back into the cluster, nor to trust the certificate behind it. Tokens name
            # the issuer by its public URL all the same.
            inside = f"http://{app.name}.{app.namespace}.svc.cluster.local:{DEX_PORT}"
            return Issuer(
                auth.issuer,
                "email",
                "groups",
                auth.admin_groups,
                # Dex gives a token to refresh with only to who asks for it.
                ("openid", "email", "profile", "groups", "offline_access"),
                "30m",
                Endpoints(f"{auth.issuer}/auth", f"{inside}/token", f"{inside}/keys", f"{inside}/userinfo"),
                app,
            )
        case _:
            return None


def login_secret(site: Site) -> str:
    """The Secret of a page that is a client of the embedded issuer."""
    return f"login-{site.name}"


def client(blueprint: Blueprint, site: Site) -> Client:
    """Who a page is to the issuer: a client of its own, or the one that the user registered for all."""
    if isinstance(blueprint.auth, OidcAuth):
        brought = blueprint.auth.client_secret
        return Client(blueprint.auth.client_id, brought.secret_name, brought.key)
    return Client(site.name, login_secret(site))


def client_edges(blueprint: Blueprint, app: App) -> tuple[Edge, ...]:
    """What a client of the issuer may connect to."""
    found = issuer(blueprint)
    if found is None:
        return ()
    if found.app:
        return (Edge(app, found.app, DEX_PORT),)
    urls = [found.url]
    if found.endpoints:
        urls += [found.endpoints.token, found.endpoints.keys, found.endpoints.userinfo]
    ports = dict.fromkeys(urlsplit(url).port or 443 for url in urls)
    return tuple(Edge(app, Outside(), port) for port in ports)


def admitted(blueprint: Blueprint, audience: Audience) -> tuple[str, ...]:
    """The groups that a page is for; never empty, since no group at all would mean everybody."""
    found = issuer(blueprint)
    admins = found.admin_groups if found else ()
    teams = blueprint.teams
    members = [group for team in sorted(teams) for group in teams[team].groups]
    groups = dict.fromkeys([*members, *admins] if audience is Audience.TEAMS else admins)
    return tuple(groups) or (NOBODY,)
