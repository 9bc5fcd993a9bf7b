"""The pages of a platform as its blueprint has them: which parts have one, and under which name."""

from __future__ import annotations

from dataclasses import dataclass

from blueprints.document import Where
from blueprints.model.access import EmbeddedAuth, OidcAuth
from blueprints.model.blueprint import Blueprint


@dataclass(frozen=True)
class Page:
    """A part of the blueprint that may have a `host`."""

    key: str
    """The blueprint's key."""
    attribute: str
    title: str
    knows_users: bool
    """Whether it has a login of its own where there is no single sign-on."""


PAGES: tuple[Page, ...] = (
    Page("tracking", "tracking", "MLflow", knows_users=True),
    Page("auth", "auth", "the issuer", knows_users=True),
    Page("monitoring", "monitoring", "Grafana", knows_users=True),
    Page("pipelines", "pipelines", "Kubeflow Pipelines", knows_users=False),
    Page("tuning", "tuning", "Katib", knows_users=False),
    Page("notebooks", "notebooks", "the notebooks' page", knows_users=False),
)
"""Every part that may have a page; components/sites.py has what serves each."""


def hosts(blueprint: Blueprint) -> dict[Where, str]:
    """Every host name of the blueprint, by its place."""
    found: dict[Where, str] = {}
    for page in PAGES:
        host = getattr(getattr(blueprint, page.attribute), "host", None)
        if host:
            found[page.key, "host"] = host
    return found


def signs_on(blueprint: Blueprint) -> bool:
    """Whether there is a single sign-on."""
    return isinstance(blueprint.auth, OidcAuth | EmbeddedAuth)


def is_encrypted(blueprint: Blueprint) -> bool:
    """Whether people reach the pages by https: by the platform's gateway with a certificate, or through a
    gateway of theirs, which is theirs to encrypt."""
    gateway = blueprint.gateway
    return gateway is None or gateway.name is not None or gateway.tls is not None
