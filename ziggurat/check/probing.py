"""Asking a running platform for the answers of the auth matrix, where no browser with a person is needed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ziggurat.check.matrix import Expected, Probe, Row
from ziggurat.check.report import Outcome, Result
from ziggurat.check.server import Account, CheckFailed, CheckSkipped
from ziggurat.check.ways import Host, Way, port_forward
from ziggurat.cluster import Cluster
from ziggurat.errors import ZigguratError

AccountOf = Callable[[str], Account]
"""The first account of a team, as the Secret in its namespace has it."""
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Heard:
    """What was answered to one request."""

    status: int
    location: str


@dataclass
class Prober:
    """Asks for each row by its host name, or where that leads nowhere by a port-forward to its Service."""

    cluster: Cluster
    namespace: str
    account: AccountOf
    login_host: str | None
    """Where people log in; None where only the issuer knows."""
    seconds: float
    hosts: Callable[[str, str], Way] = Host
    forwards: dict[str, Way] = field(default_factory=dict[str, Way])

    def result(self, row: Row) -> Result:
        """What came of one row."""
        started, outcome, remedy = time.monotonic(), Outcome.OK, ""
        try:
            detail = self._carry_out(row)
        except CheckSkipped as skipped:
            outcome, detail = Outcome.SKIPPED, str(skipped)
        except CheckFailed as failed:
            outcome, detail, remedy = Outcome.FAILED, str(failed), failed.remedy
        except ZigguratError as error:
            outcome, detail, remedy = Outcome.FAILED, error.message, error.remedy
        what = f"{row.url} as {row.who}: {row.expected.value}, {row.what}"
        return Result("auth", what, time.monotonic() - started, outcome, detail, remedy, row.team)

    def _carry_out(self, row: Row) -> str:
        if row.probe is Probe.PERSON:
            raise CheckSkipped("needs a browser in which somebody of that group has logged in")
        headers = {"Host": urlsplit(row.url).netloc, "Connection": "close"}
        if row.probe is Probe.ACCOUNT:
            headers |= self.account(row.team).headers(row.workspace)
        heard, way = self._ask(row, headers)
        wrong = self._wrong(row, heard)
        if wrong:
            raise CheckFailed(f"{wrong}, by {way}", "see docs/operations.md, Access")
        return f"{heard.status} by {way}"

    def _ask(self, row: Row, headers: Mapping[str, str]) -> tuple[Heard, str]:
        url = urlsplit(row.url)
        by_name = self.hosts(str(url.hostname), url.scheme)
        try:
            return _request(by_name, row.path, headers, self.seconds), by_name.description
        except OSError as error:
            if not row.door:
                raise CheckSkipped(f"no answer by {by_name.description}: {error}") from error
        way = self._forward(row.door)
        # No gateway is on this way, which would have said that the browser came by https.
        more = {**headers, "X-Forwarded-Proto": "https"}
        try:
            return _request(way, row.path, more, self.seconds), way.description
        except (OSError, http.client.HTTPException) as error:
            raise CheckFailed(f"no answer through {way.description}: {error}") from error

    def _forward(self, service: str) -> Way:
        if service not in self.forwards:
            self.forwards[service] = port_forward(self.cluster, self.namespace, service)
        return self.forwards[service]

    def _wrong(self, row: Row, heard: Heard) -> str:
        """What is not as it has to be; empty if all is."""
        status, place = heard.status, heard.location
        if row.expected is Expected.LOGIN:
            if status not in _REDIRECTS:
                return f"{status} instead of the login"
            known = {None, urlsplit(row.url).hostname, self.login_host}
            strays = self.login_host and urlsplit(place).hostname not in known
            return f"leads to {place}" if strays else ""
        if row.expected is Expected.MOVED:
            return "" if status in _REDIRECTS and place.startswith("https://") else f"{status}, not to https"
        # A token that is missing and one that does not suffice are told apart by few.
        refusals = {Expected.REFUSED: (401,), Expected.FORBIDDEN: (403, 404), Expected.OPEN: (200,)}
        wanted = refusals[row.expected]
        return "" if status in wanted else f"{status} instead of {row.expected.value}"


def _request(way: Way, path: str, headers: Mapping[str, str], seconds: float) -> Heard:
    connection = way.open(seconds)
    try:
        connection.request("GET", path, headers=dict(headers))
        with connection.getresponse() as answer:
            answer.read()
            return Heard(answer.status, str(answer.getheader("Location") or ""))
    finally:
        connection.close()
