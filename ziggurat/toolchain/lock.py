"""One run at a time for a piece of work, between processes of one machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ziggurat.progress import Progress

_LOOK_AGAIN = 0.2
"""Seconds between two tries."""


@contextmanager
def exclusive(file: Path, progress: Progress, what: str) -> Generator[None]:
    """Holds the lock `file` for the block; waits, and says so, while another run holds it.

    The lock is the kernel's (flock): it goes with the process that holds it, however that one ends, so
    the file itself may stay.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try_lock(descriptor):
            with progress.step(f"waiting for another run ({what})"):
                while not _try_lock(descriptor):
                    time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
