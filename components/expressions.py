"""What stands for a credential that an outside store holds: a template of External Secrets, no value.

A Secret with one in it is registered as an ExternalSecret of the same name (components/objects.py): the
controller fetches the entries and makes the Secret of the template. So components need not know of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Source:
    """Where the credentials of a platform come from."""

    store: str
    """A ClusterSecretStore."""
    prefix: str
    """What the keys of its entries begin with."""
    after: tuple[pulumi.Resource, ...] = field(default=(), repr=False)
    """What has to be ready before an ExternalSecret: the controller that the platform runs, if it does."""

    def key(self, label: str) -> str:
        """The key of the entry with the credential `label`."""
        return f"{self.prefix}/{label}"


class Expression(str):
    """Text with templates in it, each of which the controller replaces by an entry of the store."""

    source: Source
    entries: Mapping[str, str]
    """The keys in the store by the name in the template."""

    def __new__(cls, text: str, source: Source, entries: Mapping[str, str]) -> Expression:
        """`text` with templates of `entries`."""
        made = super().__new__(cls, text)
        made.source, made.entries = source, dict(entries)
        return made

    @classmethod
    def of(cls, source: Source, label: str) -> Expression:
        """The credential `label`, and nothing beside it."""
        name = re.sub(r"[^A-Za-z0-9]", "_", label)
        return cls(f"{{{{ .{name} }}}}", source, {name: source.key(label)})


def entries(parts: Iterable[Expression]) -> dict[str, str]:
    """The keys in the store of all `parts`, by name; ValueError if one name would stand for two."""
    made: dict[str, str] = {}
    for part in parts:
        for name, key in part.entries.items():
            if made.setdefault(name, key) != key:
                raise ValueError(f"{made[name]} and {key} have the same name in a template: {name}")
    return made


def expressions(values: Mapping[str, object]) -> Sequence[Expression]:
    """Those of a Secret's values that a store has to fill."""
    return [value for value in values.values() if isinstance(value, Expression)]
