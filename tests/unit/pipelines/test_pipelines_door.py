"""The door of pipelines, in a real Envoy: who is believed, and what is passed on."""

from __future__ import annotations

import pytest

from components.pipelines.parts import HTTP, METADATA_WEB, METRICS, PEOPLE, TRACKING

RUNS = "/apis/v2beta1/runs?namespace=acme-vision"
LISTED = "/kubeflow.pipelines.backend.api.v2beta1.RunService/ListRuns"


@pytest.mark.parametrize("spelt", ["x_forwarded_email", "X_Forwarded_Email", "X_FORWARDED_EMAIL"])
def test_a_program_cannot_say_who_it_is(entrance, spelt):
    assert entrance.get(HTTP, RUNS, Authorization="Bearer t", **{spelt: "ada@acme.net"}) == 200

    (seen,) = entrance.seen
    assert seen.path == RUNS
    assert seen.headers["authorization"] == "Bearer t"
    assert not [name for name in seen.headers if "email" in name]


def test_a_program_cannot_say_who_it_is_by_grpc(entrance):
    entrance.call(LISTED, ("x-forwarded-email", "ada@acme.net"), ("authorization", "Bearer t"))

    (seen,) = entrance.seen
    assert (seen.path, seen.headers["authorization"]) == (LISTED, "Bearer t")
    assert "x-forwarded-email" not in seen.headers


def test_nobody_says_it_by_saying_it_twice(entrance):
    entrance.call(LISTED, ("x-forwarded-email", "ada@acme.net"), ("x-forwarded-email", "grace@acme.net"))

    assert "x-forwarded-email" not in entrance.seen[0].headers


def test_uploads_of_programs_name_nobody_either(entrance):
    path = "/apis/v2beta1/pipelines/upload?namespace=acme-vision"
    assert entrance.send("POST", HTTP, path, b"spec", x_forwarded_email="ada@acme.net") == 200

    assert "x-forwarded-email" not in entrance.seen[0].headers


def test_the_page_says_who_looks_at_it(entrance):
    assert entrance.get(PEOPLE, RUNS, x_forwarded_email="ada@acme.net") == 200

    assert entrance.seen[0].headers["x-forwarded-email"] == "ada@acme.net"


@pytest.mark.parametrize("name", ["system:serviceaccount:acme:ml-pipeline-persistenceagent", "SYSTEM:admin"])
def test_no_person_is_called_like_something_of_kubernetes(entrance, name):
    assert entrance.get(PEOPLE, RUNS, x_forwarded_email=name) == 403
    assert entrance.seen == []


@pytest.mark.parametrize("listener", [HTTP, PEOPLE])
@pytest.mark.parametrize(
    "path",
    [
        "/apis/v1alpha1/runs/1/nodes/2/log",
        "/apis/v1alpha1/tasks",
        "/apis/v2beta1/../v1alpha1/tasks",
        "/apis/v2beta1/%2e%2e/v1alpha1/tasks",
        "/apis//v1alpha1/tasks",
        "/metrics",
        "/",
    ],
)
def test_what_the_api_server_gives_to_anybody_is_not_passed_on(entrance, listener, path):
    assert entrance.get(listener, path, x_forwarded_email="ada@acme.net") == 404
    assert entrance.seen == []


def test_a_slash_is_not_smuggled_in(entrance):
    assert entrance.get(HTTP, "/apis/v2beta1/..%2fv1alpha1/tasks") == 400
    assert entrance.seen == []


@pytest.mark.parametrize("team", ["vision", "pricing"])
def test_the_path_to_mlflow_says_the_workspace(entrance, team):
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=pipelines"
    assert entrance.get(TRACKING, f"/teams/{team}{path}", Authorization="Basic x") == 200

    (seen,) = entrance.seen
    assert seen.path == path
    assert seen.headers["x-mlflow-workspace"] == team
    assert seen.headers["host"] == "mlflow.acme.svc.cluster.local:5000"
    assert seen.headers["authorization"] == "Basic x"


def test_the_path_of_an_artifact_stays_as_it_is_spelt(entrance):
    path = "/api/2.0/mlflow-artifacts/artifacts/a%2Fb//c"
    entrance.send("PUT", TRACKING, f"/teams/vision{path}", b"x" * 100_000)

    assert entrance.seen[0].path == path


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/runs/search", "/teams/nobody/version", "/teams/vision"])
def test_mlflow_has_no_other_way_in(entrance, path):
    assert entrance.get(TRACKING, path) == 404
    assert entrance.seen == []


def test_monitoring_sees_metrics_and_nothing_else(entrance):
    assert entrance.get(METRICS, "/metrics", x_forwarded_email="ada@acme.net") == 200
    assert [seen.path for seen in entrance.seen] == ["/metrics"]
    assert "x-forwarded-email" not in entrance.seen[0].headers
    assert entrance.get(METRICS, RUNS) == entrance.get(METRICS, "/metrics/../apis/v2beta1/runs") == 404


def web(entrance, method: str) -> int:
    path = f"/ml_metadata.MetadataStoreService/{method}"
    return entrance.send("POST", METADATA_WEB, path, b"\0\0\0\0\0", content_type="application/grpc-web+proto")


def test_the_page_reads_metadata_and_writes_none(entrance):
    assert web(entrance, "GetArtifactsByURI") == 200
    assert [seen.path for seen in entrance.seen] == ["/ml_metadata.MetadataStoreService/GetArtifactsByURI"]

    entrance.seen.clear()
    assert web(entrance, "PutArtifacts") != 200
    assert entrance.seen == []
