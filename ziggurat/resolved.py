"""A resolved blueprint as YAML, each value with where it came from. It can be loaded again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from blueprints import Loaded
from blueprints.document import Where, mapping, path_text, sequence

_PLAIN = re.compile(r"(?!(true|false|null|yes|no|on|off|y|n)$)[A-Za-z/][\w./@-]*", re.IGNORECASE)
"""Text that no YAML reader takes for anything else."""


def render_resolved(loaded: Loaded) -> str:
    """The blueprint as YAML, with the source of each value as a comment beside it."""
    lines = list(_lines(loaded.resolved(), (), 0))
    width = max(len(line) for line, where in lines if where is not None)
    return "\n".join(
        line if where is None else f"{line:<{width}}  # {loaded.source[path_text(where)]}"
        for line, where in lines
    )


def _lines(value: Any, where: Where, depth: int) -> Iterator[tuple[str, Where | None]]:
    """The lines under a key, each with the place of the value that it shows, if it shows one."""
    indent = "  " * depth
    for key, inner in (mapping(value) or {}).items():
        at = (*where, key)
        if mapping(inner) or sequence(inner):
            yield f"{indent}{_scalar(key)}:", None
            yield from _lines(inner, at, depth + 1)
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(inner)}", at
    for index, item in enumerate(sequence(value) or ()):
        yield f"{indent}- {_scalar(item)}", (*where, index)


def _scalar(value: Any) -> str:
    """A single value, or an empty map or list, as YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
