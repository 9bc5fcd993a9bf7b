"""Files that upstream publishes inside Go modules, such as manifests; none of them is in this repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from onenode.tools import FAMILIES


def folder(family: str, module: str) -> Path:
    """Where Go keeps the module, at the version that tests/node/tools/FAMILY pins."""
    env = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    command = ["go", "mod", "download", module]
    subprocess.run(command, cwd=FAMILIES / family, env=env, check=True, capture_output=True)
    shown = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    done = subprocess.run(shown, cwd=FAMILIES / family, env=env, check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())
