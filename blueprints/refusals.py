"""What is refused whatever its value: what this version does not build, and placeholders left in."""

from __future__ import annotations

import re
from typing import Any, cast

from blueprints.document import Document, child
from blueprints.phases import CAPABILITIES, MODES, POOL_PROVIDERS, Capability, Mode, Phase

_PLACEHOLDER = re.compile(
    r"\b(CHANGE[-_ ]?ME|REPLACE[-_ ]?ME|TODO|FIXME|XXX)\b|<[A-Za-z][^<>]*>", re.IGNORECASE
)
_EXAMPLE_HOST = re.compile(
    r"(^|[/@.])(example\.(com|net|org)|[a-z0-9-]+\.(example|invalid|test))(?=$|[:/])", re.IGNORECASE
)
"""Host names that RFC 2606 keeps for documentation."""


def refuse_placeholders(document: Document) -> None:
    """Refuses values that were meant to be filled in.

    Documentation's host names are fine in the sandbox, where no name is ever looked up.
    """
    has_cluster = "cluster" in document.data
    for where, written in document.written.items():
        placeholder = _PLACEHOLDER.search(written)
        if placeholder:
            document.refuse(where, "a placeholder is left in", value=written, remedy="write your own value")
        elif has_cluster and _EXAMPLE_HOST.search(written.strip('"')):
            document.refuse(
                where,
                "a host name of documentation",
                value=written,
                rule="example names (RFC 2606) lead nowhere outside the sandbox",
                remedy="write your own host name",
            )


def refuse_unbuilt(document: Document) -> dict[str, Any]:
    """Refuses what the phase does not unlock or this version does not build; the data without it."""
    phase = _phase(document)
    for capability in CAPABILITIES:
        if capability.key in document.data:
            _refuse(document, (capability.key,), capability, phase)
    for mode in MODES:
        if child(document.data.get(mode.part), "mode") == mode.mode:
            _refuse(document, (mode.part, "mode"), mode, phase)
    _refuse_providers(document, phase)
    unusable = {where[0] for where in document.refused if where[-1] == "mode" or len(where) == 1}
    return {
        key: value for key, value in document.data.items() if key not in unusable or key in ("phase", "name")
    }


def _refuse_providers(document: Document, phase: Phase | None) -> None:
    given = document.data.get("gpuPools")
    pools = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    for name in pools:
        for provider in POOL_PROVIDERS:
            if child(child(pools, name), "provider") == provider.mode:
                _refuse(document, ("gpuPools", name, "provider"), provider, phase)


def _phase(document: Document) -> Phase | None:
    """The phase that the blueprint names; None where it names none of ours."""
    named = document.data.get("phase")
    return Phase(named) if named in list(Phase) else None


def _refuse(
    document: Document, where: tuple[str, ...], wanted: Capability | Mode, phase: Phase | None
) -> None:
    """Refuses `wanted` where the phase does not unlock it, or this version does not build it."""
    locked = phase is not None and phase.rank < wanted.since.rank
    if not locked and wanted.built:
        return
    value = document.written.get(where, "")
    since = "" if wanted.since is Phase.STARTER else f": from phase {wanted.since} on"
    rule = f"{wanted.title}{since}"
    if not wanted.built:
        message = "is not built by this version of Ziggurat"
        remedy = "take it out until a version does"
    else:
        message = f"is not unlocked in phase {phase}"
        remedy = f"write `phase: {wanted.since}`, or take it out"
    document.refuse(where, message, value=value, rule=rule, remedy=remedy)
