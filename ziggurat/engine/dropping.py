"""Data that goes with a capability: what `up --drop-data` names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from blueprints.model import Blueprint
from blueprints.phases import CAPABILITIES
from ziggurat.engine.changes import Change
from ziggurat.engine.state import State
from ziggurat.errors import ZigguratError


def droppable(losing: Iterable[Change], state: State, blueprint: Blueprint) -> dict[str, str]:
    """The URNs of what a run would lose the data of, and the capability that each belonged to, by its key.

    Of those that the blueprint still asks for there is none: of these no data goes unless object by object.
    """
    keys = {_component(key): key for key in _gone(blueprint)}
    components = {item.urn: item.component for item in state.objects}
    found = ((change.urn, keys.get(components.get(change.urn, ""))) for change in losing)
    return {urn: key for urn, key in found if key}


def dropped(names: Sequence[str], capabilities: Mapping[str, str]) -> frozenset[str]:
    """The URNs of those that belong to the capabilities called so; ZigguratError where there are none."""
    known = dict.fromkeys(capabilities.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ZigguratError(
            f"--drop-data names what loses no data in this run: {', '.join(unknown)}",
            remedy="capabilities that the blueprint no longer has, and whose data would go: "
            + (", ".join(known) or "none"),
        )
    return frozenset(urn for urn, key in capabilities.items() if key in names)


def _gone(blueprint: Blueprint) -> list[str]:
    """The keys of the capabilities that the blueprint does not ask for."""
    asked = {
        field.alias or name: getattr(blueprint, name) for name, field in type(blueprint).model_fields.items()
    }
    return [each.key for each in CAPABILITIES if not asked.get(each.key)]


def _component(key: str) -> str:
    """The label of the objects of a capability: `gpu-pools` for `gpuPools`."""
    return re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", key)
