"""What rules are made of: an alert, a recording, a series of a platform."""

from __future__ import annotations

from blueprints.model import Blueprint
from blueprints.names import system_namespace
from components.manifests.metadata import Manifest
from components.monitoring.targets import targets

PAGE, TICKET = "page", "ticket"
"""Severities: now, whatever the hour; within some days."""


def record(name: str, expression: str, platform: str) -> Manifest:
    return {"record": name, "expr": expression, "labels": {"platform": platform}}


def alert(
    name: str,
    expression: str,
    *,
    severity: str,
    platform: str,
    summary: str,
    remedy: str,
    lasting: str = "",
) -> Manifest:
    return {
        "alert": name,
        "expr": expression,
        **({"for": lasting} if lasting else {}),
        "labels": {"severity": severity, "platform": platform},
        "annotations": {"summary": summary, "remedy": remedy},
    }


def series(name: str, platform: str, **labels: str) -> str:
    chosen = "".join(f', {label}="{value}"' for label, value in labels.items())
    return f'{name}{{platform="{platform}"{chosen}}}'


def measured(blueprint: Blueprint, name: str) -> bool:
    return any(target.name == name for target in targets(blueprint))


def own_namespaces(blueprint: Blueprint) -> str:
    """A pattern of the platform's own namespaces; teams see to their own volumes and pods."""
    platform = system_namespace(blueprint.name)
    return f"{platform}|{platform}-(monitoring|gpu)"


def volumes_in_use(chosen: str) -> str:
    """The share of volumes in use, as `df` and `ziggurat check` count it: blocks that a filesystem reserves
    for root are of its capacity, but nobody's to use."""
    used, available = (f"kubelet_volume_stats_{which}_bytes{chosen}" for which in ("used", "available"))
    return f"{used} / ({used} + {available})"
