"""The phases of an organisation's practice, and what each unlocks and sets by default: all of it data.

Nothing else in Ziggurat asks for the phase. Components see a resolved blueprint and never the phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any


@unique
class Phase(StrEnum):
    """How mature the organisation's machine-learning practice is; each phase carries the next."""

    STARTER = "starter"
    """Discipline without infrastructure: tracking, a registry, a bucket, teams."""
    AUTOMATION = "automation"
    """Runs on schedules and in queues."""
    ORCHESTRATION = "orchestration"
    """Pipelines, GPU pools, training, tuning, serving."""
    ENTERPRISE = "enterprise"
    """A governed platform: one login, high availability, monitoring, admission policies, evidence."""

    @property
    def rank(self) -> int:
        """Its place in the order of the phases, from 0."""
        return list(Phase).index(self)


@dataclass(frozen=True)
class Capability:
    """Something that a platform can do, the blueprint key that asks for it, and the phase that unlocks it."""

    key: str
    """The top-level key of the blueprint."""
    title: str
    """What it is, in words."""
    since: Phase
    """The first phase in which it may be asked for."""
    built: bool
    """Whether this version of Ziggurat provisions it; if not, asking for it is refused, never ignored."""


CAPABILITIES: tuple[Capability, ...] = (
    Capability("teams", "teams, quotas, network policies and Pod Security", Phase.STARTER, built=True),
    Capability("tracking", "MLflow tracking server and model registry", Phase.STARTER, built=True),
    Capability("database", "registry database (PostgreSQL)", Phase.STARTER, built=True),
    Capability("artifacts", "artifact bucket", Phase.STARTER, built=True),
    Capability("auth", "authentication", Phase.STARTER, built=True),
    Capability("images", "a mirror registry for every image", Phase.STARTER, built=True),
    Capability("backup", "backup and restore", Phase.STARTER, built=True),
    Capability("certificates", "certificates (cert-manager)", Phase.STARTER, built=True),
    Capability("gateway", "gateway, host names and TLS", Phase.STARTER, built=True),
    Capability("monitoring", "monitoring, alerts and dashboards", Phase.STARTER, built=True),
    Capability("projects", "MLflow Projects on schedules", Phase.AUTOMATION, built=True),
    Capability("queues", "Kueue queues", Phase.AUTOMATION, built=True),
    Capability("gpuPools", "GPU node pools", Phase.AUTOMATION, built=True),
    Capability("pipelines", "Kubeflow Pipelines", Phase.ORCHESTRATION, built=True),
    Capability("training", "Kubeflow Trainer", Phase.ORCHESTRATION, built=True),
    Capability("tuning", "Katib", Phase.ORCHESTRATION, built=True),
    Capability("serving", "KServe", Phase.ORCHESTRATION, built=True),
    Capability("notebooks", "notebooks", Phase.ORCHESTRATION, built=True),
    Capability("admission", "admission policies", Phase.ENTERPRISE, built=True),
    Capability("externalSecrets", "credentials from a store of yours", Phase.ENTERPRISE, built=True),
)


@dataclass(frozen=True)
class Mode:
    """A mode of a part that is not unlocked from the first phase on, or not built yet."""

    part: str
    """The top-level key of the part."""
    mode: str
    """The value of its `mode`."""
    title: str
    """What it is, in words."""
    since: Phase
    """The first phase in which it may be asked for."""
    built: bool
    """Whether this version of Ziggurat provisions it."""


MODES: tuple[Mode, ...] = (
    Mode(
        "database",
        "highlyAvailable",
        "PostgreSQL as a CloudNativePG cluster",
        Phase.ORCHESTRATION,
        built=True,
    ),
    Mode("auth", "embedded", "Dex as the issuer", Phase.STARTER, built=True),
)
"""Modes that are not listed here are there from the first phase on."""

POOL_PROVIDERS: tuple[Mode, ...] = (
    Mode("gpuPools", "karpenter", "GPU nodes made by Karpenter", Phase.ORCHESTRATION, built=True),
    Mode("gpuPools", "gke", "GPU nodes made by GKE", Phase.ORCHESTRATION, built=True),
    Mode("gpuPools", "eks", "GPU nodes made by EKS", Phase.ORCHESTRATION, built=True),
    Mode("gpuPools", "aks", "GPU nodes made by AKS", Phase.ORCHESTRATION, built=True),
)
"""Values of a GPU pool's `provider` that are not there from the phase of `gpuPools` on."""


@dataclass(frozen=True)
class Requirement:
    """What a blueprint has to say from a phase on."""

    part: str
    """The top-level key of a part with modes."""
    modes: tuple[str, ...]
    """The values of its `mode` that will do."""
    since: Phase
    rule: str
    remedy: str


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement(
        "auth",
        ("oidc", "embedded"),
        Phase.ENTERPRISE,
        "from phase enterprise on people log in once, at an issuer, each under their own name",
        "write `auth: {mode: oidc, ...}`, or `auth: {mode: embedded, ...}` and name your directory there",
    ),
)
"""What later phases ask for beside what they unlock."""

BUILT_PHASES: frozenset[Phase] = frozenset(Phase)
"""The phases of which this version of Ziggurat builds something; what it lacks is refused by name."""

_STARTER: dict[str, Any] = {
    "teams": {"*": {"quota": {"cpu": "8", "memory": "32Gi", "gpus": 0, "storage": "100Gi", "pods": 100}}},
    "tracking": {
        "replicas": 1,
        "resources": {"cpu": "250m", "memory": "768Mi", "memoryLimit": "1536Mi"},
    },
    "database": {"mode": "embedded"},
    "artifacts": {"mode": "embedded"},
    "auth": {"mode": "basic"},
    "images": {},
}

_ENTERPRISE: dict[str, Any] = {**_STARTER, "tracking": {**_STARTER["tracking"], "replicas": 2}}

DEFAULTS: dict[Phase, dict[str, Any]] = {**dict.fromkeys(Phase, _STARTER), Phase.ENTERPRISE: _ENTERPRISE}
"""What each phase sets where the blueprint is silent (`*` stands for every key of a map).

A phase never changes the default of something that holds data: raising the phase alone moves nothing.
"""
