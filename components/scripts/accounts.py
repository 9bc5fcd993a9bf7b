"""Makes MLflow's workspaces, accounts and roles equal to the blueprint. Usage: accounts.py DESIRED PASSWORDS

DESIRED is a JSON file {"workspaces": [NAME], "accounts": {USER: {WORKSPACE: ROLE}}}, PASSWORDS one
{USER: PASSWORD}. The server is at MLFLOW_TRACKING_URI; the administrator is MLFLOW_TRACKING_USERNAME with
MLFLOW_TRACKING_PASSWORD.

It speaks MLflow's own REST API with the standard library alone, may run any number of times, and says what
it changes. It never deletes a workspace or an account. An account that the blueprint no longer names loses
its roles and its password; an account that it never named is left alone. To tell the two apart, each account
that is made here holds a role without permissions, MARKER, in its workspaces.
"""

import base64
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MARKER = "ziggurat-account"
SHARED = ("experiment", "registered_model", "prompt")
ROLES = {
    "admin": {"workspace": "MANAGE"},
    "user": {"workspace": "USE", **dict.fromkeys(SHARED, "READ")},
}
"""The roles that MLflow seeds in each new workspace, and what each grants on everything of a kind.

MLflow 3.17 describes `user` as reading all of its workspace, but seeds it with `workspace` alone, with which
nobody reads what a colleague made (tried). The READ grants make the description true. Not on scorers: who
holds a lesser grant on anything that belongs to an experiment may not delete one, not even their own (tried).
"""
WAIT_SECONDS = 300
Pair = tuple[str, str]
"""A workspace and the name of a role in it."""


class RefusedError(Exception):
    """The server's answer to a request that it does not grant."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


class Server:
    """MLflow's REST API, as one user."""

    def __init__(self, uri: str, username: str, password: str) -> None:
        self.uri = uri.rstrip("/")
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, **data: Any) -> dict[str, Any]:
        """The answer as data; a GET takes `data` as its query."""
        url, body = f"{self.uri}/api/{path}", None
        if method == "GET":
            url += f"?{urllib.parse.urlencode(data)}" if data else ""
        else:
            body = json.dumps(data).encode()
        request = urllib.request.Request(url, body, self.headers, method=method)  # noqa: S310  # our own
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise refusal(error) from None


def refusal(error: urllib.error.HTTPError) -> RefusedError:
    """What the server said, be it MLflow's JSON or plain text."""
    text = error.read().decode(errors="replace")
    try:
        answer = json.loads(text)
        return RefusedError(error.code, answer["error_code"], answer.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return RefusedError(error.code, str(error.reason), text[:200])


def say(text: str) -> None:
    """A line of the log; never a password."""
    print(text, flush=True)


def wait(uri: str) -> None:
    """Until the server answers; it may still be starting."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):  # noqa: S310  # our own
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"no answer from {uri} for {WAIT_SECONDS} seconds: {error}")
            time.sleep(2)


def ensure_workspaces(server: Server, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Makes the missing ones, and returns {workspace: {role: id}} of all that there are."""
    present = {item["name"] for item in server.call("GET", "3.0/mlflow/workspaces")["workspaces"]}
    for name in names:
        if name not in present:
            server.call("POST", "3.0/mlflow/workspaces", name=name)
            say(f"workspace {name}: made")
    roles: dict[str, dict[str, Any]] = {}
    for role in server.call("GET", "3.0/mlflow/roles/list")["roles"]:
        roles.setdefault(role["workspace"], {})[role["name"]] = role
    for name in names:
        here = roles.setdefault(name, {})
        for role, grants in {MARKER: {}, **ROLES}.items():
            here[role] = ensure_role(server, name, role, grants, here.get(role))
    return {name: {role: here[role]["id"] for role in here} for name, here in roles.items()}


def ensure_role(
    server: Server, workspace: str, name: str, grants: Mapping[str, str], found: dict[str, Any] | None
) -> dict[str, Any]:
    """The role with at least these grants; what an administrator granted beyond them stays."""
    role = found or server.call("POST", "3.0/mlflow/roles/create", name=name, workspace=workspace)["role"]
    everything = {grant["resource_type"] for grant in role["permissions"] if grant["resource_pattern"] == "*"}
    for kind, permission in grants.items():
        if kind not in everything:
            grant = {"resource_type": kind, "resource_pattern": "*", "permission": permission}
            server.call("POST", "3.0/mlflow/roles/permissions/add", role_id=role["id"], **grant)
            say(f"workspace {workspace}: role {name} has {permission} on every {kind}")
    return role


def list_accounts(server: Server) -> dict[str, set[Pair]]:
    """The roles of everybody."""
    return {
        user["username"]: {(role["workspace"], role["name"]) for role in user["roles"]}
        for user in server.call("GET", "2.0/mlflow/users/list")["users"]
    }


def ensure_password(server: Server, user: str, password: str, *, is_new: bool) -> None:
    """The account is there and has this password."""
    if is_new:
        server.call("POST", "2.0/mlflow/users/create", username=user, password=password)
        say(f"account {user}: made")
        return
    if not is_password(server, user, password):
        say(f"account {user}: password changed")
    # Set in any case: the server's workers remember a login for a while, so a yes may be an old one.
    server.call("PATCH", "2.0/mlflow/users/update-password", username=user, password=password)


def is_password(server: Server, user: str, password: str) -> bool:
    """Whether the server lets the account in with it."""
    try:
        Server(server.uri, user, password).call("GET", "2.0/mlflow/users/current")
    except RefusedError as refused:
        if refused.status != 401:
            raise
        return False
    return True


def ensure_roles(
    server: Server, user: str, wanted: set[Pair], held: set[Pair], ids: Mapping[str, Mapping[str, int]]
) -> None:
    """Gives what is `wanted` and takes away the rest, of the roles that are ours to give."""
    ours = {pair for pair in held if pair[1] in (*ROLES, MARKER)}
    # The marker is the first to be given and the last to go: a run that is cut short leaves it behind, and
    # the next one knows whose the account is.
    for workspace, role in sorted(wanted - ours, key=lambda pair: (pair[1] != MARKER, pair)):
        server.call("POST", "3.0/mlflow/roles/assign", username=user, role_id=ids[workspace][role])
        if role != MARKER:
            say(f"account {user}: role {role} in {workspace} given")
    for workspace, role in sorted(ours - wanted, key=lambda pair: (pair[1] == MARKER, pair)):
        server.call("DELETE", "3.0/mlflow/roles/unassign", username=user, role_id=ids[workspace][role])
        if role != MARKER:
            say(f"account {user}: role {role} in {workspace} taken away")


def main(desired_file: str, passwords_file: str) -> None:
    """Makes the server's state what the files say."""
    desired = json.loads(Path(desired_file).read_text())
    passwords = json.loads(Path(passwords_file).read_text())
    uri = os.environ["MLFLOW_TRACKING_URI"]
    wait(uri)
    server = Server(uri, os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
    ids = ensure_workspaces(server, desired["workspaces"])
    present = list_accounts(server)
    for user, workspaces in desired["accounts"].items():
        ensure_password(server, user, passwords[user], is_new=user not in present)
        wanted = {pair for name, role in workspaces.items() for pair in ((name, role), (name, MARKER))}
        ensure_roles(server, user, wanted, present.get(user, set()), ids)
    for user, held in present.items():
        if user not in desired["accounts"] and any(role == MARKER for _, role in held):
            say(f"account {user}: no longer in the blueprint, locked")
            unknown = secrets.token_urlsafe(32)
            server.call("PATCH", "2.0/mlflow/users/update-password", username=user, password=unknown)
            ensure_roles(server, user, set(), held, ids)
    say(f"done: {len(desired['workspaces'])} workspaces, {len(desired['accounts'])} accounts")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RefusedError as refused:
        sys.exit(f"MLflow refused: {refused}")
