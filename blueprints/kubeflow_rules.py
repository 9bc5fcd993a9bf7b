"""The rules on training, tuning, serving and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.access import OidcAuth
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


def token_keys(blueprint: Blueprint) -> Iterator[Finding]:
    """What leads to notebooks verifies tokens, and is told where the issuer's keys are."""
    auth, notebooks = blueprint.auth, blueprint.notebooks
    if notebooks and notebooks.host and isinstance(auth, OidcAuth) and auth.endpoints is None:
        yield Finding(
            ("auth",),
            "does not say where the issuer's keys are",
            rule="the door of notebooks (`notebooks.host`) verifies tokens, and reads no discovery document",
            remedy="add `endpoints`, as that document has them, or take `notebooks.host` out",
        )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (webhook_certificates, token_keys)
"""What makes them invalid."""
