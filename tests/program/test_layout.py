"""The rooms: who may import whom, what stays light, what every help has, and that nothing is half done."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from click.testing import CliRunner

from ziggurat.cli import VERBS, cli
from ziggurat.commands.check import KINDS

ROOT = Path(__file__).parents[2]
ROOMS = {
    "blueprints": set(),
    "components": {"blueprints"},
    "stacks": {"blueprints", "components"},
    "ziggurat": {"blueprints", "components", "stacks", "standin"},
    "standin": set(),
}
"""Each room, and the others that it may import."""

NEVER = {
    "blueprints": {"pulumi", "pulumi_kubernetes", "click", "rich", "kubernetes"},
    "components": {"click", "rich", "kubernetes"},
    "stacks": {"click", "rich", "kubernetes"},
    "standin": {"click", "rich", "kubernetes", "pydantic", "pulumi_kubernetes"},
}
"""Packages that a room does without."""

HALF_DONE = re.compile(r"\b(TODO|FIXME|XXX)\b", re.IGNORECASE)

FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path):
    """Every module that a file imports, inside functions too, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.module, node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield argument.value, node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    room = room_of(path)
    for module, line in imports(path):
        top = module.partition(".")[0]
        if top in ROOMS and top != room:
            assert top in ROOMS[room], f"{path}:{line}: {room} may not import {module}"
        assert top not in NEVER.get(room, ()), f"{path}:{line}: {room} does without {module}"
        assert top != "tests", f"{path}:{line}: {module}"


def test_the_check_of_imports_sees_into_functions(tmp_path):
    file = tmp_path / "file.py"
    file.write_text("def f():\n    from pulumi import Output\n    import stacks.program as p\n")
    assert list(imports(file)) == [("pulumi", 2), ("stacks.program", 3)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_half_done(path):
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            where = f"{path}:{token.start[0]}: {token.string}"
            assert token.type != tokenize.COMMENT or not HALF_DONE.search(token.string), where
            assert token.string != "NotImplementedError", where
            assert "not implemented" not in token.string.lower(), where


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path):
    text = path.read_text()
    if path.parent.name == "templates":
        pytest.skip("belongs to the project that it is copied into")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), path


def test_validate_stays_light():
    """Neither the engine's SDK nor what draws tables or speaks to clusters is imported to check a file."""
    code = (
        "import sys; from ziggurat.cli import run; code = run(['validate', sys.argv[1]]);"
        "print([name for name in ('pulumi', 'kubernetes', 'grpc', 'rich') if name in sys.modules],"
        " file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "blueprints/starter.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (0, ["[]"]), done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_example(verb):
    shown = CliRunner().invoke(cli, [verb, "--help"], prog_name="ziggurat")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"Examples?:", shown.output), verb
    assert f"ziggurat {verb}" in shown.output.split("Example")[1]


def test_every_verb_is_in_the_table_and_has_a_file():
    files = (ROOT / "ziggurat/commands").glob("*.py")
    with_command = {path.stem for path in files if re.search(r"^(def )?command\b", path.read_text(), re.M)}
    kinds = {f"check_{kind}" for kind in KINDS}
    assert with_command == set(VERBS) | kinds
