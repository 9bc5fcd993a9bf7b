"""Puts the stand-in where the engine looks for the plugin of a version."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import Final

NAME: Final = "pulumi-resource-kubernetes"

PYTHON: Final = "ZIGGURAT_STANDIN_PYTHON"
"""The environment variable that names the interpreter; left out, the one that installed the script."""
FOLDER: Final = "ZIGGURAT_STANDIN_FOLDER"
"""The environment variable that names the folder of this package; left out, that of who installed it."""

_SCRIPT: Final = """#!/bin/sh
# Ziggurat's stand-in for the official plugin; see docs/stand-in.md.
exec "${{{variable}:-{python}}}" -c {program} "$@"
"""
_PROGRAM: Final = (
    "import os, sys; sys.path.insert(0, os.environ.get({variable!r}) or {folder!r}); "
    "from standin.__main__ import main; main({version!r})"
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


def environment(python: Path) -> dict[str, str]:
    """What a run sets so that its own stand-in serves, whoever installed the script: two checkouts, or two
    environments, share the place where the engine looks."""
    return {PYTHON: str(python), FOLDER: _folder()}


def _folder() -> str:
    return str(Path(__file__).resolve().parent.parent)


def script_text(version: str, python: Path) -> str:
    """What the executable holds."""
    program = _PROGRAM.format(variable=FOLDER, folder=_folder(), version=version)
    return _SCRIPT.format(
        variable=PYTHON, python=_in_double_quotes(str(python)), program=shlex.quote(program)
    )


def _in_double_quotes(text: str) -> str:
    """`text` as a shell reads it between double quotes."""
    return re.sub(r'([\\"$`])', r"\\\1", text)


def is_stand_in(script: Path) -> bool:
    """Whether a plugin's executable is the stand-in."""
    try:
        with script.open("rb") as file:
            head = file.read(200)
    except OSError:
        return False
    return b"Ziggurat's stand-in" in head and os.access(script, os.X_OK)
