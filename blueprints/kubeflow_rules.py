"""The rules on training, tuning, serving and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint


def serving_certificates(blueprint: Blueprint) -> Iterator[Finding]:
    """KServe's webhooks have a certificate: its chart asks cert-manager for it, and nothing else will do."""
    if blueprint.serving is not None and blueprint.certificates is None:
        yield Finding(
            ("serving",),
            "needs cert-manager",
            rule="KServe's webhooks get their certificate from it",
            remedy="add `certificates: {}`, with `controller: existing` where the cluster has it already",
        )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (serving_certificates,)
"""What makes them invalid."""
