"""Render mode: manifests written to a folder instead of to a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import yaml

from standin.checkpoint import text_at
from standin.normal import is_crd
from standin.wire import Object

_CRDS: Final = "0-crd"
_MANIFESTS: Final = "1-manifest"


def path_of(manifest: Object, folder: str) -> Path:
    """The file of an object: definitions lie apart, since they must be applied first."""
    version = str(manifest.get("apiVersion")).replace("/", "_").replace(":", "_")
    namespace = text_at(manifest, "metadata", "namespace") or "default"
    kind, name = str(manifest.get("kind")).lower(), text_at(manifest, "metadata", "name")
    file = f"{version}-{kind}-{namespace}-{name}.yaml"
    return Path(folder) / (_CRDS if is_crd(manifest) else _MANIFESTS) / file


def write(manifest: Object, folder: str) -> Path:
    """Writes the object's file, readable by its owner only (it may hold secrets in clear)."""
    for name in (_CRDS, _MANIFESTS):
        (Path(folder) / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    path = path_of(manifest, folder)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(manifest, file, sort_keys=True, allow_unicode=True)
    return path


def remove(manifest: Object, folder: str) -> Path:
    """Deletes the object's file, if it is there."""
    path = path_of(manifest, folder)
    path.unlink(missing_ok=True)
    return path
