"""The one tree of errors that users of the command see: what happened, where, and what to do.

Each carries its exit code and shows itself, as click's own exceptions do; whatever else escapes from a
command is a bug and ends in a traceback.
"""

from __future__ import annotations

from typing import IO, Any

import click

from ziggurat.exit_codes import ExitCode


class ZigguratError(click.ClickException):
    """A failure that the user can do something about."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        """`message` says what happened, `where` names the file, cluster or object, `remedy` what to do."""
        super().__init__(message)
        self.where = where
        self.remedy = remedy

    def format_message(self) -> str:
        """The text for a person: one line each for what happened, where, and what to do."""
        lines = [self.message]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same for a machine (`--json`)."""
        return {
            "error": {
                "message": self.message,
                "where": self.where,
                "remedy": self.remedy,
                "exitCode": int(self.exit_code),
            }
        }

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the error to standard error."""
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class InvalidBlueprintError(ZigguratError):
    """The blueprint cannot be used."""

    exit_code = ExitCode.INVALID


class ClusterError(ZigguratError):
    """The cluster cannot be reached, refuses us, or is another than the one meant."""

    exit_code = ExitCode.CLUSTER


class ToolError(ZigguratError):
    """An external program or plugin is missing, too old, or could not be had."""

    exit_code = ExitCode.TOOL


class LockedError(ZigguratError):
    """Another run is at work on the same thing."""

    exit_code = ExitCode.LOCKED


class ChangesError(ZigguratError):
    """There are changes where the user expected none."""

    exit_code = ExitCode.CHANGES


class BlockedError(ZigguratError):
    """The change would harm data, or is not allowed."""

    exit_code = ExitCode.BLOCKED


class SecretsError(ZigguratError):
    """The passphrase, the root secret or a rotation number is wrong or missing."""

    exit_code = ExitCode.SECRETS


class InterruptedRunError(ZigguratError):
    """The user, or the system, stopped the run."""

    exit_code = ExitCode.INTERRUPTED
