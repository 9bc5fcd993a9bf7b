"""What the user sees of a run that failed: in words on standard error, or as JSON on standard output.

`as_ziggurat_error` is the one place that decides which exceptions are the user's to act on. Everything
else is a bug of ours and ends in a traceback.
"""

from __future__ import annotations

import errno
import json
from dataclasses import asdict, dataclass
from typing import Any

import click

from blueprints.problems import BlueprintError
from ziggurat.errors import InterruptedRunError, InvalidBlueprintError, ZigguratError
from ziggurat.exit_codes import ExitCode


@dataclass
class Invocation:
    """What is known of one run of the command before its verb is."""

    json: bool = False
    """Whether the user asked for JSON: then an error is printed as JSON, on standard output."""


class RejectedBlueprintError(InvalidBlueprintError):
    """Blueprints that cannot be used, with everything that is wrong with them."""

    def __init__(self, error: BlueprintError) -> None:
        count = len(error.problems)
        super().__init__("1 problem" if count == 1 else f"{count} problems")
        self.problems = error.problems

    def format_message(self) -> str:
        """One line for each problem, then how many there are."""
        return "\n".join([*map(str, self.problems), self.message])

    def as_json(self) -> dict[str, Any]:
        """The error with its problems, each with its place."""
        shown = super().as_json()
        shown["error"]["problems"] = [asdict(problem) for problem in self.problems]
        return shown

    def show(self, file: Any = None) -> None:
        """Prints the problems as compilers do: each line begins with its place."""
        click.echo(self.format_message(), file=file, err=file is None)


_OS_REMEDIES: dict[int, str] = {
    errno.ENOSPC: "free some space on that file system, then run the same command again",
    errno.EDQUOT: "free some of your quota on that file system, then run the same command again",
    errno.EACCES: "give yourself access to it, or name another place",
    errno.EPERM: "give yourself access to it, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then run the same command again",
}
"""The operating system's refusals that a user can do something about."""


def as_ziggurat_error(error: Exception) -> click.ClickException | None:
    """`error` as one that shows itself to the user; None for a bug."""
    if isinstance(error, click.ClickException):
        return error
    if isinstance(error, BlueprintError):
        return RejectedBlueprintError(error)
    if isinstance(error, click.Abort):  # click's word for Ctrl-C
        return InterruptedRunError("stopped", remedy="run the same command again to go on from there")
    if isinstance(error, OSError) and error.errno in _OS_REMEDIES:
        return ZigguratError(
            (error.strerror or str(error)).lower(),
            where=str(error.filename or ""),
            remedy=_OS_REMEDIES[error.errno],
        )
    return None


def show(error: click.ClickException, invocation: Invocation) -> ExitCode:
    """Shows the error in the form that the user asked for; the exit code it stands for."""
    if invocation.json and isinstance(error, ZigguratError):
        click.echo(json.dumps(error.as_json(), indent=2))
    else:
        error.show()
    return ExitCode(error.exit_code)
