"""A namespace for each team: bounded, shut, and with the few rights that its members need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components.manifests import configuration, namespaces, network
from components.manifests.metadata import App
from components.objects import component_token, register

SERVICE_ACCOUNT = "team"
"""The ServiceAccount for what a team runs: no rights, no token."""


def team_app(platform: str, team: str) -> App:
    """Whose the objects of a team are."""
    return App(platform, team_namespace(platform, team), SERVICE_ACCOUNT, "team", team)


@dataclass(frozen=True)
class TeamNamespacesArgs:
    """What TeamNamespaces are made of."""

    platform: str
    teams: Mapping[str, Team]
    edges: Sequence[network.Edge]
    """Every connection of the platform; those of `network.Teams` count here."""
    pull_secret: str | None = None
    """The Secret that pods of the team's ServiceAccount pull images with."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """What capabilities know the namespaces by."""


class TeamNamespaces(pulumi.ComponentResource):
    """A Namespace per team with its quota, defaults, network policies, ServiceAccount and RBAC."""

    names: pulumi.Output[dict[str, str]]
    """The namespace of each team."""

    def __init__(
        self, name: str, args: TeamNamespacesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(TeamNamespaces), name, {"teams": sorted(args.teams)}, opts)
        self.namespaces: dict[str, pulumi.Resource] = {
            team: self._team(team_app(args.platform, team), args.teams[team], args)
            for team in sorted(args.teams)
        }
        self.names = pulumi.Output.from_input(
            {team: team_namespace(args.platform, team) for team in sorted(args.teams)}
        )
        self.register_outputs({"names": self.names})

    def _team(self, app: App, team: Team, args: TeamNamespacesArgs) -> pulumi.Resource:
        namespace = register(self, namespaces.namespace(app, labels=args.labels), holds_data=True)
        manifests = [
            network.deny_all(app),
            network.team_policy(app, args.edges),
            namespaces.resource_quota(app, team.quota),
            namespaces.limit_range(app),
            configuration.service_account(app, pull_secret=args.pull_secret),
        ]
        if team.groups:
            manifests += [namespaces.team_role(app), namespaces.team_role_binding(app, team.groups)]
        for manifest in manifests:
            register(self, manifest, depends_on=[namespace])
        return namespace
