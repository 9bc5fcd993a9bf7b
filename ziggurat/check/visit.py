"""Carrying out the checks: finding the ways and the accounts, timing each check, and cleaning up."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ziggurat.check import checks
from ziggurat.check.report import Outcome, Result
from ziggurat.check.server import Account, CheckFailed, CheckSkipped, Server
from ziggurat.check.ways import Host, Way, port_forward
from ziggurat.cluster import Cluster
from ziggurat.errors import ZigguratError
from ziggurat.progress import Progress


@dataclass
class _Session:
    """One run of the checks: what they are about, and the passwords that no result may show."""

    cluster: Cluster
    outputs: Mapping[str, Any]
    quotas: frozenset[str]
    seconds: float
    progress: Progress
    passwords: set[str] = field(default_factory=set[str], repr=False)

    @property
    def teams(self) -> Mapping[str, Any]:
        """The teams of the platform, by name."""
        return self.outputs["teams"]

    def carry_out(
        self, name: str, what: str, action: Callable[[], str], *, team: str = "", way: str = ""
    ) -> Result:
        """Does one thing and times it; every failure that a user can act on becomes the result."""
        started, outcome, remedy = time.monotonic(), Outcome.OK, ""
        try:
            detail = action()
        except CheckSkipped as skipped:
            outcome, detail = Outcome.SKIPPED, str(skipped)
        except CheckFailed as failed:
            outcome, detail, remedy = Outcome.FAILED, str(failed), failed.remedy
        except ZigguratError as error:
            detail = f"{error.message} ({error.where})" if error.where else error.message
            outcome, remedy = Outcome.FAILED, error.remedy
        for password in self.passwords:  # a server that echoes what it was sent
            detail = detail.replace(password, "[secret]")
        return Result(name, what, time.monotonic() - started, outcome, detail, remedy, team, way)

    def account(self, team: str, user: str) -> Account:
        """The account as the Secret in the team's namespace has it; CheckFailed if that is missing."""
        found = self.teams[team]
        values = self._secret(str(found["namespace"]), str(found["users"][user]["secret"]))
        name, password = values["MLFLOW_TRACKING_USERNAME"], values["MLFLOW_TRACKING_PASSWORD"]
        return Account(name, password, str(found["workspace"]))

    def _secret(self, namespace: str, name: str) -> dict[str, str]:
        found = self.cluster.find("v1", "Secret", namespace, name)
        if found is None:
            raise CheckFailed(
                f"there is no Secret {name} in {namespace}", "ziggurat up --refresh makes what is missing"
            )
        values = {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}
        self.passwords |= {value for key, value in values.items() if "password" in key.lower() and value}
        return _Values(values, f"{namespace}/{name}")

    def stranger(self, team: str) -> Account | None:
        """An account of another team that this team does not have."""
        own = set(self.teams[team]["users"])
        for other, found in sorted(self.teams.items()):
            users = [user for user in found["users"] if user not in own]
            if other != team and users:
                return self.account(other, users[0])
        return None


class _Values(dict[str, str]):
    """The values of a Secret, which says what it lacks."""

    def __init__(self, values: dict[str, str], secret: str) -> None:
        super().__init__(values)
        self._secret = secret

    def __missing__(self, key: str) -> str:
        raise CheckFailed(f"the Secret {self._secret} has no {key}", "ziggurat up --refresh sets it")


def check_platform(
    cluster: Cluster,
    outputs: Mapping[str, Any],
    *,
    quotas: frozenset[str] = frozenset(),
    team: str | None = None,
    seconds: float,
    progress: Progress,
    ways: tuple[Callable[[], Way], ...] | None = None,
) -> tuple[Result, ...]:
    """Every check of a provisioned platform, or those of the platform and one team.

    `outputs` are the stack's, `quotas` the namespaces that should have a quota; `seconds` is the time of one
    check. Ways other than the host name and a port-forward can be given. A failing check is a result, not an
    error; ZigguratError for a team that there is not.
    """
    teams: Mapping[str, Any] = outputs["teams"]
    if team is not None and team not in teams:
        raise ZigguratError(f"there is no team {team}", remedy=f"teams: {', '.join(sorted(teams))}")
    session = _Session(cluster, outputs, quotas, seconds, progress)
    chosen = [team] if team else sorted(teams)
    results = list(_of_cluster(session, chosen))
    for way in ways if ways is not None else _ways(cluster, outputs):
        results += _through(session, way, chosen)
    return tuple(results)


def _ways(cluster: Cluster, outputs: Mapping[str, Any]) -> tuple[Callable[[], Way], ...]:
    host = outputs.get("trackingHost")
    forward: Callable[[], Way] = lambda: port_forward(cluster, str(outputs["namespace"]))  # noqa: E731
    return (lambda: Host(str(host)), forward) if host else (forward,)


def _of_cluster(session: _Session, teams: list[str]) -> Iterator[Result]:
    with session.progress.step("checking the cluster"):
        namespace = str(session.outputs["namespace"])
        what = "asks the kubelets how full the platform's volumes are"
        yield session.carry_out("volumes", what, lambda: checks.volumes(session.cluster, namespace))
        for team in teams:
            where = str(session.teams[team]["namespace"])
            yield session.carry_out(
                "quota",
                "looks at the quota",
                lambda where=where: checks.quota(session.cluster, where, expected=where in session.quotas),
                team=team,
            )


def _through(session: _Session, way: Callable[[], Way], teams: list[str]) -> list[Result]:
    """The checks that take one way to the server."""
    found: list[Way] = []

    def find() -> str:
        found.append(way())
        return found[0].description

    first = session.carry_out("way", "finds the way to the tracking server", find)
    if not found:
        return [first]
    results = [first]
    shown = found[0].description
    server = Server(found[0], 0.0)
    with session.progress.step(f"checking the tracking server through {shown}"):
        for check in checks.SERVER_CHECKS:
            fresh = server.until(session.seconds)
            action = lambda check=check, fresh=fresh: check.run(fresh)  # noqa: E731
            results.append(session.carry_out(check.name, check.what, action, way=shown))
    if results[1].outcome is Outcome.FAILED:  # no health: each of the rest would wait for its whole time
        return results
    for team in teams:
        with session.progress.step(f"checking team {team}"):
            _team(session, server, team, results)
    return results


def _team(session: _Session, server: Server, team: str, results: list[Result]) -> None:
    """The checks of a team's first account; whatever ends them, what they made is deleted."""
    shown = server.way.description
    users = list(session.teams[team]["users"])
    visits: list[checks.Visit] = []

    def enter() -> str:
        if not users:
            raise CheckSkipped("the team has none: it logs in by single sign-on")
        owner = session.account(team, users[0])
        visits.append(checks.Visit(server, owner, session.stranger(team)))
        return f"{owner.user} in workspace {owner.workspace}"

    what = "reads the team's first account from its Secret"
    results.append(session.carry_out("account", what, enter, team=team, way=shown))
    for visit in visits:

        def carry_out(check: checks.TeamCheck, visit: checks.Visit = visit) -> None:
            visit.server = server.until(session.seconds)
            action = lambda: check.run(visit)  # noqa: E731
            results.append(session.carry_out(check.name, check.what, action, team=team, way=shown))

        try:
            for check in checks.TEAM_CHECKS:
                carry_out(check)
        finally:
            carry_out(checks.CLEAN_UP)
