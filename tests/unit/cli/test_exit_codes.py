"""The exit codes are a contract: the page that documents them and the enumeration say the same."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

from ziggurat import exit_codes
from ziggurat.exit_codes import ExitCode

PAGE = Path(__file__).parents[3] / "docs" / "exit-codes.md"


def documented() -> list[tuple[int, str, str]]:
    """The rows of the page's table."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    return [(int(number), name, meaning) for number, name, meaning in rows]


def declared() -> list[tuple[int, str, str]]:
    """The members of the enumeration with the text below each."""
    tree = ast.parse(Path(exit_codes.__file__).read_text())
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found: list[tuple[int, str, str]] = []
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            target = member.targets[0]
            assert isinstance(target, ast.Name)
            found.append((ExitCode[target.id].value, target.id, ast.literal_eval(text.value)))
    return found


def test_the_page_says_what_the_enumeration_says() -> None:
    assert documented() == declared()
    assert len(documented()) == len(ExitCode)
