"""pydantic's findings in plain words: what is wrong, the rule, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from blueprints.document import Document, Where, child, kind, path_text
from blueprints.guide import chosen, modes, node_at, summary, where_of
from blueprints.phases import CAPABILITIES
from blueprints.schema import Schema


@dataclass(frozen=True)
class Finding:
    """One of pydantic's errors, with what the language says of its place."""

    where: Where
    context: dict[str, Any]
    value: Any
    node: Schema

    @property
    def key(self) -> str:
        """The last key of the place."""
        return str(self.where[-1]) if self.where else ""


Words = tuple[str, str, str]
"""What is wrong, the rule, and what to do."""


def one_of(words: Iterable[str]) -> str:
    """`one of a, b, c`, or `a` where there is only that."""
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"


def nearest(word: str, words: Iterable[str]) -> str:
    """`did you mean …?` with the nearest of `words`, whatever the case; empty where none is near."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    near = get_close_matches(word.lower(), by_lower, 1)
    return f"did you mean `{by_lower[near[0]]}`?" if near else ""


def _choice(found: Finding, valid: Iterable[str]) -> Words:
    listed = list(valid)
    return "is not known", one_of(listed), nearest(str(found.value), listed)


def _enumerated(found: Finding) -> Words:
    const = found.node.get("const")
    return _choice(found, [const] if const else found.node.get("enum", ()))


def _pattern(found: Finding) -> Words:
    rule = found.node.get("patternErrorMessage") or f"matches {found.context.get('pattern', '')}"
    return "cannot be used", rule, ""


def _wants(what: str) -> Callable[[Finding], Words]:
    def say(found: Finding) -> Words:
        return (
            f"is {kind(found.value)}, not {what}",
            summary(found.node),
            _TYPE_REMEDIES.get((kind(found.value), what), ""),
        )

    return say


_TYPE_REMEDIES = {
    ("a number", "text"): "put it in quotes",
    ("true or false", "text"): "put it in quotes",
    ("text", "a whole number"): "write plain digits, without quotes",
    ("text", "true or false"): "write true or false, without quotes",
    ("text", "a list"): "write [in, brackets]",
    ("a list", "a mapping"): "write `key: value`",
    ("text", "a mapping"): "write `key: value`",
}
"""What to do about one kind of value where another is wanted."""


def _quantity(words: str, bound: str) -> Callable[[Finding], Words]:
    def say(found: Finding) -> Words:
        limit = str(found.context[bound])
        # The unit of thousandths is for CPU; with memory it is always a slip.
        slip = str(found.value).endswith("m") and limit.endswith("i")
        remedy = f"did you mean `{found.value[:-1]}Mi`? `m` is a thousandth" if slip else ""
        return words, f"{'at least' if bound == 'low' else 'at most'} {limit}", remedy

    return say


def _bound(words: str, rule: str) -> Callable[[Finding], Words]:
    return lambda found: (words, rule.format(**found.context), "")


_WORDS: dict[str, Callable[[Finding], Words]] = {
    "literal_error": _enumerated,
    "enum": _enumerated,
    "union_tag_invalid": lambda found: _choice(found, modes(found.node)),
    "string_pattern_mismatch": _pattern,
    "string_type": lambda found: _wants("a quantity" if "x-quantity" in found.node else "text")(found),
    "int_type": _wants("a whole number"),
    "int_from_float": lambda found: ("is not a whole number", summary(found.node), ""),
    "int_parsing": _wants("a whole number"),
    "bool_type": _wants("true or false"),
    "list_type": _wants("a list"),
    "tuple_type": _wants("a list"),
    "dict_type": _wants("a mapping"),
    "model_type": _wants("a mapping"),
    "model_attributes_type": _wants("a mapping"),
    "greater_than_equal": _bound("is too small", "at least {ge}"),
    "less_than_equal": _bound("is too large", "at most {le}"),
    "string_too_short": _bound("is empty", ""),
    "string_too_long": _bound("is too long", "at most {max_length} characters"),
    "too_short": _bound("has too few entries", "at least {min_length}"),
    "quantity_too_small": _quantity("is too small", "low"),
    "quantity_too_large": _quantity("is too large", "high"),
}
"""What each type of pydantic's errors means to a person; `missing` and unknown keys have functions."""


def report(document: Document, errors: Iterable[Any], data: dict[str, Any]) -> set[Where]:
    """Notes pydantic's `errors` about `data` in the document; the places that are wrong.

    Nothing is said of a place that is known to be wrong already, or lies around one: a key that is
    missing because it is misspelt is one problem, not two.
    """
    wrong: set[Where] = set()
    for error in sorted(errors, key=lambda error: error["type"] != "extra_forbidden"):
        where, on_key = where_of(error["loc"], data)
        wrong.add(where)
        if error["type"] == "extra_forbidden":
            _unknown(document, where, data)
        elif where in document.refused or (not on_key and document.is_suspect_within(where)):
            continue
        elif error["type"] in ("missing", "union_tag_not_found"):
            _missing(document, where, data, error["type"])
        else:
            _wrong(document, where, data, error, on_key=on_key)
    return wrong


def _wrong(document: Document, where: Where, data: Any, error: Any, *, on_key: bool) -> None:
    """Notes a value, or a key of a map, that breaks its rule."""
    node = node_at(where, data)
    if on_key:
        node = node_at(where[:-1], data).get("propertyNames", {})
    value: Any = error["input"]
    if error["type"] == "union_tag_invalid":
        value = error["ctx"]["tag"]
    found = Finding(where, error.get("ctx", {}), value, node)
    message, rule, remedy = _WORDS.get(error["type"], lambda _: (str(error["msg"]), "", ""))(found)
    if error["type"] == "union_tag_invalid":
        where = (*where, "mode")
    written = str(where[-1]) if on_key else document.written.get(where, "")
    document.refuse(where, message, value=written, rule=rule, remedy=remedy)


def _missing(document: Document, where: Where, data: Any, error_type: str) -> None:
    """Notes a key that must be there and is not."""
    if error_type == "union_tag_not_found":
        where = (*where, "mode")
    node = node_at(where, data)
    choices = list(modes(node_at(where[:-1], data))) if where[-1] == "mode" else node.get("enum", [])
    const = node.get("const")
    remedy = (
        f"write `{where[-1]}: {const}`" if const else (f"write {one_of(choices)}" if choices else "add it")
    )
    document.refuse(where, "is missing", rule=summary(node), remedy=remedy)


def _unknown(document: Document, where: Where, data: Any) -> None:
    """Notes a key that the language does not have there; the key that was meant is then not missing."""
    word = str(where[-1])
    around = node_at(where[:-1], data)
    part = chosen(around, _data_at(data, where[:-1]))
    valid = list(part.get("properties", {}))
    near = nearest(word, valid)
    rule = f"keys here: {', '.join(valid)}" if valid else "nothing can be set here"
    rule = "" if near else rule  # a list of twenty keys would only hide the one
    remedy = near or _elsewhere(word, around, where)
    document.refuse(where, "unknown key", rule=rule, remedy=remedy)
    if near:
        document.refused.add((*where[:-1], near.removeprefix("did you mean `").removesuffix("`?")))


def _elsewhere(word: str, around: Schema, where: Where) -> str:
    """Where an unknown key would be right: in another mode of the part, or at the top."""
    fitting = [mode for mode, part in modes(around).items() if word in part.get("properties", {})]
    if fitting:
        return f"it belongs to `mode: {fitting[0]}`"
    if len(where) > 1 and word in {capability.key for capability in CAPABILITIES}:
        return f"`{word}` belongs at the top of the file, not in `{path_text(where[:-1])}`"
    return ""


def _data_at(data: Any, where: Where) -> Any:
    for key in where:
        data = child(data, key)
    return data
