"""The normal form of inputs."""

import base64

import pytest

from standin.normal import normalise
from standin.wire import UNKNOWN


def deployment(**pod):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": pod}},
    }


def pod_of(manifest):
    return normalise(manifest)["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"hostNetwork": False}, {}),
        ({"nodeSelector": {}, "tolerations": []}, {}),
        ({"automountServiceAccountToken": False}, {"automountServiceAccountToken": False}),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, {"volumes": [{"name": "v", "emptyDir": {}}]}),
        (
            {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]},
            {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]},
        ),
        (
            {"containers": [{"name": "c", "stdin": False, "env": [{"name": "A", "value": ""}]}]},
            {"containers": [{"name": "c", "env": [{"name": "A"}]}]},
        ),
        (
            {"containers": [{"resources": {"limits": {"cpu": "1000m", "nvidia.com/gpu": 1}}}]},
            {"containers": [{"resources": {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}}}]},
        ),
        ({"containers": [{"resources": {"limits": {"cpu": UNKNOWN}}}]},) * 2,
    ],
)
def test_a_pod_is_brought_to_the_form_the_server_stores(given, stored):
    assert pod_of(deployment(**given)) == stored


def test_maps_of_the_users_own_are_left_alone():
    data = {"requests": "1000m", "limits": "", "paused": ""}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
    assert normalise(config_map)["data"] == data


def test_custom_resources_are_left_alone():
    custom = {
        "apiVersion": "example.org/v1",
        "kind": "X",
        "spec": {"requests": {"cpu": "1000m"}, "paused": False},
    }
    assert normalise(custom) == custom


def test_string_data_becomes_data_and_wins():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "data": {"a": "eA==", "b": "eQ=="},
        "stringData": {"a": "z"},
    }
    normal = normalise(secret)
    assert "stringData" not in normal
    assert normal["data"] == {"a": base64.b64encode(b"z").decode(), "b": "eQ=="}


def test_base64_with_line_breaks_is_joined():
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "eHh4\neHh4\n", "b": "not base64!"}}
    assert normalise(secret)["data"] == {"a": "eHh4eHh4", "b": "not base64!"}


def test_a_definition_loses_its_status_and_the_old_default():
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "g", "preserveUnknownFields": False},
        "status": {},
    }
    assert normalise(crd) == {**{key: crd[key] for key in ("apiVersion", "kind")}, "spec": {"group": "g"}}


def test_what_only_the_server_writes_is_dropped():
    metadata = {
        "name": "a",
        "uid": "1",
        "resourceVersion": "2",
        "creationTimestamp": None,
        "managedFields": [],
    }
    assert normalise({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})["metadata"] == {
        "name": "a"
    }
