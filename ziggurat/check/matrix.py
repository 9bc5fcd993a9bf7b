"""The auth matrix: every page and everybody who may come, with the answer that each has to get.

It is made of the blueprint and of the same table of pages as login proxies, routes and network policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Any

from blueprints.model import Blueprint
from components import gateway
from components.auth import accounts
from components.signon.entry import Door
from components.signon.issuer import issuer
from components.sites import Audience, Login, Site

ANONYMOUS = "anonymous"
ADMIN = "administrator"
CURRENT = "/api/2.0/mlflow/users/current"
"""What MLflow answers to programs with: who they are."""
EXPERIMENTS = "/api/2.0/mlflow/experiments/search?max_results=1"


_SEEN = {
    Login.HEADER: "the page, and in it what they are a member of",
    Login.TOKEN: "the list of teams, and what is of their own",
}
"""What administrators see of pages that let people in by their teams alone."""


@unique
class Expected(StrEnum):
    """What somebody gets."""

    LOGIN = "login"
    """Is led to the login (a redirect); afterwards to the page."""
    REFUSED = "401"
    FORBIDDEN = "403"
    OPEN = "200"
    MOVED = "301"
    """Is sent to https."""


@unique
class Probe(StrEnum):
    """How an answer can be asked for."""

    NOBODY = "nobody"
    """A request without credentials."""
    ACCOUNT = "account"
    """A request with the derived credentials of a team's account."""
    PERSON = "person"
    """Only by a browser in which somebody of that group has logged in: it is not asked for."""


@dataclass(frozen=True)
class Row:
    """One answer that somebody has to get."""

    page: str
    url: str
    who: str
    """`anonymous`, `administrator`, or `team NAME`, with how they come where that makes a difference."""
    expected: Expected
    what: str
    """What they see, or why they do not."""
    probe: Probe
    door: str
    """The Service that answers under this name."""
    port: int
    path: str
    team: str = ""
    """The team whose account asks."""
    workspace: str = ""
    """The workspace that it asks for."""

    def as_json(self) -> dict[str, Any]:
        """The row for a machine."""
        return {**asdict(self), "expected": self.expected.value, "probe": self.probe.value}


def matrix(blueprint: Blueprint) -> tuple[Row, ...]:
    """Every row, page by page."""
    rows: list[Row] = []
    for door in gateway.all_doors(blueprint):
        rows += _page(blueprint, door, door.site) if door.site else _issuer(blueprint, door)
        rows += _plain(blueprint, door)
    return tuple(rows)


def _row(blueprint: Blueprint, door: Door, path: str, who: str, expected: Expected, what: str, probe: Probe,
         **more: str) -> Row:  # fmt: skip
    encrypted = blueprint.gateway is None or blueprint.gateway.tls or blueprint.gateway.name
    url = f"{'https' if encrypted else 'http'}://{door.host}{path}"
    name = door.site.title if door.site else "the issuer"
    return Row(name, url, who, expected, what, probe, door.app.name, door.port, path, **more)


def _page(blueprint: Blueprint, door: Door, site: Site) -> Iterator[Row]:
    signs_on = issuer(blueprint) is not None

    def row(who: str, expected: Expected, what: str, probe: Probe, path: str = "/") -> Row:
        return _row(blueprint, door, path, who, expected, what, probe)

    if site.login is Login.OWN or signs_on:
        yield row(ANONYMOUS, Expected.LOGIN, "is led to the login", Probe.NOBODY)
    else:
        yield row(ANONYMOUS, Expected.REFUSED, "is asked for an account of MLflow", Probe.NOBODY)
    for team in sorted(blueprint.teams):
        who = f"team {team}"
        if signs_on and not blueprint.teams[team].groups:
            yield row(
                who, Expected.FORBIDDEN, "enters by no group: its accounts are for programs", Probe.PERSON
            )
        elif site.audience is Audience.ADMINS:
            yield row(who, Expected.FORBIDDEN, "the page is for administrators", Probe.PERSON)
        else:
            whole = site.login not in (Login.BEARER, Login.HEADER, Login.TOKEN)
            seen = "the whole page" if whole else "its own data only"
            yield row(who, Expected.OPEN, seen, Probe.PERSON)
    found = issuer(blueprint)
    if signs_on and not (found and found.admin_groups):
        yield row(ADMIN, Expected.FORBIDDEN, "there is no group of administrators", Probe.PERSON)
    else:
        yield row(ADMIN, Expected.OPEN, _SEEN.get(site.login, "everything"), Probe.PERSON)
    if site.login is Login.BEARER:
        yield from _programs(blueprint, door)


def _programs(blueprint: Blueprint, door: Door) -> Iterator[Row]:
    """What programs get of MLflow, which come with an account's password and pass no login page."""
    nobody = ("/health", Expected.OPEN, "is alive"), (CURRENT, Expected.REFUSED, "needs an account")
    for path, expected, what in nobody:
        yield _row(blueprint, door, path, f"{ANONYMOUS}, a program", expected, what, Probe.NOBODY)
    members: dict[str, list[str]] = {}
    for user, teams in accounts(blueprint.teams).items():
        for team in teams:
            members.setdefault(team, []).append(user)
    for team in sorted(blueprint.teams):
        for workspace in sorted(blueprint.teams):
            # One account may be of several teams; the first of each team is asked.
            enters = members[team][0] in members[workspace]
            yield _row(
                blueprint,
                door,
                EXPERIMENTS,
                f"team {team}, a program, in workspace {workspace}",
                Expected.OPEN if enters else Expected.FORBIDDEN,
                "its own data" if enters else "another team's data",
                Probe.ACCOUNT,
                team=team,
                workspace=workspace,
            )


def _issuer(blueprint: Blueprint, door: Door) -> Iterator[Row]:
    path = "/.well-known/openid-configuration"
    yield _row(blueprint, door, path, ANONYMOUS, Expected.OPEN, "what every client may know", Probe.NOBODY)
    yield _row(blueprint, door, "/userinfo", ANONYMOUS, Expected.REFUSED, "needs a token", Probe.NOBODY)


def _plain(blueprint: Blueprint, door: Door) -> Iterator[Row]:
    """Where the platform's own Gateway speaks https, http leads there."""
    chosen = blueprint.gateway
    if chosen and chosen.tls and not chosen.name:
        name = door.site.title if door.site else "the issuer"
        url = f"http://{door.host}/"
        what = "is sent to https"
        yield Row(name, url, ANONYMOUS, Expected.MOVED, what, Probe.NOBODY, "", 80, "/")


def table(rows: tuple[Row, ...]) -> str:
    """The matrix for a person."""
    head = ("url", "who", "gets", "what of it")
    lines = [head, *((row.url, row.who, row.expected.value, row.what) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(3)]
    shown: list[str] = []
    for url, who, gets, what in lines:
        shown.append(f"{url:<{widths[0]}}  {who:<{widths[1]}}  {gets:<{widths[2]}}  {what}")
    return "\n".join(shown)
