"""The rules on credentials that come from a store: what cannot yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.access import EmbeddedAuth
from blueprints.model.blueprint import Blueprint


def hashed_passwords(blueprint: Blueprint) -> Iterator[Finding]:
    """The embedded issuer knows its own users' passwords by their hashes, which a store does not make."""
    auth = blueprint.auth
    if blueprint.external_secrets and isinstance(auth, EmbeddedAuth) and auth.users:
        yield Finding(
            ("auth", "users"),
            "cannot have passwords from a store",
            rule="the issuer has bcrypt hashes of them, which cannot be made of what is in a store",
            remedy="name your directory at `auth.connectors` instead; or leave `externalSecrets` out",
        )


SECRET_RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (hashed_passwords,)
"""What makes them invalid."""
