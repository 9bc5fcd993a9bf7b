"""The pages of a platform that people open in a browser: where each is, and how it knows who they are.

A capability with a page has a function that gives its Site, named in SITES. Gateway, login, network policies
and the matrix of who may see what are made of this table, so that none of them can forget a page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique

from blueprints.model import Blueprint
from components import notebooks as notebook_parts
from components import tracking, tuning_page
from components.apps import Apps
from components.manifests.metadata import App
from components.monitoring.parts import GRAFANA
from components.monitoring.parts import Parts as MonitoringParts
from components.pipelines.parts import PAGE, Parts

_GRAFANA_LOGIN = "/login/generic_oauth"


@unique
class Login(StrEnum):
    """How a page learns who looks at it, where there is a single sign-on."""

    BEARER = "bearer"
    """The login proxy hands it the ID token of each request, and it verifies that itself."""
    HEADER = "header"
    """It believes the header `x-forwarded-email`, and nothing but the login proxy can reach it with one."""
    TOKEN = "token"  # noqa: S105  # no secret
    """As BEARER, and nobody passes the login who does not belong to its audience, programs neither."""
    NONE = "none"
    """It knows no users: the login proxy lets nobody through who does not belong to its audience."""
    OWN = "own"
    """It is a client of the issuer itself, and has no login proxy."""


@unique
class Audience(StrEnum):
    """Who may see a page at all; what of it is up to the page."""

    TEAMS = "teams"
    """Members of any team, and administrators."""
    ADMINS = "admins"
    """Administrators alone: the page cannot tell teams apart."""


@dataclass(frozen=True)
class Site:
    """One page."""

    name: str
    """What its objects are called after, such as `mlflow`."""
    title: str
    """What people call it, such as `MLflow`."""
    host: str
    """The name under which people open it."""
    app: App
    """What serves it; its Service has the app's name."""
    port: int
    """The port of that Service, and of its pods."""
    login: Login
    audience: Audience = Audience.TEAMS
    callback: str = "/oauth2/callback"
    """Where the issuer sends people back to: the login proxy's, or the page's own with `Login.OWN`."""


def mlflow(blueprint: Blueprint) -> Site | None:
    """MLflow's page; None where nobody outside of the cluster is to reach it."""
    host = blueprint.tracking.host
    app = Apps.of(blueprint.name).mlflow
    return Site("mlflow", "MLflow", host, app, tracking.PORT, Login.BEARER) if host else None


def grafana(blueprint: Blueprint) -> Site | None:
    """Grafana's page; None where nobody outside of the cluster is to reach it."""
    monitoring = blueprint.monitoring
    if monitoring is None or monitoring.host is None:
        return None
    app = MonitoringParts.of(blueprint.name).grafana
    return Site(
        "grafana", "Grafana", monitoring.host, app, GRAFANA, Login.OWN, Audience.ADMINS, _GRAFANA_LOGIN
    )


def pipelines(blueprint: Blueprint) -> Site | None:
    """The page of Kubeflow Pipelines; None without pipelines, or without a name for it."""
    host = blueprint.pipelines.host if blueprint.pipelines else None
    page = Parts.of(blueprint.name).page
    return Site("pipelines", "Kubeflow Pipelines", host, page, PAGE, Login.HEADER) if host else None


def tuning(blueprint: Blueprint) -> Site | None:
    """Katib's page; None without tuning, or without a name for it."""
    host = blueprint.tuning.host if blueprint.tuning else None
    app = tuning_page.page_app(Apps.of(blueprint.name).platform)
    return Site("tuning", "Katib", host, app, tuning_page.PAGE, Login.HEADER) if host else None


def notebooks(blueprint: Blueprint) -> Site | None:
    """The notebooks' page; None without notebooks, or without a name for it."""
    host = blueprint.notebooks.host if blueprint.notebooks else None
    app = notebook_parts.page_app(Apps.of(blueprint.name).platform)
    return Site("notebooks", "Notebooks", host, app, notebook_parts.PAGE, Login.TOKEN) if host else None


SITES: tuple[Callable[[Blueprint], Site | None], ...] = (mlflow, pipelines, tuning, notebooks, grafana)
"""Every page that a platform may have."""


def sites(blueprint: Blueprint) -> tuple[Site, ...]:
    """The pages that this platform has, in the order of SITES."""
    found = (site(blueprint) for site in SITES)
    return tuple(site for site in found if site is not None)
