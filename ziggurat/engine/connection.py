"""What a data scientist exports to use a platform; the password is named by where it is, never shown."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blueprints.names import system_namespace
from ziggurat.engine.target import Target
from ziggurat.errors import ZigguratError

LOCAL_PORT = 5000
PASSWORD_KEY = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class PipelinesConnection:
    """How a program of a team gets to Kubeflow Pipelines: by the token of a ServiceAccount."""

    target: Target
    namespace: str
    """The team's."""
    host: str | None
    """The name under which people open the page, for which they log in; None where there is none."""
    account: str
    audience: str
    port: int

    def commands(self) -> tuple[str, str]:
        """What makes it reachable here, and what prints a token (for an hour)."""
        home = system_namespace(self.target.platform)
        kubectl, port = self.target.kubectl(), self.port
        forward = f"{kubectl} port-forward --namespace {home} service/ml-pipeline {port}:{port}"
        token = (
            f"{kubectl} create token {self.account} --namespace {self.namespace} --audience {self.audience}"
        )
        return forward, token

    def as_json(self) -> dict[str, Any]:
        """It for a machine."""
        forward, token = self.commands()
        return {
            "endpoint": f"http://127.0.0.1:{self.port}",
            "namespace": self.namespace,
            "page": f"https://{self.host}" if self.host else None,
            "portForward": forward,
            "tokenCommand": token,
        }

    def lines(self) -> list[str]:
        """It for a person."""
        forward, token = self.commands()
        page = [f"# its page: https://{self.host}"] if self.host else []
        return [
            "# Kubeflow Pipelines, from a program (pip install kfp); in a terminal of its own:",
            *page,
            forward,
            "# and then in Python:",
            f"#   client = kfp.Client('http://127.0.0.1:{self.port}',",
            "#                       existing_token=os.environ['KFP_TOKEN'])",
            f"#   client.create_run_from_pipeline_func(pipeline, namespace='{self.namespace}')",
            f'export KFP_TOKEN="$({token})"',
        ]


@dataclass(frozen=True)
class Connection:
    """How one account of one team gets to the tracking server."""

    target: Target
    team: str
    user: str
    namespace: str
    workspace: str
    secret: str
    """The Secret in the team's namespace that holds the password."""
    host: str | None
    """The name under which people reach the server; None where it takes a port-forward."""
    pipelines: PipelinesConnection | None = None
    """How it gets to Kubeflow Pipelines, where there are any."""

    def variables(self) -> dict[str, str]:
        """What an MLflow client needs besides the password."""
        return {
            "MLFLOW_TRACKING_URI": f"https://{self.host}" if self.host else f"http://127.0.0.1:{LOCAL_PORT}",
            "MLFLOW_TRACKING_USERNAME": self.user,
            "MLFLOW_WORKSPACE": self.workspace,
            # The store is reached through the tracking server: its own name is not known outside the cluster.
            "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
            "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        }

    def password_command(self) -> str:
        """The shell command that prints the password."""
        path = "jsonpath={.data." + PASSWORD_KEY + "}"
        get = f"get secret {shlex.quote(self.secret)} --namespace {self.namespace} -o {shlex.quote(path)}"
        return f"{self.target.kubectl()} {get} | base64 -d"

    def port_forward(self) -> str | None:
        """The shell command that makes the server reachable here; None where it has a host name."""
        if self.host:
            return None
        namespace = system_namespace(self.target.platform)
        return (
            f"{self.target.kubectl()} port-forward --namespace {namespace} service/mlflow {LOCAL_PORT}:5000"
        )

    def shell(self) -> str:
        """Lines that a POSIX shell can evaluate: eval "$(ziggurat connect --team NAME --shell)"."""
        lines = [f"export {key}={shlex.quote(value)}" for key, value in self.variables().items()]
        return "\n".join([*lines, f'export {PASSWORD_KEY}="$({self.password_command()})"'])

    def as_json(self) -> dict[str, Any]:
        """The connection for a machine."""
        return {
            "platform": self.target.platform,
            "team": self.team,
            "user": self.user,
            "namespace": self.namespace,
            "variables": self.variables(),
            "passwordSecret": {"name": self.secret, "namespace": self.namespace, "key": PASSWORD_KEY},
            "passwordCommand": self.password_command(),
            "portForward": self.port_forward(),
            "simulated": self.target.sandbox,
            **({"pipelines": self.pipelines.as_json()} if self.pipelines else {}),
        }

    def text(self) -> str:
        """The connection for a person."""
        lines = [f"# {self.user} of team {self.team} on {self.target.platform}, {self.target.description}"]
        if self.target.sandbox:
            lines.append(
                "# the sandbox runs no containers: these lines are right, but no server answers them"
            )
        forward = self.port_forward()
        if forward:
            lines += ["", "# in a terminal of its own:", forward]
        pipelines = ["", *self.pipelines.lines()] if self.pipelines else []
        return "\n".join([*lines, "", "# where you work:", self.shell(), *pipelines])


def connection(target: Target, outputs: Mapping[str, Any], team: str, user: str | None) -> Connection:
    """The connection of a team's account, from the stack's outputs; `user` may be left out if there is one.

    Raises ZigguratError for a team or account that there is not, with those that there are.
    """
    teams: Mapping[str, Any] = outputs.get("teams") or {}
    if not teams:
        raise ZigguratError(
            f"the platform {target.platform} is not provisioned",
            where=f"stack {target.stack}",
            remedy=f"ziggurat up {target.blueprint}",
        )
    if team not in teams:
        raise ZigguratError(f"there is no team {team}", remedy=f"teams: {', '.join(sorted(teams))}")
    users: Mapping[str, Any] = teams[team]["users"]
    if user is None and len(users) > 1:
        raise ZigguratError(
            f"the team {team} has several accounts",
            remedy=f"name one with --user: {', '.join(sorted(users))}",
        )
    chosen = user if user is not None else next(iter(users))
    if chosen not in users:
        raise ZigguratError(
            f"the team {team} has no account {chosen}", remedy=f"its accounts: {', '.join(sorted(users))}"
        )
    return Connection(
        target,
        team,
        chosen,
        str(teams[team]["namespace"]),
        str(teams[team]["workspace"]),
        str(users[chosen]["secret"]),
        outputs.get("trackingHost") or None,
        _pipelines(target, str(teams[team]["namespace"]), outputs.get("pipelines")),
    )


def _pipelines(target: Target, namespace: str, given: Mapping[str, Any] | None) -> PipelinesConnection | None:
    if not given:
        return None
    return PipelinesConnection(
        target,
        namespace,
        given["host"] or None,
        str(given["serviceAccount"]),
        str(given["audience"]),
        int(given["port"]),
    )
