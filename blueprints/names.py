"""The names that a platform gives to what it makes in Kubernetes.

Every room takes names from here, so the rules can refuse, before anything runs, a blueprint whose
names Kubernetes would not accept once they are prefixed. Names are pure functions of the blueprint.
"""

from __future__ import annotations

import hashlib
import re

MAX_LABEL = 63
"""The longest name of a namespace or a Service, and the longest label value (RFC 1123)."""

GPU = "gpu"
"""What a team cannot be called where the platform has a namespace for GPU software."""
MONITORING = "monitoring"
"""What a team cannot be called where the platform runs its own monitoring."""
GATEWAY = "gateway"
"""What a team cannot be called where the platform runs a gateway."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def is_label(name: str) -> bool:
    """Whether `name` is an RFC 1123 label: what Kubernetes wants of a namespace's name."""
    return len(name) <= MAX_LABEL and _LABEL.fullmatch(name) is not None


def fit(name: str, limit: int = MAX_LABEL) -> str:
    """`name`, shortened to `limit` characters where it is longer; a hash of the whole keeps it unique."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-')}-{digest}"


def system_namespace(platform: str) -> str:
    """The namespace of what the platform itself runs: tracking server, database, bucket."""
    return platform


def gpu_namespace(platform: str) -> str:
    """The namespace of what makes GPUs known to Kubernetes: its pods need the host, so it is no other's."""
    return f"{platform}-{GPU}"


def monitoring_namespace(platform: str) -> str:
    """The namespace of Prometheus, Alertmanager and Grafana."""
    return f"{platform}-{MONITORING}"


def gateway_namespace(platform: str) -> str:
    """The namespace of the platform's gateway: whatever comes from outside stays apart from what it asks."""
    return f"{platform}-{GATEWAY}"


def team_namespace(platform: str, team: str) -> str:
    """The namespace in which a team works."""
    return f"{platform}-{team}"
