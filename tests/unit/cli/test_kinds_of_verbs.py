"""A verb with kinds: which command takes the arguments, what help and completion show."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from ziggurat.commands.kinds import VerbWithKinds


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> click.Group:
    """A group with the verb `look`, which has the kind `up` in a module of its own."""

    @click.command(cls=VerbWithKinds, kinds={"up": "Look at the sky."}, module="pretended.look")
    @click.argument("file", default="standard")
    @click.option("--json", "as_json", is_flag=True)
    def look(file: str, as_json: bool) -> None:
        click.echo(f"look {file} {as_json}")

    @click.command(epilog="Examples: look up")
    @click.argument("file", default="standard")
    @click.option("--far", is_flag=True)
    def up(file: str, far: bool) -> None:
        click.echo(f"up {file} {far}")

    module: Any = ModuleType("pretended.look_up")
    module.command = up
    monkeypatch.setitem(sys.modules, "pretended", ModuleType("pretended"))
    monkeypatch.setitem(sys.modules, "pretended.look_up", module)
    return click.Group("verbs", commands={"look": look})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "look standard False"),
        (["a.yaml"], "look a.yaml False"),
        (["--json", "a.yaml"], "look a.yaml True"),
        (["./up"], "look ./up False"),
        (["up"], "up standard False"),
        (["up", "a.yaml", "--far"], "up a.yaml True"),
    ],
)
def test_the_first_argument_chooses_the_kind(verbs: click.Group, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(verbs, ["look", *arguments])
    assert (result.exit_code, result.output.strip()) == (0, said)


def test_help_of_the_verb_names_its_kinds_and_a_kind_has_its_own(verbs: click.Group) -> None:
    whole = CliRunner().invoke(verbs, ["look", "--help"]).output
    assert "Kinds:\n  up  Look at the sky." in whole
    own = CliRunner().invoke(verbs, ["look", "up", "--help"]).output
    assert "Usage: verbs look up [OPTIONS] [FILE]" in own
    assert "--far" in own


def test_an_option_of_another_kind_is_a_usage_error(verbs: click.Group) -> None:
    assert CliRunner().invoke(verbs, ["look", "--far"]).exit_code == 2


def test_options_of_a_kind_are_completed(verbs: click.Group) -> None:
    found = ShellComplete(verbs, {}, "verbs", "_C").get_completions(["look", "up"], "--f")
    assert [item.value for item in found] == ["--far"]
