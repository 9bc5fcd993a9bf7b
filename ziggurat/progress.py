"""Progress of long work, on standard error: lively on a terminal, one line per event elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

_PLAIN_INTERVAL = 15.0
"""Seconds between two lines about the same step where there is no terminal (a CI log)."""


@dataclass
class Step:
    """One piece of long work; `detail` may be set at any time and is shown as it goes on."""

    title: str
    expected: float | None = None
    """About how many seconds it takes, where that is known."""
    detail: str = ""
    started: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """What the step shows while it runs: title, elapsed time of about how much, detail."""
        elapsed = f"{time.monotonic() - self.started:.0f} s"
        if self.expected:
            elapsed += f" of about {self.expected:.0f} s"
        return f"{self.title} … {elapsed}{f', {self.detail}' if self.detail else ''}"


class Progress:
    """Says on standard error what is being done. Nothing of it ever goes to standard output."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    def note(self, text: str) -> None:
        """One line of information."""
        if not self.quiet:
            self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """One line that the user should act upon; shown even when quiet."""
        self.console.print(f"warning: {text}", markup=False, style="yellow")

    @contextmanager
    def step(self, title: str, expected: float | None = None) -> Generator[Step]:
        """Shows `title` and the time that goes by until the block ends, then how long it took."""
        step = Step(title, expected)
        if self.quiet:
            yield step
            return
        if self.console.is_terminal:
            with self.console.status(step.line()) as status, _every(0.5, lambda: status.update(step.line())):
                yield step
        else:
            self.console.print(step.line(), markup=False)
            with _every(_PLAIN_INTERVAL, lambda: self.console.print(step.line(), markup=False)):
                yield step
        self.console.print(f"{title}: {time.monotonic() - step.started:.1f} s", markup=False)


@contextmanager
def _every(seconds: float, action: Callable[[], object]) -> Generator[None]:
    """Calls `action` every so many seconds, from a thread, until the block ends."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(seconds):
            action()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def silent() -> Progress:
    """A progress that says nothing but warnings: for tests and for `--json`."""
    return Progress(Console(file=sys.stderr, highlight=False, soft_wrap=True), quiet=True)
