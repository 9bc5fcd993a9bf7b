"""A verb that does one thing, and on request another kind of it: `ziggurat check`, `ziggurat check auth`.

Each kind is a module of its own, imported only when it is asked for, as verbs are.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class VerbWithKinds(click.Command):
    """A command whose first argument may be the name of a kind, which then takes all the others.

    A file that is called like a kind is still meant by `./NAME`.
    """

    def __init__(self, *args: Any, kinds: Mapping[str, str], module: str, **settings: Any) -> None:
        """`kinds` has each kind with its line of help; that of `auth` is the `command` of `{module}_auth`."""
        super().__init__(*args, **settings)
        self.kinds = kinds
        self._module = module

    def kind(self, name: str) -> click.Command:
        """The command of one kind."""
        module: Any = import_module(f"{self._module}_{name}")
        command: click.Command = module.command
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the kind that is asked for, else of the verb itself."""
        if args and args[0] in self.kinds:
            return self.kind(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the kinds below the options."""
        super().format_options(ctx, formatter)
        if self.kinds:
            with formatter.section("Kinds"):
                formatter.write_dl(list(self.kinds.items()), col_max=12)
