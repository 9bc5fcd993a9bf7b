"""A sandbox whose controllers have accounts, as those of other clusters do.

The sandbox's own work as the administrator, all of them. What a rule allows to controllers alone is refused
there, such as a pod with GPUs of a Job that waited in its queue.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ziggurat.sandbox import processes

_NAME = "kube-controller-manager"


@contextmanager
def given(machine: Any) -> Iterator[None]:
    """Starts Kubernetes' controllers anew, each with its account; they go with the end."""
    (folder,) = (machine.settings.state / "sandbox").glob("*/kwok/clusters/*")
    first = {_NAME: processes.running(folder)[_NAME]}
    command = Path(f"/proc/{first[_NAME]}/cmdline").read_text().rstrip("\0").split("\0")
    processes.kill(first)
    processes.wait_ended(first, folder)
    with (machine.folder / f"{_NAME}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--use-service-account-credentials=true"], stdout=log, stderr=log
        )
    (folder / "pids" / f"{_NAME}.pid").write_text(str(process.pid))
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
