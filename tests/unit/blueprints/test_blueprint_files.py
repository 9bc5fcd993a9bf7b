"""Files that cannot be read, are too much, or are not text."""

import os
import time
from pathlib import Path

import pytest

from blueprints import BlueprintError, load

GOOD = b"apiVersion: ziggurat/v1\nname: acme\nphase: starter\nteams: {vision: {}}\n"


def said(path: Path) -> str:
    """What is said of the file, which is called by its name alone."""
    with pytest.raises(BlueprintError) as raised:
        load(path)
    return str(raised.value).replace(f"{path.parent}/", "")


def test_a_missing_file(tmp_path: Path) -> None:
    assert said(tmp_path / "b.yaml") == "b.yaml: there is no such file — `ziggurat init` writes a blueprint"


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    assert (
        said(tmp_path / "acme") == "acme: is a directory — name the file in it, such as acme/blueprint.yaml"
    )


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "acme").write_bytes(GOOD)
    with pytest.raises(BlueprintError) as raised:
        load(tmp_path / "acme" / "blueprint.yaml")
    assert str(raised.value).endswith("blueprint.yaml: cannot be read: Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_an_unreadable_file(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_bytes(GOOD)
    file.chmod(0)
    assert said(file) == "b.yaml: cannot be read: permission denied — give yourself access to it"


def test_permission_denied_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert (
        said(tmp_path / "b.yaml") == "b.yaml: cannot be read: permission denied — give yourself access to it"
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (
            GOOD + b"# caf\xe9\n",
            "b.yaml:5:6: is not UTF-8 (byte 0xe9) — a blueprint is UTF-8 — save it as UTF-8",
        ),
        (GOOD.decode().encode("utf-16"), "b.yaml: is UTF-16 — a blueprint is UTF-8 — save it as UTF-8"),
        (b"name: a\x00b\n", "b.yaml:1:8: has a control character (U+0000) — delete it"),
        (b"name: a\n# \x1b[31m\n", "b.yaml:2:3: has a control character (U+001B) — delete it"),
    ],
    ids=["latin-1", "utf-16", "nul", "escape"],
)
def test_what_is_not_text(tmp_path: Path, raw: bytes, text: str) -> None:
    (tmp_path / "b.yaml").write_bytes(raw)
    assert said(tmp_path / "b.yaml") == text


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD)
    assert load(tmp_path / "b.yaml").blueprint.name == "acme"


def test_ten_megabytes_are_refused_unparsed(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"a: [" + b"1, " * 3_500_000)
    started = time.monotonic()
    text = said(tmp_path / "b.yaml")
    assert text == "b.yaml: is larger than 1 MiB — a blueprint is at most 1 MiB — is it the file you meant?"
    assert time.monotonic() - started < 5, "parsing it takes minutes"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"[" * 500_000, "b.yaml:1:22: is nested more than 20 levels deep — is it the file you meant?"),
        (b"{a: " * 200_000, "b.yaml:1:85: is nested more than 20 levels deep — is it the file you meant?"),
        (
            b"a: 1\na: " + b"[" * 500_000,
            "b.yaml:2:24: is nested more than 20 levels deep — is it the file you meant?",
        ),
        (
            b"a:\n" + b"- 1\n" * 110_000,
            "b.yaml:100000:3: has more than 100000 values — is it the file you meant?",
        ),
    ],
    ids=["lists", "maps", "under a duplicate key", "values"],
)
def test_bombs_are_put_out_early(tmp_path: Path, raw: bytes, text: str) -> None:
    (tmp_path / "b.yaml").write_bytes(raw)
    assert said(tmp_path / "b.yaml") == text


def test_the_billion_laughs_are_not_laughed(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    (tmp_path / "b.yaml").write_text("\n".join(lines))
    assert "a39[1]: an alias (*a38)" in said(tmp_path / "b.yaml")
