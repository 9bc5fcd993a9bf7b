"""Blueprint files with what is said of them: `error/<name>.yaml` with the exact text in `error/<name>.txt`,
and `happy/<name>.yaml`, which say what the language takes."""

from pathlib import Path

import pytest

from blueprints import BlueprintError, load

HERE = Path(__file__).parent
ERRORS = sorted((HERE / "error").glob("*.yaml"))
HAPPY = sorted((HERE / "happy").glob("*.yaml"))
SHIPPED = sorted((HERE.parents[2] / "blueprints").glob("*.yaml"))


@pytest.mark.parametrize("file", ERRORS, ids=lambda file: file.stem)
def test_every_problem_is_said_in_these_words(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)  # so that the text names the file alone
    with pytest.raises(BlueprintError) as raised:
        load(file.name)
    assert f"{raised.value}\n" == file.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ERRORS, ids=lambda file: file.stem)
def test_problems_come_in_the_order_of_the_file_with_a_place_that_is_in_it(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines() or [""]
    with pytest.raises(BlueprintError) as raised:
        load(file)
    places = [(problem.line, problem.column) for problem in raised.value.problems]
    assert places == sorted(places)
    assert all(1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1 for line, column in places)


def test_no_expected_text_is_left_without_its_blueprint() -> None:
    assert [file.stem for file in sorted((HERE / "error").glob("*.txt"))] == [file.stem for file in ERRORS]


@pytest.mark.parametrize("file", HAPPY, ids=lambda file: file.stem)
def test_happy_files_are_valid_and_every_value_has_a_source(file: Path) -> None:
    loaded = load(file)
    assert loaded.source
    assert all(loaded.source.values())


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_blueprints_are_valid_without_slips_and_completed_by_editors(file: Path) -> None:
    assert [warning.message for warning in load(file).warnings] == []
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
