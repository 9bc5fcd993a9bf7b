"""Teams: who works on the platform, with how much of it."""

from enum import StrEnum, unique

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Cpu, GroupName, Memory, PersonName, Storage, UserName


class Quota(Part):
    """The most that a team may ask for at once, over everything in its namespace.

    With `queues`, CPU, memory, GPUs and pods are what its queue has; a Job that waits there asks for
    nothing yet.
    """

    cpu: Cpu = "8"
    """CPU requests, in cores."""
    memory: Memory = "32Gi"
    """Memory requests."""
    gpus: int = Field(default=0, ge=0)
    """GPUs (`requests.nvidia.com/gpu`); 0 means none. With `queues`, so many of each of `gpuPools`."""
    storage: Storage = "100Gi"
    """The sum of all volume claims."""
    pods: int = Field(default=100, ge=1)
    """Pods, whatever their size."""


@unique
class WorkspaceRole(StrEnum):
    """MLflow's seeded roles of a workspace."""

    ADMIN = "admin"
    """Manages everything in the workspace."""
    USER = "user"
    """Reads everything in the workspace, creates experiments and models, manages what it created."""


class User(Part):
    """An MLflow account of a team."""

    role: WorkspaceRole = WorkspaceRole.USER
    """What the account may do in the team's workspace."""


class Team(Part):
    """A team: a namespace, an MLflow workspace and a prefix of the bucket, under one name."""

    quota: Quota = Field(default_factory=Quota)
    """The most that the team may ask for at once."""
    groups: tuple[GroupName, ...] = ()
    """Groups whose members belong to the team: as the OIDC issuer names them they enter the pages, and as the
    cluster's own authentication names them they may work in the team's namespace. Empty means that nobody
    does either by group."""
    members: tuple[PersonName, ...] = ()
    """People of the team by the name that the issuer gives them (`auth.usernameClaim`), such as their mail
    address: for the pages of Kubeflow Pipelines and of Katib, which ask Kubernetes about a person by name and
    know no groups."""
    users: dict[UserName, User] = Field(default_factory=dict[str, User])
    """MLflow accounts by name; empty means one account named after the team, with the role `user`.

    One name in several teams is one account with a role in each.
    """

    def accounts(self, team: str) -> dict[str, User]:
        """The accounts that exist for this team, which is called `team`: at least one."""
        return dict(self.users) or {team: User()}

    def account(self, team: str) -> str:
        """The account that the team's work runs as where none is named: its first by name with the role
        `user`, or the first where none has it."""
        accounts = self.accounts(team)
        users = [user for user, account in accounts.items() if account.role is WorkspaceRole.USER]
        return min(users or accounts)
