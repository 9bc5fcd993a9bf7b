"""What every part of the blueprint's model shares."""

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel

IMMUTABLE: dict[str, JsonValue] = {"x-immutable": True}
"""Marks a field whose value cannot change once the platform runs: what it names would be left behind."""

GROW_ONLY: dict[str, JsonValue] = {"x-grow-only": True}
"""Marks the size of a volume: Kubernetes lets a claim grow, never shrink."""


class Part(BaseModel):
    """A part of a blueprint: frozen, closed to unknown keys, camelCase in the file.

    The string under a field is its documentation: blueprints/schema.py puts it into the JSON Schema, which
    editors, error messages and the reference page take it from. It is not read at import, validators are
    not built before they are used, and annotations are not strings that pydantic would have to evaluate:
    together that takes a third of the time from `ziggurat validate`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,  # for Python callers; the loader accepts only the names of the file
        validate_by_alias=True,
        defer_build=True,
    )
