"""What the tests of a single sign-on share: a blueprint with pages of every kind of login."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from blueprints.loader import loads
from blueprints.model import Blueprint
from components import sites as table
from components.apps import system_app
from components.credentials import Credentials
from components.sites import Audience, Login, Site


@pytest.fixture
def credentials() -> Credentials:
    return Credentials("acme", base64.b64encode(bytes(range(32))).decode())


@pytest.fixture
def blueprint() -> Callable[[str], Blueprint]:
    return lambda text: loads(text, "b.yaml").blueprint


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Site]:
    """One page of each kind of login beside MLflow's."""

    def page(name: str, login: Login, port: int, **more: Any) -> Site:
        return Site(
            name, name.title(), f"{name}.acme.dev", system_app("acme", name, name), port, login, **more
        )

    made = {
        "pipelines": page("pipelines", Login.HEADER, 3000),
        "katib": page("katib", Login.NONE, 8080, audience=Audience.ADMINS),
        "grafana": page("grafana", Login.OWN, 3001, callback="/login/generic_oauth"),
    }
    monkeypatch.setattr(
        table, "SITES", (*table.SITES, *(lambda _, site=site: site for site in made.values()))
    )
    return made
