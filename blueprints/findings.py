"""What a rule finds: rules of all parts share it."""

from __future__ import annotations

from dataclasses import dataclass

from blueprints.document import Where


@dataclass(frozen=True)
class Finding:
    """A breach of a rule."""

    where: Where
    message: str
    value: str = ""
    rule: str = ""
    remedy: str = ""
