"""The format of a resource's state: the live object, and beside it the inputs that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from standin.wire import Object, mark, respell, reveal

INPUTS: Final = "__inputs"
API_VERSION: Final = "__initialApiVersion"
FIELD_MANAGER: Final = "__fieldManager"


@dataclass(frozen=True)
class Checkpoint:
    """State of an object, without its secret marks."""

    inputs: Object
    """The inputs of the last operation."""
    live: Object
    """The object as the server last showed it."""
    initial_api_version: str
    field_manager: str
    """The manager of our fields in server-side apply; "" where the state has none."""

    @property
    def name(self) -> str:
        """The object's name."""
        return text_at(self.live, "metadata", "name")

    @property
    def namespace(self) -> str:
        """The object's namespace; "" where it has none."""
        return text_at(self.live, "metadata", "namespace")


def read(properties: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint that decoded properties hold."""
    plain = cast("Object", reveal(dict(properties)))
    inputs = plain.pop(INPUTS, None)
    version = plain.pop(API_VERSION, "")
    manager = plain.pop(FIELD_MANAGER, "")
    return Checkpoint(
        cast("Object", inputs) if isinstance(inputs, dict) else {}, plain, str(version), str(manager)
    )


def write(inputs: Object, live: Object, given: Mapping[str, Any], version: str, manager: str) -> Object:
    """The properties to store; `given` are inputs with their secret marks."""
    properties = mark(respell(live), given)
    properties[INPUTS] = mark(respell(inputs), given)
    properties[API_VERSION] = version
    properties[FIELD_MANAGER] = manager
    return properties


def text_at(value: Any, *keys: str) -> str:
    """The text at this place, "" where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, str) else ""


def at(value: Any, *keys: str) -> Any:
    """The value at this place of nested maps, None where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = cast("Object", value).get(key)
    return value


def object_id(manifest: Object) -> str:
    """The identifier in Pulumi's state: `namespace/name`, or `name` of what has no namespace."""
    namespace, name = text_at(manifest, "metadata", "namespace"), text_at(manifest, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def split_id(identifier: str) -> tuple[str, str]:
    """Namespace ("" for none) and name of an identifier."""
    namespace, slash, name = identifier.partition("/")
    return (namespace, name) if slash else ("", namespace)
