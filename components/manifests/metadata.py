"""Who an object belongs to: the labels, selectors and metadata that every manifest shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
"""One Kubernetes object as YAML would hold it; values may be secret Outputs."""

TEAM = "ziggurat.dev/team"
"""The label that names the team of an object and of a namespace."""
GATEWAY = "ziggurat.dev/gateway"
"""The label that opens the platform's front door to a namespace: its value is the platform's name."""
CONFIG_HASH = "ziggurat.dev/config-hash"
"""The annotation by which a pod template changes when the configuration it reads does."""
EXCEPTION = "ziggurat.dev/exception"
"""The annotation of an object that a bound of the platform does not hold for: why it does not. `ziggurat
evidence` takes it from what the stack applied, not from the cluster, where others may write it."""


@dataclass(frozen=True)
class App:
    """One part of a platform: what its objects are called and labelled."""

    platform: str
    namespace: str
    name: str
    """Name of the software and of its objects, such as `mlflow`."""
    component: str
    """What it is to the platform, such as `tracking`."""
    team: str | None = None
    release: str | None = None
    """The Helm release that makes its pods, which carry the release's name instead of the platform's."""
    pods: tuple[tuple[str, str], ...] = ()
    """The labels that pick its pods where an operator makes them, and labels them in its own way."""

    @property
    def selector(self) -> dict[str, str]:
        """The labels that pick its pods: they never change, a selector is immutable."""
        if self.pods:
            return dict(self.pods)
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/instance": self.release or self.platform,
        }

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every object of it."""
        team = {TEAM: self.team} if self.team else {}
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/instance": self.platform,
            "app.kubernetes.io/component": self.component,
            "app.kubernetes.io/part-of": "ziggurat",
            "app.kubernetes.io/managed-by": "ziggurat",
            **team,
        }

    def metadata(self, name: str | None = None, annotations: Mapping[str, str] | None = None) -> Manifest:
        """`metadata` of one of its objects, called `name` or like itself."""
        extra = {"annotations": dict(annotations)} if annotations else {}
        return {
            "name": name or self.name,
            "namespace": self.namespace,
            "labels": self.labels,
            **extra,
        }


def digest(*parts: Any) -> str:
    """A short hash of plain data, the same on every machine. Credentials enter by their fingerprints."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
