"""Pulumi's property values: decoding from and encoding to protobuf Structs, and the marks of secrets.

Decoded, a property bag is plain Python data (dict, list, str, int, float, bool, None) in which a secret is a
`Secret` and a value that is not known yet is `UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from google.protobuf import struct_pb2

Object = dict[str, Any]
"""A Kubernetes object, or a part of one, as plain data."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's tag, not a secret
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWNS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNDERSCORED: Final = {
    "x_kubernetes_" + key.replace("-", "_"): "x-kubernetes-" + key
    for key in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
}
"""Keys of CRD schemas are spelt with underscores in Pulumi's properties, with dashes in Kubernetes."""
_DASHED: Final = {dashed: underscored for underscored, dashed in _UNDERSCORED.items()}


class Unknown:
    """A value that is known only after an update."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that must never be shown or stored in clear."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def decode(struct: struct_pb2.Struct) -> Object:
    """The properties of `struct` as plain data."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _decode_map(value.struct_value)
    return None


def _decode_map(struct: struct_pb2.Struct) -> Any:
    fields = struct.fields
    if _SIGNATURE not in fields:
        return decode(struct)
    signature = fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return Secret(_decode(fields["value"]))
    if signature == _OUTPUT:
        inner = _decode(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    return decode(struct)


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The Struct for plain data with `Secret` and `UNKNOWN` in it."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key])
    return struct


def _encode(value: Any, into: struct_pb2.Value) -> None:
    if value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = float(value)
    elif isinstance(value, Mapping):
        _encode_map(cast("Object", value), into)
    elif isinstance(value, Secret):
        _encode_map({_SIGNATURE: _SECRET, "value": value.value}, into)
    elif isinstance(value, Unknown):
        into.string_value = _UNKNOWN
    else:
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add())


def _encode_map(value: Mapping[str, Any], into: struct_pb2.Value) -> None:
    into.struct_value.SetInParent()
    fields = into.struct_value.fields
    for key, item in value.items():
        _encode(item, fields[key])


def reveal(value: Any) -> Any:
    """`value` with the secret marks taken off, and the keys of CRD schemas as Kubernetes spells them."""
    return _rebuild(value, _UNDERSCORED, lambda secret: secret.value)


def respell(value: Any) -> Any:
    """`value` with the keys of CRD schemas as Pulumi spells them; secret marks stay."""
    return _rebuild(value, _DASHED, lambda secret: secret)


def _rebuild(value: Any, keys: Mapping[str, str], secret: Callable[[Secret], Any]) -> Any:
    if isinstance(value, dict):
        return {keys.get(key, key): _rebuild(item, keys, secret) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_rebuild(item, keys, secret) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Secret):
        inner = secret(value)
        return inner if inner is value else _rebuild(inner, keys, secret)
    return value


def holds(value: Any, kind: type[Secret | Unknown]) -> bool:
    """Whether a `Secret`, or an `UNKNOWN`, lies anywhere in `value`."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return holds(value.value, kind)
    if isinstance(value, dict):
        return any(holds(item, kind) for item in value.values())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return any(holds(item, kind) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return False


def mark(outputs: Object, inputs: Mapping[str, Any]) -> Object:
    """`outputs` with everything secret that is secret in `inputs`.

    The data of a Secret is secret whatever the inputs say. Maps are walked side by side; anywhere else a
    secret below makes the whole output value secret (a list as a whole, since its order may change).
    """
    if outputs.get("kind") == "Secret":
        data = {key: _secret(outputs[key]) for key in ("data", "stringData") if key in outputs}
        return {**outputs, **data}
    marked = dict(outputs)
    for key, given in inputs.items():
        if key not in outputs:
            continue
        value = outputs[key]
        if isinstance(value, dict) and isinstance(given, dict):
            marked[key] = mark(value, given)  # pyright: ignore[reportUnknownArgumentType]
        elif holds(given, Secret):
            marked[key] = _secret(value)
    return marked


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)
