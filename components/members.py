"""What members of a team may do beside what every team may: with the kinds of one capability."""

from collections.abc import Sequence

import pulumi

from components.manifests import namespaces
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
