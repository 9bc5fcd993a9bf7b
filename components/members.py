"""What members of a team may do beside what every team may: with the kinds of one capability, on its page."""

from collections.abc import Sequence

import pulumi

from components.manifests import controllers, namespaces
from components.manifests.metadata import App
from components.manifests.namespaces import Grant
from components.objects import register


def admit(
    parent: pulumi.Resource,
    app: App,
    groups: Sequence[str],
    name: str,
    *grants: Grant,
    namespace: pulumi.Resource,
) -> None:
    """Gives the team's groups a Role called `name` in its namespace; nothing where it has no groups."""
    if groups:
        for manifest in (
            namespaces.role(app, name, *grants),
            namespaces.team_role_binding(app, groups, name),
        ):
            register(parent, manifest, depends_on=[namespace])


def enter(
    parent: pulumi.Resource,
    app: App,
    people: Sequence[str],
    name: str,
    role: str,
    *,
    after: Sequence[pulumi.Resource],
) -> None:
    """Gives people a ClusterRole in the team's namespace, by the names that the issuer gives them: for pages
    that ask Kubernetes about a person and know no groups. Nothing where the team has no `members`."""
    if people:
        register(parent, controllers.people(app, name, role, people), depends_on=after)
