"""The YAML of blueprints: a small, safe part of YAML 1.2.

The file is read event by event, so limits and refusals apply before anything is built. Mappings, lists
and scalars are all there is: `yes` and `on` are text, keys are always text, and what could make a file
mean something else than it seems to (duplicate keys, anchors, merge keys, tags, several documents) is
refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from blueprints.document import Document, Place, Where, kind

MAX_DEPTH = 20
"""The deepest nesting; the language itself needs six levels."""
MAX_VALUES = 100_000
"""The most values in one blueprint."""

_PLAIN = "a blueprint is plain YAML: no anchors, aliases, merge keys or tags"


def parse(text: str, file: str) -> Document:
    """The document in `text`; `file` is what its problems call it."""
    document = Document(file)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _Builder(document, cast("Iterator[Any]", yaml.parse(text, Loader=loader))).build()
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(document, error, text)
    return document


_SYNTAX: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "has a second `: ` in one line, or is indented wrongly",
        "put text with `: ` in quotes; line keys up",
    ),
    (
        "expected <block end>",
        "is indented otherwise than what it belongs to",
        "line keys of one mapping up, with spaces",
    ),
    (
        "did not find expected key",
        "is indented otherwise than what it belongs to",
        "line keys of one mapping up, with spaces",
    ),
    ("could not find expected ':'", "is a key without `:`", "write `key: value`"),
    (
        "did not find expected ',' or '}'",
        "is inside a `{` that is not closed properly",
        "separate with `,` and close with `}`",
    ),
    (
        "did not find expected ',' or ']'",
        "is inside a `[` that is not closed properly",
        "separate with `,` and close with `]`",
    ),
    ("found unexpected end of stream", "begins a quoted text that never ends", "close the quotes"),
    (
        "cannot start any token",
        "begins with a character that YAML keeps for itself",
        "put the text in quotes",
    ),
    (
        "unknown escape character",
        "has an unknown escape in double quotes",
        "use single quotes, or write `\\\\` for a backslash",
    ),
    (
        "block sequence entries are not allowed",
        "is a list item where none can stand",
        "begin the list on a line of its own",
    ),
    ("did not find expected node content", "lacks a value", "write the value, or take the comma away"),
    (
        "did not find expected <document start>",
        "is indented otherwise than what it belongs to",
        "line keys of one mapping up, with spaces",
    ),
)
"""What the YAML parser says, and what that means to a person."""


def _refuse_syntax(document: Document, error: yaml.MarkedYAMLError, text: str) -> None:
    mark = error.problem_mark or error.context_mark
    said = f"{error.problem or ''} {error.context or ''}".strip()
    if mark is None:
        document.refuse((), f"is not YAML: {said}")
        return
    unclosed = "end of stream" in said and error.context_mark is not None
    if unclosed and error.context_mark is not None:
        mark = error.context_mark
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    place = Place(mark.line + 1, mark.column + 1)
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        at = Place(place.line, indentation.index("\t") + 1)
        document.refuse(
            (),
            "a tab in the indentation",
            rule="YAML is indented with spaces",
            remedy="replace it by spaces",
            at=at,
        )
        return
    for words, message, remedy in _SYNTAX:
        if words in said:
            document.refuse(
                (), message, value=line.strip(), rule="the file is not YAML", remedy=remedy, at=place
            )
            return
    document.refuse((), said, value=line.strip(), rule="the file is not YAML", at=place)


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


def _scalar(text: str) -> Any:
    """What a plain scalar means in YAML 1.2; numbers that are not written as JSON has them stay text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


_NOTHING: Any = object()
"""What stands for a value that was refused: it is left out."""


class _Builder:
    """Builds data from YAML's events; one use."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self.document = document
        self.events = events
        self.values = 0

    def document_start(self) -> Any:
        """The first event of the content of the first document; None where there is none."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                return next(self.events)
        return None

    def document_end(self) -> None:
        """Refuses a second document."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.document.refuse(
                    (),
                    "a second document begins here",
                    rule="a file holds one blueprint",
                    remedy="move it to a file of its own",
                    at=_place(event),
                )
                return

    def document_root(self, event: Any) -> None:
        """Builds the root, which is a mapping."""
        self.document.keys[()] = _place(event)
        root = self.value(event, ())
        if isinstance(root, dict):
            self.document.data = root
        elif root is not _NOTHING:
            self.document.refuse(
                (),
                f"is {kind(root)}, not a mapping",
                rule="a blueprint is a mapping of keys",
                remedy="begin with `apiVersion: ziggurat/v1`",
            )

    def build(self) -> None:
        """Builds the whole; stops at the first thing that makes the rest meaningless."""
        event = self.document_start()
        empty = event is None or (
            isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _scalar(event.value) is None
        )
        if empty:
            self.document.refuse((), "is empty", remedy="`ziggurat init` writes a blueprint")
            return
        try:
            self.document_root(event)
        except _GiveUpError:
            self.document.data = {}
            return
        self.document_end()

    def value(self, event: Any, where: Where) -> Any:
        """The value that begins with `event`."""
        self.values += 1
        if len(where) > MAX_DEPTH:
            self.give_up(event, f"is nested more than {MAX_DEPTH} levels deep")
        if self.values > MAX_VALUES:
            self.give_up(event, f"has more than {MAX_VALUES} values")
        if isinstance(event, yaml.AliasEvent):
            self.document.refuse(
                where,
                "an alias",
                value=f"*{event.anchor}",
                rule=_PLAIN,
                remedy="write the value out",
                at=_place(event),
            )
            return _NOTHING
        self.refuse_adornment(event, where)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(where)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(where)
        return self.scalar(event, where)

    def give_up(self, event: Any, message: str) -> None:
        """Ends the reading: the file is not meant as a blueprint, or means harm."""
        self.document.problems.clear()
        self.document.refuse((), message, remedy="is it the file you meant?", at=_place(event))
        raise _GiveUpError

    def refuse_adornment(self, event: Any, where: Where) -> None:
        """Refuses an anchor and a tag; the value itself is read on."""
        if event.anchor:
            self.document.refuse(
                where,
                "an anchor",
                value=f"&{event.anchor}",
                rule=_PLAIN,
                remedy="take it away and write values out",
                at=_place(event),
            )
        if event.tag:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.document.refuse(
                where, "a tag", value=tag, rule=_PLAIN, remedy="take it away", at=_place(event)
            )

    def scalar(self, event: Any, where: Where) -> Any:
        """Text, a number, true or false; an empty value is refused."""
        plain = event.implicit[0]
        value = _scalar(event.value) if plain else event.value
        if value is None:
            self.document.refuse(
                where,
                "has no value",
                rule="an empty value says nothing",
                remedy="give it a value, write {} for a part with its defaults, or take the key away",
            )
            return _NOTHING
        self.document.written[where] = event.value if plain else json.dumps(event.value, ensure_ascii=False)
        return value

    def sequence(self, where: Where) -> list[Any]:
        """A list."""
        items: list[Any] = []
        for index, event in enumerate(self.until(yaml.SequenceEndEvent)):
            self.document.keys[*where, index] = _place(event)
            item = self.value(event, (*where, index))
            items.append("" if item is _NOTHING else item)
        return items

    def mapping(self, where: Where) -> dict[str, Any]:
        """A mapping; keys are text, whatever they look like."""
        found: dict[str, Any] = {}
        for event in self.until(yaml.MappingEndEvent):
            key = self.key(event, where)
            if key is None:
                self.skip(next(self.events))
                continue
            inner = (*where, key)
            if key in found or inner in self.document.keys:
                first = self.document.keys[inner]
                self.document.refuse(
                    inner,
                    "the key is given twice",
                    rule=f"first in line {first.line}",
                    remedy="keep one of the two",
                    at=_place(event),
                )
                self.skip(next(self.events))
                continue
            self.document.keys[inner] = _place(event)
            value = self.value(next(self.events), inner)
            if value is not _NOTHING:
                found[key] = value
        return found

    def key(self, event: Any, where: Where) -> str | None:
        """The key that `event` is; None, with a problem, where it cannot be one."""
        at = _place(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.document.refuse(
                where, "a key that is not text", rule=_PLAIN, remedy="write `key: value`", at=at
            )
            if not isinstance(event, yaml.AliasEvent):
                self.skip(event)
            return None
        if event.value == "<<" and event.implicit[0]:
            self.document.refuse(
                where, "a merge key", value="<<", rule=_PLAIN, remedy="write the keys out", at=at
            )
            return None
        if not event.value:
            self.document.refuse(where, "a key without a name", remedy="write `key: value`", at=at)
            return None
        self.refuse_adornment(event, (*where, event.value))
        return event.value

    def skip(self, event: Any) -> None:
        """Reads past one value."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth <= 0:
                return
            if depth > MAX_DEPTH:
                self.give_up(event, f"is nested more than {MAX_DEPTH} levels deep")
            event = next(self.events)

    def until(self, end: type) -> Iterator[Any]:
        """The events up to the one that ends a collection."""
        for event in self.events:
            if isinstance(event, end):
                return
            yield event


class _GiveUpError(Exception):
    """The rest of the file is not read."""


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
