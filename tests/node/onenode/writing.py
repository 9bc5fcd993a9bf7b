"""A client that writes at a steady rate while something goes wrong, and what became of what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onenode.platform import CLIENT, Platform
from onenode.report import Table

ENOUGH = 8
"""Writes acknowledged before a fault, and three times as many after it."""


class Writer:
    """The client, and what it noted."""

    def __init__(self, python: Path, env: dict[str, str], folder: Path) -> None:
        self.python, self.env = python, {**env, "PATH": os.environ["PATH"], "HOME": str(folder)}
        self.notes, self.stop = folder / "notes", folder / "stop"
        self.folder = folder

    def run(self, script: str, *arguments: object) -> subprocess.Popen[str]:
        """Starts one of the client's scripts."""
        command = [str(self.python), str(CLIENT / script), *map(str, arguments)]
        log = (self.folder / f"{script}.log").open("w")
        return subprocess.Popen(
            command, env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def count(self, what: str) -> int:
        """How many writes were `acknowledged`, or `failed`, so far."""
        return self.notes.read_text().count(f'{{"{what}"') if self.notes.exists() else 0

    def wait(self, what: str, more: int, seconds: float = 240) -> None:
        """Waits until so many more writes were `acknowledged`, or `failed`."""
        wanted, deadline = self.count(what) + more, time.monotonic() + seconds
        while self.count(what) < wanted:
            said = self.notes.read_text()[-600:] if self.notes.exists() else "nothing was written yet"
            assert time.monotonic() < deadline, said
            time.sleep(0.2)

    def acknowledged_after(self, moment: float) -> list[int]:
        """The numbers of the writes that were acknowledged later than that (seconds since the epoch)."""
        lines = map(json.loads, self.notes.read_text().splitlines())
        return [line["acknowledged"] for line in lines if "acknowledged" in line and line["at"] > moment]

    def verify(self, until: float | None = None) -> dict[str, Any]:
        """What the server has of all that it acknowledged, or of that until a moment and after it."""
        moment = () if until is None else (until,)
        out, _ = self.run("verifier.py", self.notes, *moment).communicate(timeout=300)
        return json.loads(out.splitlines()[-1])


def note(table: Table, text: str) -> None:
    """A row of the table about something else than writing."""
    table.add(fault=text, acknowledged="-", lost="-", refused_and_tried_again="-", longest_downtime="-")


@contextmanager
def writing(
    platform: Platform, python: Path, folder: Path, fault: str, table: Table, uri: str | None = None
) -> Iterator[Writer]:
    """Writes before, during and after the body, which is the fault; then nothing acknowledged may be lost.

    The platform's port has to be forwarded; `uri` says where, if it is not where `ziggurat connect` says.
    """
    env = platform.connect("vision") | ({"MLFLOW_TRACKING_URI": uri} if uri else {})
    writer = Writer(python, env, folder)
    process = writer.run("writer.py", f"{fault} {time.time_ns()}", writer.notes, writer.stop)
    try:
        writer.wait("acknowledged", ENOUGH)
        yield writer
        writer.wait("acknowledged", 3 * ENOUGH)
    finally:
        writer.stop.touch()
        process.wait(60)
    found = writer.verify()
    table.add(
        fault=fault,
        acknowledged=found["acknowledged"],
        lost=len(found["lost"]),
        refused_and_tried_again=found["failed"],
        longest_downtime=f"{found['down']} s",
    )
    assert found["lost"] == []
