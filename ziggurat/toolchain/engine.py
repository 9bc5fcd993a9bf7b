"""What a run of the engine needs around it: the CLI, its plugin, and environment variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from standin.install import environment as standin_environment
from ziggurat.progress import Progress
from ziggurat.settings import Settings
from ziggurat.toolchain import plugin
from ziggurat.toolchain.model import Located
from ziggurat.toolchain.obtain import ensure
from ziggurat.toolchain.table import ENGINE

_CLOSED = {
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
}
"""Keeps the engine from looking for anything in the network."""


@dataclass(frozen=True)
class EngineEnvironment:
    """How the engine is run."""

    pulumi: Path
    """The CLI."""
    variables: dict[str, str]
    """To be added to the environment of each run. The backend and the passphrase are not among them."""
    plugin: Located | None
    """The Kubernetes plugin; `source` says whether it is the stand-in. None where only the CLI is run."""


def engine_environment(
    settings: Settings,
    *,
    sandbox: bool,
    progress: Progress,
    stand_in: bool = False,
    needs_plugin: bool = True,
) -> EngineEnvironment:
    """Gets what the engine needs, and says how to run it.

    A sandbox has a PULUMI_HOME of its own, where the stand-in serves until Pulumi's plugin can be had. A
    real cluster is run from the user's own PULUMI_HOME with Pulumi's plugin, unless the user says
    `stand_in` (the flag that explains itself): then from ours, with the user's credentials. What only reads
    the stack needs no plugin and may say so (`needs_plugin`), so that it works where none can be had.
    Raises ToolError when a part cannot be had.
    """
    cli = ensure(ENGINE, settings, progress)["pulumi"]
    variables = {
        # The CLI finds its language host beside itself; on another place of PATH it warns on each run.
        "PATH": os.pathsep.join([str(cli.path.parent), os.environ.get("PATH", os.defpath)]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if sandbox or stand_in:
        chosen = plugin.ensure_own_plugin(settings, progress)
        plugin.keep_no_logs(plugin.own_home(settings))
        variables |= _CLOSED | {"PULUMI_HOME": str(plugin.own_home(settings))}
        variables |= standin_environment(Path(sys.executable))
        if sandbox:
            variables["PULUMI_CREDENTIAL_STORE"] = "plaintext"  # a file backend: there is nothing to keep
        else:
            variables["PULUMI_CREDENTIALS_PATH"] = os.environ.get(
                "PULUMI_CREDENTIALS_PATH", str(settings.pulumi_home)
            )
    else:
        chosen = plugin.ensure_users_plugin(settings, progress, cli.path) if needs_plugin else None
        variables["PULUMI_HOME"] = str(settings.pulumi_home)
        if not settings.downloads:
            variables |= _CLOSED
    return EngineEnvironment(cli.path, variables, chosen)
