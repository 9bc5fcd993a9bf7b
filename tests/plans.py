"""Looking things up in a plan."""

from __future__ import annotations

from typing import Any

from ziggurat.plan.model import Plan


def found(planned: Plan, kind: str) -> dict[tuple[str | None, str], dict[str, Any]]:
    """The objects of a kind, by namespace and name."""
    return {
        (each.namespace, each.object_name): each.manifest for each in planned.objects if each.kind == kind
    }
