"""The `ziggurat` command: a table of verbs, and what becomes of whatever escapes from one.

A verb is one module, `ziggurat/commands/<verb>.py`, with a `command`. Only the module of the verb that
was asked for is imported, so that `ziggurat --help` and `ziggurat validate` answer at once. A command
prints its result on standard output and returns nothing, or the ExitCode that the run came to.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from ziggurat.exit_codes import ExitCode
from ziggurat.outcome import Invocation, as_ziggurat_error, show

SECTIONS: dict[str, dict[str, str]] = {
    "Write a blueprint": {
        "init": "Start a project: a blueprint, and the Pulumi program that runs it.",
        "validate": "Check blueprints; says everything that is wrong, and where.",
    },
    "See what it would make": {
        "plan": "List every object that a blueprint makes; no engine, no cluster.",
        "images": "List every image that a blueprint runs, for a mirror.",
        "render": "Write the planned objects as YAML, for GitOps.",
        "preview": "Show what `up` would change on the cluster.",
    },
    "Run the platform": {
        "up": "Provision a blueprint, or bring a platform in line with it.",
        "status": "Say how a platform is.",
        "check": "Use a platform as its teams do, and say what works.",
        "evidence": "Show what implements each control, and what proves it.",
        "outputs": "Print what a platform tells its users.",
        "connect": "Print what a data scientist needs to use a platform.",
        "run": "Run one of the blueprint's MLflow Projects now.",
        "rotate": "Give a running platform new passwords and keys.",
        "backup": "Make, list and verify backups.",
        "restore": "Put a backup back.",
        "destroy": "Take a platform down; data is kept unless it is named.",
    },
    "Work on this machine": {
        "sandbox": "A real API server with simulated nodes, to try things on.",
        "tools": "The external programs: which are here, and getting the rest.",
        "doctor": "Say what was found, what is missing and what to do.",
        "completion": "Print the script that completes commands in your shell.",
        "version": "Print versions.",
    },
}
"""The verbs in the order of their help, under the headings it shows."""

VERBS: dict[str, str] = {name: text for verbs in SECTIONS.values() for name, text in verbs.items()}
"""Every verb with its line of help."""


class VerbGroup(click.Group):
    """A group of commands that imports the one it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; None for a word that is none."""
        if cmd_name not in VERBS:
            return None
        module: Any = import_module(f"ziggurat.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb's command; for a word that is none, an error with the nearest verb."""
        word = args[0]
        near = get_close_matches(word, VERBS, 1)
        if near and word not in VERBS:
            ctx.fail(f"No such command {word!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the verbs under their headings, from the table: nothing is imported for it."""
        for heading, verbs in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, text in verbs.items()], col_max=12)


@click.command(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  ziggurat init acme --name acme-ml      start a project in ./acme
  ziggurat validate acme/blueprint.yaml  check it
  ziggurat plan acme/blueprint.yaml      see every object it makes
  ziggurat sandbox up                    start a cluster to try it on
  ziggurat up acme/blueprint.yaml        provision it

\b
Each verb has its own help: ziggurat up --help
Exit codes: docs/exit-codes.md""",
)
@click.version_option(package_name="ziggurat", message="ziggurat %(version)s")
def cli() -> None:
    """A machine-learning platform on Kubernetes, from one blueprint file."""


def main() -> None:
    """The program `ziggurat`: runs the command line of this process and exits."""
    # Most of what a command imports lives until it ends: looking for garbage in it takes a tenth of the time.
    gc.set_threshold(50_000, 50, 50)
    # pydantic looks through every installed package for plugins of its own, which takes 15 ms; we use none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # SIGTERM (a CI job that is cancelled) ends a run as Ctrl-C does: tidily.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has left (`| head`). Python would complain when it flushes again on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str]) -> ExitCode:
    """Runs one command line and says what it came to; only a bug of ours raises."""
    invocation = Invocation()
    try:
        result: Any = cli.main(list(arguments), prog_name="ziggurat", standalone_mode=False, obj=invocation)
    except SystemExit as leaving:  # click's, for a reader that has left
        result = leaving.code
    except Exception as error:
        known = as_ziggurat_error(error)
        if known is None:
            raise
        return show(known, invocation)
    return ExitCode(result) if isinstance(result, int) else ExitCode.OK
