"""Admission policies: what the API server refuses in the teams' namespaces."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import text

Action = Literal["Deny", "Warn", "Audit"]

Registry = Annotated[
    str,
    text(
        r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]([a-z0-9._/-]*[a-z0-9])?)?$",
        "a registry and, if it has one, a path, such as registry.acme.example:5000/mirror; no scheme",
    ),
]


class Admission(Part):
    """What the API server refuses in the teams' namespaces; a rule may `Deny`, `Warn` or `Audit`."""

    allowed_registries: tuple[Registry, ...] | None = Field(default=None, min_length=1)
    """Registries, or paths in them, that teams' images may come from; left out, those of the platform's own
    images. The platform's own images are always allowed."""
    registries: Action = "Deny"
    """Images from other registries."""
    tags: Action = "Deny"
    """Images without a tag, or with the tag `latest`, and no digest."""
    requests: Action = "Deny"
    """Containers that ask for no CPU or memory. Bare pods get the namespace's defaults first."""
    gpu_queue: Action | None = None
    """Work on GPUs that does not wait in its team's queue; left out, `Deny` where there are `queues`."""
