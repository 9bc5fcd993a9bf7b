"""Reading a blueprint file: its bytes, as text, as a document."""

from __future__ import annotations

import re
from pathlib import Path

from blueprints.document import Document
from blueprints.plain_yaml import parse
from blueprints.problems import BlueprintError, Problem

MAX_BYTES = 1024 * 1024
"""The largest blueprint; 1,000 teams take about a quarter of it."""


def read(path: Path) -> Document:
    """The document in the file; what is wrong inside is in its `problems`.

    Raises BlueprintError where there is nothing to go on with: no such file, too large, not UTF-8.
    """
    file = str(path)
    text = _decode(file, _bytes(path, file))
    return parse(text, file)


def _fail(
    file: str, message: str, *, rule: str = "", remedy: str = "", line: int = 0, column: int = 0
) -> BlueprintError:
    return BlueprintError((Problem(file, line, column, "", message, rule=rule, remedy=remedy),))


def _bytes(path: Path, file: str) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _fail(file, "there is no such file", remedy="`ziggurat init` writes a blueprint") from None
    except IsADirectoryError:
        raise _fail(
            file, "is a directory", remedy=f"name the file in it, such as {path / 'blueprint.yaml'}"
        ) from None
    except PermissionError:
        raise _fail(file, "cannot be read: permission denied", remedy="give yourself access to it") from None
    except OSError as error:
        raise _fail(file, f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _fail(
            file,
            "is larger than 1 MiB",
            rule="a blueprint is at most 1 MiB",
            remedy="is it the file you meant?",
        )
    return raw


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _decode(file: str, raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _fail(file, "is UTF-16", rule="a blueprint is UTF-8", remedy="save it as UTF-8")
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode(errors="replace")) + 1
        message = f"is not UTF-8 (byte 0x{raw[error.start]:02x})"
        raise _fail(
            file, message, rule="a blueprint is UTF-8", remedy="save it as UTF-8", line=line, column=column
        ) from None
    bad = _UNPRINTABLE.search(text)
    if bad:
        start = text.rfind("\n", 0, bad.start()) + 1
        message = f"has a control character (U+{ord(bad[0]):04X})"
        line = text.count("\n", 0, start) + 1
        raise _fail(file, message, remedy="delete it", line=line, column=bad.start() - start + 1)
    return text
