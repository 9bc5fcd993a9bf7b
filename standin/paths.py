"""Property paths of Pulumi: `spec.template`, `metadata.annotations["a.b"]`, `spec.ports[0]`, `spec.*`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Path = tuple[str | int, ...]

_PART: Final = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[(\*)\]|\.?([^.\[\]"]+)')


def parse(text: str) -> Path:
    """The parts of a path; an index is an int. Raises ValueError for what is no path."""
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise ValueError(f"not a property path: {text!r}")
        index, quoted, star, plain = match.groups()
        if index is not None:
            parts.append(int(index))
        else:
            parts.append(quoted.replace('\\"', '"') if quoted is not None else star or plain)
        at = match.end()
    return tuple(parts)


def show(path: Path) -> str:
    """The path as the engine reads it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(sign in part for sign in '."[]'):
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{part}" if text else part
    return text


def covers(prefix: Path, path: Path) -> bool:
    """Whether `path` is `prefix` or lies below it; `*` stands for any one part."""
    if len(prefix) > len(path):
        return False
    return all(mine in ("*", theirs) for mine, theirs in zip(prefix, path, strict=False))


def covered(path: Path, prefixes: Sequence[Path]) -> bool:
    """Whether any of `prefixes` covers `path`."""
    return any(covers(prefix, path) for prefix in prefixes)
