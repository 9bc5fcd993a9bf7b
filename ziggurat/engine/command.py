"""The Pulumi CLI as a child process that we can stop tidily, and that never sees a secret as an argument.

The Automation API's own runner leaves Ctrl-C to chance: the terminal sends it to every process of the
group at once, and Python stops waiting for the engine. Here the engine runs in a session of its own and
gets exactly one interrupt for each of the user's: at the first it finishes what it is doing, writes its
state and gives back its lock; at the second it stops at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from ziggurat.errors import InterruptedRunError

Listener = Callable[[str], Any]


class EngineCommand(PulumiCommand):
    """Runs one Pulumi CLI, whose place and version are known."""

    def __init__(self, pulumi: Path, version: str, on_interrupt: Callable[[int], object]) -> None:
        """`on_interrupt` is told how many interrupts there were, as each is passed on."""
        # The base class would start the CLI to ask for its version, which the toolchain knows.
        self.command = str(pulumi)
        self.version = VersionInfo.parse(version.removeprefix("v"))
        self._on_interrupt = on_interrupt

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Listener | None = None,
        on_error: Listener | None = None,
    ) -> CommandResult:
        """Runs `pulumi ARGS` to its end; raises the Automation API's CommandError, or InterruptedRunError."""
        return self.run_with_input(args, cwd, additional_env, None, on_output, on_error)

    def run_with_input(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        text: str | None,
        on_output: Listener | None = None,
        on_error: Listener | None = None,
    ) -> CommandResult:
        """The same, with `text` on standard input: the way for a secret, as `ps` shows arguments to all."""
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            streams = [_Reader(process.stdout, on_output), _Reader(process.stderr, on_error)]
            if process.stdin is not None:
                process.stdin.write(text or "")
                process.stdin.close()
            interrupts = self._wait(process, streams)
        result = CommandResult(streams[0].text, streams[1].text, process.returncode)
        if interrupts:
            raise InterruptedRunError("stopped on your request")
        if result.code != 0:
            raise create_command_error(result)
        return result

    def _wait(self, process: subprocess.Popen[str], streams: list[_Reader]) -> int:
        """Waits for the process to end; each interrupt meanwhile is passed on. How many there were."""
        interrupts = 0
        while True:
            try:
                for stream in streams:
                    stream.join()
                process.wait()
            except KeyboardInterrupt:
                interrupts += 1
                process.send_signal(signal.SIGINT)
                self._on_interrupt(interrupts)
            else:
                return interrupts


class _Reader(threading.Thread):
    """Collects one stream of the process, and tells a listener of each line."""

    def __init__(self, stream: IO[str] | None, listener: Listener | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._listener = listener
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        """Reads to the end of the stream."""
        for line in self._stream or ():
            self._lines.append(line.rstrip())
            if self._listener:
                self._listener(line.rstrip())

    @property
    def text(self) -> str:
        """What was read."""
        return "\n".join(self._lines)
