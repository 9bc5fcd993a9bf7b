"""The rules on training, tuning, serving and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint


def webhook_certificates(blueprint: Blueprint) -> Iterator[Finding]:
    """Webhooks that the API server calls have a certificate: these get theirs from cert-manager."""
    asked = {"serving": ("KServe", blueprint.serving), "tuning": ("Katib", blueprint.tuning)}
    for key, (software, chosen) in asked.items():
        if chosen is not None and blueprint.certificates is None:
            yield Finding(
                (key,),
                "needs cert-manager",
                rule=f"{software}'s webhooks get their certificate from it",
                remedy="add `certificates: {}`, with `controller: existing` where the cluster has it already",
            )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (webhook_certificates,)
"""What makes them invalid."""
