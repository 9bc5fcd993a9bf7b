"""Queues: work that waits for room instead of being refused."""

from typing import Literal

from blueprints.model.base import Part


class Queues(Part):
    """Kueue queues, one for each team, over the teams' quotas and the GPU pools.

    A Job or Pod that carries the label `kueue.x-k8s.io/queue-name` with its team's name waits in the team's
    queue until there is room. What carries no such label does not wait, and is bounded by the namespace's
    ResourceQuota alone. That counts Pods by themselves while they wait, and refuses them where it is full.
    """

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs Kueue: `embedded`, the platform; `existing`, the cluster has it already (API v1beta2)."""
    borrowing: bool = True
    """Whether a team may use what other teams leave idle.

    A team's quota is then what it can count on, not the most that it may have; and its namespace's
    ResourceQuota, which must not refuse what the queue lets through, is the sum of all teams' quotas.
    """
    preemption: bool = True
    """Whether waiting work may end running work: of other teams, what they borrowed; of its own team, what
    has a lower priority. What is ended goes back to the queue."""
