"""What a team has of pipelines in its namespace: its runs' identity, where they keep things, who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from blueprints.model.pipelines import Pipelines
from blueprints.model.teams import Team, WorkspaceRole
from components import artifacts
from components.credentials import Credentials, Label
from components.manifests import configuration as objects
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge, Runs, runs_policy
from components.namespaces import SERVICE_ACCOUNT, team_app
from components.pipelines import rights
from components.pipelines.configuration import (
    LAUNCHER,
    METADATA_ADDRESS,
    MLFLOW_SECRET,
    launcher,
    metadata_address,
)
from components.pipelines.parts import METADATA, RUNNER, STORE_SECRET, Parts
from components.pipelines.stores import RunStore

MEMBER = "pipelines-member"
"""The binding by which people and programs of a team use pipelines."""
READER = "pipelines-reader"
"""The Role by which members of a team see its runs with kubectl, and ask for tokens."""


@dataclass(frozen=True)
class TeamArgs:
    """What all teams have in common."""

    parts: Parts
    pipelines: Pipelines
    store: RunStore
    edges: Sequence[Edge]
    credentials: Credentials = field(repr=False)
    page: bool = False
    embedded_store: bool = True
    pull_secret: str | None = None


def account_of(team: Team, name: str) -> str:
    """The MLflow account that the runs of a team log in with: as for projects, the first that is a `user`."""
    accounts = team.accounts(name)
    users = [user for user, account in accounts.items() if account.role is WorkspaceRole.USER]
    return min(users or accounts)


def runner_app(platform: str, team: str) -> App:
    """Whose the objects for a team's runs are."""
    home = team_app(platform, team)
    return App(platform, home.namespace, RUNNER, "pipelines", team)


def manifests(name: str, team: Team, args: TeamArgs) -> list[Manifest]:
    """Every object of one team."""
    app = runner_app(args.parts.engine.platform, name)
    return [
        _account(app, name, args),
        objects.config_map(app, launcher(args.store, name), LAUNCHER),
        objects.config_map(app, metadata_address(args.parts, METADATA), METADATA_ADDRESS),
        objects.secret(app, _login(args.credentials, account_of(team, name)), MLFLOW_SECRET),
        *(_store(app, name, args.credentials) if args.embedded_store else ()),
        runs_policy(app, [edge for edge in args.edges if isinstance(edge.source, Runs)]),
        *_bindings(app, team, args),
    ]


def _login(credentials: Credentials, user: str) -> Mapping[str, object]:
    return {"username": user, "password": credentials.password(Label.account(user))}


def _store(app: App, team: str, credentials: Credentials) -> list[Manifest]:
    key: pulumi.Output[str] = credentials.password(Label.bucket_runs(team))
    return [objects.secret(app, artifacts.keys(artifacts.run_user(team), key), STORE_SECRET)]


def _account(app: App, team: str, args: TeamArgs) -> Manifest:
    """The runs' identity. Argo makes the pods of tasks: they have its token by themselves."""
    identity = args.pipelines.identities.get(team)
    annotation = args.store.account_annotation
    annotations = {annotation: identity} if annotation and identity else None
    why = "in the pods of tasks Argo's executor and the launcher tell Kubernetes what became of them"
    manifest = objects.service_account(app, annotations, args.pull_secret, speaks=why)
    return {**manifest, "automountServiceAccountToken": True}


def _bindings(app: App, team: Team, args: TeamArgs) -> list[Manifest]:
    parts = args.parts
    engine = parts.engine
    of_parts = [
        rights.binding(
            app,
            f"pipelines-{each.part.name}",
            "ClusterRole",
            rights.name_of(each.part, "teams"),
            [rights.account(each.part.namespace, each.part.name)],
        )
        for each in rights.rights(parts, page=args.page)
        if each.teams
    ]
    programs = [rights.account(app.namespace, name) for name in (RUNNER, SERVICE_ACCOUNT)]
    people = [rights.person(name) for name in team.members]
    own = [
        rights.binding(app, RUNNER, "ClusterRole", rights.name_of(engine, "runner"), programs[:1]),
        rights.binding(app, MEMBER, "ClusterRole", rights.name_of(engine, "member"), [*programs, *people]),
    ]
    groups = [rights.group(name) for name in team.groups]
    readers = [
        rights.role(app, READER, rights.reader_rules()),
        rights.binding(app, READER, "Role", READER, groups),
    ]
    return [*of_parts, *own, *(readers if groups else ())]
