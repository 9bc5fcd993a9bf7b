"""MLflow's REST API, as one account of a team or as nobody: plain HTTP over one of the ways to the server."""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import urlencode

from ziggurat.check.ways import Way

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_SHOWN = 200
"""How many characters of an answer a message shows."""


class CheckFailed(Exception):  # noqa: N818 - an outcome, which becomes a result
    """What a check found wrong, and what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class CheckSkipped(Exception):  # noqa: N818 - an outcome, which becomes a result
    """Why a check does not apply, or cannot be carried out."""


@dataclass(frozen=True)
class Account:
    """An account of a team."""

    user: str
    password: str = field(repr=False)
    workspace: str = ""

    def headers(self, workspace: str | None = None) -> dict[str, str]:
        """What identifies it, in its own workspace or in `workspace`."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        chosen = self.workspace if workspace is None else workspace
        return {"Authorization": f"Basic {token}"} | ({"X-MLFLOW-WORKSPACE": chosen} if chosen else {})


@dataclass(frozen=True)
class Answer:
    """What the server said to one request."""

    status: int
    body: bytes

    @property
    def message(self) -> str:
        """The reason that it gives, shortened."""
        try:
            said = json.loads(self.body)["message"]
        except (ValueError, KeyError, TypeError):
            said = self.body.decode(errors="replace")
        return " ".join(str(said).split())[:_SHOWN]


@dataclass(frozen=True)
class Server:
    """The tracking server, over one way; `deadline` (of the monotonic clock) ends every request."""

    way: Way
    deadline: float

    def until(self, seconds: float) -> Server:
        """The same server for so many seconds from now."""
        return replace(self, deadline=time.monotonic() + seconds)

    def ask(
        self,
        method: str,
        path: str,
        account: Account | None = None,
        *,
        workspace: str | None = None,
        query: dict[str, str] | None = None,
        data: Any = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request, whatever the answer; CheckFailed if there is none."""
        headers = {"Connection": "close"} | (account.headers(workspace) if account else {})
        body = raw if data is None else json.dumps(data).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise CheckFailed(f"{method} {path}: the time was over", _SLOW)
        try:
            connection = self.way.open(left)
            try:
                connection.request(method, path + (f"?{urlencode(query)}" if query else ""), body, headers)
                with connection.getresponse() as answer:
                    return Answer(answer.status, answer.read())
            finally:
                connection.close()
        except TimeoutError:
            raise CheckFailed(f"{method} {path}: no answer within {left:.0f} s", _SLOW) from None
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise CheckFailed(
                f"{method} {path}: no answer through {self.way.description}: {why}", _CUT
            ) from None

    def granted(
        self,
        method: str,
        path: str,
        account: Account,
        *,
        query: dict[str, str] | None = None,
        data: Any = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request that the account must be granted, and its answer."""
        answer = self.ask(method, path, account, query=query, data=data, raw=raw)
        require_granted(answer, method, path, account)
        return answer

    def call(self, method: str, path: str, account: Account, **data: Any) -> dict[str, Any]:
        """One call of the API that must be granted; a GET takes `data` as its query."""
        if method == "GET":
            query = {key: str(value) for key, value in data.items()}
            answer = self.granted(method, path, account, query=query)
        else:
            answer = self.granted(method, path, account, data=data)
        try:
            return cast("dict[str, Any]", json.loads(answer.body or b"{}"))
        except ValueError:
            raise CheckFailed(f"{method} {path}: what came is not JSON: {answer.message}", _CUT) from None


_SLOW = "ask for more with --timeout; if it stays so, look at the pods: ziggurat status"
_CUT = (
    "ziggurat status says whether its pods are ready; if so, see what lies between (ingress, proxy, policy)"
)


def require_granted(answer: Answer, method: str, path: str, account: Account) -> None:
    """CheckFailed unless the answer is 200."""
    if answer.status == 200:
        return
    remedy = f"see the server's log for the time of this {method} {path}"
    if answer.status == 401:
        remedy = f"the Secret's password of {account.user} is not the server's: ziggurat up makes them equal"
    elif answer.status == 403:
        remedy = (
            f"{account.user} lacks rights in {account.workspace}: ziggurat up gives the blueprint's roles"
        )
    raise CheckFailed(f"{method} {path}: {answer.status} {answer.message}", remedy)
