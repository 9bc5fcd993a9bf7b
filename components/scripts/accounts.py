"""Makes MLflow's workspaces, accounts and roles equal to the blueprint. Usage: accounts.py DESIRED PASSWORDS

DESIRED is a JSON file {"workspaces": [NAME], "accounts": {USER: {WORKSPACE: ROLE}}}, PASSWORDS one {USER: PASSWORD}.
The server is at MLFLOW_TRACKING_URI; the administrator is MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD.

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
from pathlib import Path

ROLES = ("admin", "user")  # MLflow seeds both in each new workspace
MARKER = "ziggurat-account"
WAIT_SECONDS = 300


class Refused(Exception):
    """The server's answer to a request that it does not grant."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


class Server:
    """MLflow's REST API, as one user."""

    def __init__(self, uri, username, password):
        self.uri = uri.rstrip("/")
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(self, method, path, **data):
        """The answer as data; a GET takes `data` as its query."""
        url, body = f"{self.uri}/api/{path}", None
        if method == "GET":
            url += f"?{urllib.parse.urlencode(data)}" if data else ""
        else:
            body = json.dumps(data).encode()
        request = urllib.request.Request(url, body, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise refusal(error) from None


def refusal(error):
    text = error.read().decode(errors="replace")
    try:
        answer = json.loads(text)
        return Refused(error.code, answer["error_code"], answer.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return Refused(error.code, error.reason, text[:200])


def say(text):
    print(text, flush=True)


def wait(uri):
    """Until the server answers; it may still be starting."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"no answer from {uri} for {WAIT_SECONDS} seconds: {error}")
            time.sleep(2)


def ensure_workspaces(server, names):
    """Makes the missing ones, and returns {workspace: {role: id}} of all that there are."""
    present = {item["name"] for item in server.call("GET", "3.0/mlflow/workspaces")["workspaces"]}
    for name in names:
        if name not in present:
            server.call("POST", "3.0/mlflow/workspaces", name=name)
            say(f"workspace {name}: made")
    roles = {}
    for role in server.call("GET", "3.0/mlflow/roles/list")["roles"]:
        roles.setdefault(role["workspace"], {})[role["name"]] = role["id"]
    for name in names:
        here = roles.setdefault(name, {})
        missing = [role for role in ROLES if role not in here]
        if missing:
            sys.exit(
                f"workspace {name} has no role {' and no role '.join(missing)}: somebody removed what MLflow seeds"
            )
        if MARKER not in here:
            description = "Marks the accounts that the blueprint names; it grants nothing."
            made = server.call(
                "POST", "3.0/mlflow/roles/create", name=MARKER, workspace=name, description=description
            )
            here[MARKER] = made["role"]["id"]
    return roles


def list_accounts(server):
    """{user: {(workspace, role)}} of everybody."""
    return {
        user["username"]: {(role["workspace"], role["name"]) for role in user["roles"]}
        for user in server.call("GET", "2.0/mlflow/users/list")["users"]
    }


def ensure_password(server, user, password, is_new):
    if is_new:
        server.call("POST", "2.0/mlflow/users/create", username=user, password=password)
        say(f"account {user}: made")
        return
    try:
        Server(server.uri, user, password).call("GET", "2.0/mlflow/users/current")
    except Refused as refused:
        if refused.status != 401:
            raise
        server.call("PATCH", "2.0/mlflow/users/update-password", username=user, password=password)
        say(f"account {user}: password changed")


def ensure_roles(server, user, wanted, held, ids):
    """Gives what is `wanted` and takes away the rest, of the roles that are ours to give."""
    ours = {(workspace, role) for workspace, role in held if role in (*ROLES, MARKER)}
    for change, pairs in (("assign", wanted - ours), ("unassign", ours - wanted)):
        # The marker is the last to go, so that a run which is cut short is taken up again by the next.
        for workspace, role in sorted(pairs, key=lambda pair: (pair[1] == MARKER, pair)):
            method = "POST" if change == "assign" else "DELETE"
            server.call(method, f"3.0/mlflow/roles/{change}", username=user, role_id=ids[workspace][role])
            if role != MARKER:
                say(
                    f"account {user}: role {role} in {workspace} {'given' if change == 'assign' else 'taken away'}"
                )


def main(desired_file, passwords_file):
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
            server.call(
                "PATCH", "2.0/mlflow/users/update-password", username=user, password=secrets.token_urlsafe(32)
            )
            ensure_roles(server, user, set(), held, ids)
    say(
        f"{len(desired['workspaces'])} workspaces and {len(desired['accounts'])} accounts are as the blueprint says"
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(f"MLflow refused: {refused}")
