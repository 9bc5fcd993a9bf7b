"""The exit codes of the `ziggurat` command: a contract that scripts may rely on (docs/exit-codes.md)."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class ExitCode(IntEnum):
    """What a run of `ziggurat` came to."""

    OK = 0
    """Done, and all is well."""
    FAILED = 1
    """The operation failed; what was changed until then is named in the output."""
    USAGE = 2
    """The command line is wrong."""
    INVALID = 3
    """The blueprint is wrong; nothing was changed."""
    CLUSTER = 4
    """The cluster cannot be reached, refuses us, or is not the one meant; nothing was changed."""
    TOOL = 5
    """A program or plugin is missing or cannot be had; nothing was changed."""
    LOCKED = 6
    """Another run holds the stack's state; nothing was changed."""
    CHANGES = 7
    """There are changes where none were expected (the same number as Pulumi's)."""
    BLOCKED = 8
    """The change would harm data or is not allowed; nothing was changed."""
    SECRETS = 9
    """The passphrase, the root secret or a rotation number is wrong or missing; nothing was changed."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM; the next `up` takes it on from there."""
