"""From a file to a resolved blueprint, or to everything that is wrong with it."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blueprints import pools, refusals, rules, words
from blueprints.document import Document, Where, child, leaves, mapping, path_text
from blueprints.files import read
from blueprints.model import Blueprint
from blueprints.phases import DEFAULTS, Phase
from blueprints.plain_yaml import parse
from blueprints.problems import BlueprintError, Problem


@dataclass(frozen=True)
class Loaded:
    """A blueprint that can be used."""

    blueprint: Blueprint
    """The blueprint with every default filled in."""
    path: Path
    """The file, as it was named."""
    source: dict[str, str]
    """Where each value came from, by its path: `starter.yaml:12`, `phase default (starter)` or `default`."""
    warnings: tuple[Problem, ...]
    """What is allowed and probably not meant."""

    def resolved(self) -> dict[str, Any]:
        """The resolved blueprint as plain data, with the keys of the file; it holds no secrets."""
        return plain(self.blueprint)


def load(path: Path | str) -> Loaded:
    """The blueprint in the file at `path`.

    Raises BlueprintError with all that is wrong with it, in the file's order.
    """
    return _load(read(Path(path)), Path(path))


def loads(text: str, path: Path | str) -> Loaded:
    """The blueprint that a file with this text would hold; `path` is what its problems call it.

    Raises BlueprintError as `load` does.
    """
    return _load(parse(text, str(path)), Path(path))


def plain(blueprint: Blueprint) -> dict[str, Any]:
    """A blueprint as plain data, with the keys of the file; what is left out or empty is not there."""
    dumped = blueprint.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in dumped.items() if value != {}}


def _load(document: Document, path: Path) -> Loaded:
    blueprint, warnings = _check(document)
    if document.problems or blueprint is None:
        raise BlueprintError(tuple(dict.fromkeys(document.problems)))
    return Loaded(blueprint, path, _sources(blueprint, document, path.name), warnings)


def _check(document: Document) -> tuple[Blueprint | None, tuple[Problem, ...]]:
    """Notes everything that is wrong in the document; the blueprint, so far as there is one."""
    if not document.data:
        return None, ()
    refusals.refuse_placeholders(document)
    data = refusals.refuse_unbuilt(document)
    phase = data.get("phase")
    blueprint = _validate(document, merge(data, DEFAULTS[Phase(phase)] if phase in list(Phase) else {}))
    if blueprint is None:
        return None, ()
    blueprint = pools.resolved(blueprint)
    return blueprint, rules.check(blueprint, document)


def _validate(document: Document, data: dict[str, Any]) -> Blueprint | None:
    """The blueprint that `data` is, or would be without what is wrong.

    Each value that is wrong is noted, then cut out, so that the rules see the rest and everything is
    reported at once. None where nothing is left that could be a blueprint.
    """
    data = copy.deepcopy(data)
    while True:
        try:
            # JSON mode, strict: enums from their words, but no number from "5" and no true from "yes".
            return Blueprint.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            wrong = words.report(document, error.errors(include_url=False), data)
        if not sum(_cut(data, where) for where in wrong):
            return None


def _cut(data: dict[str, Any], where: Where) -> bool:
    """Takes the value at `where` out of `data`; what is missing, or in a list, goes with the part around it.

    Says whether there was anything to take out.
    """
    while where:
        holder: Any = data
        for key in where[:-1]:
            holder = child(holder, key)
        inside = mapping(holder)
        if inside is not None and where[-1] in inside:
            del inside[str(where[-1])]
            return True
        where = where[:-1]
    return False


def merge(data: Any, defaults: Any) -> Any:
    """`data` with `defaults` where it is silent; `*` stands for every key of a map.

    A part with a mode takes defaults only of that mode.
    """
    given, standard = mapping(data), mapping(defaults)
    if given is None or standard is None:
        return data
    if given.get("mode", standard.get("mode")) != standard.get("mode"):
        return given
    merged = {key: merge(value, standard.get(key, standard.get("*"))) for key, value in given.items()}
    for key, value in standard.items():
        if key != "*" and key not in given and "*" not in (mapping(value) or ()):
            merged[key] = copy.deepcopy(value)
    return merged


def _sources(blueprint: Blueprint, document: Document, name: str) -> dict[str, str]:
    """Where each value of the blueprint came from."""
    given = {where for where, _ in leaves(document.data)}
    by_phase = {where for where, _ in leaves(merge(document.data, DEFAULTS[blueprint.phase]))}
    sources: dict[str, str] = {}
    for where, _ in leaves(plain(blueprint)):
        if where in given:
            sources[path_text(where)] = f"{name}:{document.place(where).line}"
        elif where in by_phase:
            sources[path_text(where)] = f"phase default ({blueprint.phase})"
        else:
            sources[path_text(where)] = "default"
    return sources
