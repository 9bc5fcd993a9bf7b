"""The codec, the marks of secrets, the state format, and the protocol's modules."""

import subprocess
import sys

import pytest

from standin import checkpoint
from standin.protocol import protocol
from standin.wire import UNKNOWN, Secret, decode, encode, holds, mark, respell, reveal


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"a": None, "b": True, "c": 1, "d": 1.5, "e": "text", "f": [], "g": {}},
        {"deep": {"list": [{"secret": Secret({"x": [1, "two"]})}, UNKNOWN]}},
        {"secret": Secret(UNKNOWN)},
    ],
)
def test_properties_survive_a_round_trip(properties):
    assert decode(encode(properties)) == properties


def test_whole_numbers_are_integers():
    assert {key: type(value) for key, value in decode(encode({"a": 1.0, "b": 1.5})).items()} == {
        "a": int,
        "b": float,
    }


def test_output_values_and_all_unknowns_are_understood():
    signature = "4dabf18193072939515e22adb298388d"
    output = {signature: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": "v", "secret": True}
    unset = {signature: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    found = decode(encode({"a": output, "b": unset, "c": "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"}))
    assert found == {"a": Secret("v"), "b": UNKNOWN, "c": UNKNOWN}


def test_a_secret_never_shows():
    assert "hidden" not in repr({"a": Secret("hidden")})


def test_revealing_takes_marks_off_and_spells_keys_as_kubernetes_does():
    assert reveal({"a": Secret({"x_kubernetes_list_type": [Secret("s")]})}) == {
        "a": {"x-kubernetes-list-type": ["s"]}
    }
    assert respell({"x-kubernetes-validations": 1}) == {"x_kubernetes_validations": 1}


def test_the_data_of_a_secret_is_always_secret():
    marked = mark({"kind": "Secret", "data": {"a": "b"}, "type": "Opaque"}, {})
    assert marked == {"kind": "Secret", "data": Secret({"a": "b"}), "type": "Opaque"}


def test_a_secret_in_a_list_makes_the_whole_list_secret():
    outputs = {"spec": {"containers": [{"env": [{"value": "s"}]}], "replicas": 1}}
    inputs = {"spec": {"containers": [{"env": [{"value": Secret("s")}]}], "replicas": 1}}
    marked = mark(outputs, inputs)
    assert marked == {"spec": {"containers": Secret(outputs["spec"]["containers"]), "replicas": 1}}
    assert not holds(outputs, Secret)


def test_the_state_format():
    live = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "dg=="}}
    inputs = {key: live[key] for key in ("kind", "data")}
    written = checkpoint.write(inputs, live, {}, "v1", "pulumi-kubernetes-01234567")
    assert written["__inputs"]["data"] == written["data"] == Secret({"k": "dg=="})
    assert written["__initialApiVersion"] == "v1"
    assert written["__fieldManager"] == "pulumi-kubernetes-01234567"
    state = checkpoint.read(decode(encode(written)))
    assert (state.live, state.inputs, state.name) == (live, inputs, "a")


@pytest.mark.parametrize(("identifier", "parts"), [("ns/name", ("ns", "name")), ("name", ("", "name"))])
def test_identifiers(identifier, parts):
    assert checkpoint.split_id(identifier) == parts


def test_the_protocol_is_loaded_without_the_sdk():
    program = (
        "import sys; from standin.protocol import protocol; p = protocol().provider; "
        "assert 'pulumi' not in sys.modules and not any('pulumi.resource' in m for m in sys.modules), 1; "
        "import standin.server, standin.install; "
        "heavy = {'pulumi', 'kubernetes', 'requests', 'urllib3', 'pydantic', 'httpx'} & set(sys.modules); "
        "assert not heavy, heavy; import pulumi; "
        "from pulumi.runtime.proto import provider_pb2; assert provider_pb2 is p; print(pulumi.Resource)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_service_has_every_method_of_the_protocol():
    from standin.server import Provider

    servicer = protocol().provider_grpc.ResourceProviderServicer
    methods = [name for name in vars(servicer) if not name.startswith("_")]
    assert [name for name in methods if not hasattr(Provider, name)] == []
