"""Names, namespaces and the `pulumi.com/` annotations of an object."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from standin.checkpoint import text_at
from standin.wire import Object, Unknown

AUTONAMED: Final = "pulumi.com/autonamed"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT: Final = "pulumi.com/timeoutSeconds"
WAIT_FOR: Final = "pulumi.com/waitFor"
REPLACE_UNREADY: Final = "pulumi.com/replaceUnready"
PATCH_FORCE: Final = "pulumi.com/patchForce"
FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"

_PROPAGATIONS: Final = {"orphan": "Orphan", "background": "Background"}


class NamingError(ValueError):
    """The object has no name and may not be given one."""


@dataclass(frozen=True)
class Autonaming:
    """What the engine says about making names."""

    disabled: bool = False
    proposed: str = ""


def annotation(manifest: Object, key: str) -> str:
    """The value of an annotation, "" where it is not there."""
    return text_at(manifest, "metadata", "annotations", key)


def is_on(manifest: Object, key: str) -> bool:
    """Whether an annotation says true."""
    return annotation(manifest, key).lower() == "true"


def propagation(manifest: Object) -> str:
    """The deletion policy that the object asks for, else Foreground."""
    return _PROPAGATIONS.get(annotation(manifest, PROPAGATION).lower(), "Foreground")


def time_limit(manifest: Object, custom: float, default: float) -> float:
    """Seconds: `customTimeouts` of the resource, else its annotation, else the default."""
    if custom:
        return custom
    text = annotation(manifest, TIMEOUT)
    return float(text) if text.isdigit() else default


def is_named(manifest: Object) -> bool:
    """Whether it has a name, be it one that is not known yet."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return False
    name = cast("Object", metadata).get("name")
    return isinstance(name, Unknown) or bool(name)


def with_metadata(manifest: Object, **fields: Any) -> Object:
    """A copy with these fields of metadata set; one that is None is taken out."""
    metadata = manifest.get("metadata")
    known = dict(cast("Object", metadata)) if isinstance(metadata, dict) else {}
    merged = {key: value for key, value in {**known, **fields}.items() if value is not None}
    return {**manifest, "metadata": merged}


def named(manifest: Object, old: Object, logical: str, seed: bytes, engine: Autonaming) -> Object:
    """`manifest` with a name: its own, that of `old` if we made it, or a new one.

    Raises NamingError where a name must not, or cannot, be made.
    """
    if is_named(manifest):
        return manifest
    if text_at(manifest, "metadata", "generateName"):
        raise NamingError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    if is_on(old, AUTONAMED):
        return _autonamed(manifest, text_at(old, "metadata", "name"))
    if old:
        return manifest
    if engine.disabled:
        raise NamingError("autonaming is disabled, resource requires the .metadata.name field to be set")
    return _autonamed(manifest, engine.proposed or unique_name(f"{logical}-", seed))


def _autonamed(manifest: Object, name: str) -> Object:
    known = cast("Mapping[str, Any] | None", (manifest.get("metadata") or {}).get("annotations"))
    return with_metadata(manifest, name=name, annotations={**(known or {}), AUTONAMED: "true"})


def unique_name(prefix: str, seed: bytes = b"") -> str:
    """`prefix` and 8 hex digits: the same ones for the same seed, random ones without."""
    digits = hashlib.sha256(seed).hexdigest()[:8] if seed else secrets.token_hex(4)
    return prefix + digits
