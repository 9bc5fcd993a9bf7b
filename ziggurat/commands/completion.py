"""`ziggurat completion`: the script that completes commands in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
Examples:
  ziggurat completion bash > ~/.local/share/bash-completion/completions/ziggurat
  ziggurat completion zsh > "${fpath[1]}/_ziggurat"
  ziggurat completion fish > ~/.config/fish/completions/ziggurat.fish"""
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes verbs and options in SHELL; bash needs 4.4 or newer."""
    completion = get_completion_class(shell)
    if completion is None:  # pragma: no cover - click has all of SHELLS
        raise click.UsageError(f"this click cannot complete in {shell}")
    click.echo(completion(ctx.find_root().command, {}, "ziggurat", "_ZIGGURAT_COMPLETE").source())
