"""Where Ziggurat keeps its things, and the switches that the environment sets.

Read once per command, from an explicit mapping, so that tests need not touch the real environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Folders and switches of one run of the command."""

    cache: Path
    """What can be made again: tools. `ZIGGURAT_CACHE_DIR`, else `$XDG_CACHE_HOME/ziggurat`."""
    state: Path
    """What must be kept: sandboxes, their stacks. `ZIGGURAT_STATE_DIR`, else `$XDG_STATE_HOME/ziggurat`."""
    downloads: bool
    """Whether the makers' own downloads may be tried. `ZIGGURAT_DOWNLOADS=off` (closed networks) says no."""
    pulumi_home: Path
    """The user's own Pulumi folder: `PULUMI_HOME`, else `~/.pulumi`. Only ever read."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """The settings that `environment` (default: this process's) asks for."""
        env = os.environ if environment is None else environment
        home = Path(env.get("HOME") or Path.home())
        cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "ziggurat"
        state = Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "ziggurat"
        return Settings(
            cache=Path(env.get("ZIGGURAT_CACHE_DIR") or cache).absolute(),
            state=Path(env.get("ZIGGURAT_STATE_DIR") or state).absolute(),
            downloads=env.get("ZIGGURAT_DOWNLOADS", "on").lower() not in ("off", "no", "0", "false"),
            pulumi_home=Path(env.get("PULUMI_HOME") or home / ".pulumi").absolute(),
        )
