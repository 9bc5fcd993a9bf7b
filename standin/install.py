"""Puts the stand-in where the engine looks for the plugin of a version."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Final

NAME: Final = "pulumi-resource-kubernetes"

_SCRIPT: Final = """#!/bin/sh
# Ziggurat's stand-in for the official plugin; see docs/stand-in.md.
exec {python} -c {program} "$@"
"""
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, {folder!r}); from standin.__main__ import main; main({version!r})"
)


def install(plugins: Path, version: str, python: Path) -> Path:
    """Writes `plugins/resource-kubernetes-v<version>/pulumi-resource-kubernetes` and returns its path.

    It is a real folder with a real file, since the engine passes links over. It comes to be, or is changed,
    in one step, so that two runs at once do no harm. `python` must have grpcio, protobuf, PyYAML
    and the Pulumi SDK. The script starts it through `/bin/sh`: a path may be long or hold spaces, which a
    line that names an interpreter may not.
    """
    folder = plugins / f"resource-kubernetes-v{version}"
    plugins.mkdir(parents=True, exist_ok=True)
    # The scratch folder must not look like a plugin while it is not complete.
    with tempfile.TemporaryDirectory(prefix=".standin-", dir=plugins) as scratch:
        new = Path(scratch) / folder.name
        new.mkdir()
        script = new / NAME
        script.write_text(script_text(version, python))
        script.chmod(0o755)
        if folder.is_symlink():
            folder.unlink()
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            script.replace(folder / NAME)  # it is there already: only its file is exchanged
    return folder / NAME


def script_text(version: str, python: Path) -> str:
    """What the executable holds."""
    program = _PROGRAM.format(folder=str(Path(__file__).resolve().parent.parent), version=version)
    return _SCRIPT.format(python=shlex.quote(str(python)), program=shlex.quote(program))


def is_stand_in(script: Path) -> bool:
    """Whether a plugin's executable is the stand-in."""
    try:
        with script.open("rb") as file:
            head = file.read(200)
    except OSError:
        return False
    return b"Ziggurat's stand-in" in head and os.access(script, os.X_OK)
