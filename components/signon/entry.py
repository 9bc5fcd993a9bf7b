"""Where people come in: what of the platform the gateway leads each host name to."""

from __future__ import annotations

from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.access import EmbeddedAuth
from components.manifests.metadata import App
from components.signon.issuer import DEX_PORT, dex_app, issuer
from components.signon.proxies import PROXY_PORT, proxied, proxy_app
from components.sites import Login, Site, sites


@dataclass(frozen=True)
class Door:
    """What answers under a host name."""

    name: str
    """What its objects are called after."""
    host: str
    app: App
    """Its Service has the app's name."""
    port: int
    site: Site | None = None
    """The page behind it; None for the issuer itself."""


def doors(blueprint: Blueprint) -> tuple[Door, ...]:
    """The door of each page: its login proxy, or the page itself.

    ValueError for a page that knows no users where nothing logs people in: the rules of blueprints refuse it.
    """
    behind = {site.name for site in proxied(blueprint)}
    return tuple(_door(blueprint, site, proxied=site.name in behind) for site in sites(blueprint))


def _door(blueprint: Blueprint, site: Site, *, proxied: bool) -> Door:
    if proxied:
        return Door(site.name, site.host, proxy_app(blueprint.name, site.name), PROXY_PORT, site)
    if issuer(blueprint) is None and site.login in (Login.HEADER, Login.TOKEN, Login.NONE):
        raise ValueError(f"nothing logs people in to {site.title}")
    return Door(site.name, site.host, site.app, site.port, site)


def issuer_doors(blueprint: Blueprint) -> tuple[Door, ...]:
    """The door of the embedded issuer."""
    if not isinstance(blueprint.auth, EmbeddedAuth):
        return ()
    return (Door("login", blueprint.auth.host, dex_app(blueprint.name), DEX_PORT),)
