"""Models that pipelines wrote: what fetches them by whose key from which store, and who reaches it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from plans import found

from blueprints import load
from ziggurat.plan import plan
from ziggurat.plan.model import Plan

VARIANTS = Path(__file__).parents[2] / "program" / "variants"
VARIANT = VARIANTS / "serving-pipelines.yaml"
TEAM = "acme-ml-vision"


def served(name: str, tmp_path: Path) -> Plan:
    """A variant of pipelines, with serving."""
    path = tmp_path / f"{name}.yaml"
    path.write_text((VARIANTS / f"{name}.yaml").read_text() + "certificates: {}\nserving: {}\n")
    return plan(load(path))


def containers(of: Plan) -> dict[str, dict[str, Any]]:
    """The specs of the ClusterStorageContainers, by their names without the platform's."""
    made = found(of, "ClusterStorageContainer").items()
    return {name.rpartition("-")[2]: each["spec"] for (_, name), each in made}


def fetched_by(of: Plan, uri: str) -> list[str]:
    """Which of them take a URI, as KServe looks: a prefix, or a regular expression somewhere in it."""
    return [
        name
        for name, spec in containers(of).items()
        if any(
            uri.startswith(each["prefix"]) if "prefix" in each else re.search(each["regex"], uri)
            for each in spec["supportedUriFormats"]
        )
    ]


def env(of: Plan) -> dict[str, Any]:
    """What the one for the bucket is told; of a Secret, its name and key."""
    told = containers(of)["bucket"]["container"]["env"]
    return {
        each["name"]: each["value"]
        if "value" in each
        else tuple(each["valueFrom"]["secretKeyRef"][key] for key in ("name", "key"))
        for each in told
    }


def kserve(of: Plan) -> dict[str, Any]:
    (release,) = (each for (_, name), each in found(of, "Release").items() if name == "kserve-resources")
    return release["values"]["kserve"]


@pytest.mark.parametrize(
    ("uri", "container"),
    [
        ("models:/churn@champion", "mlflow"),
        ("s3://artifacts/kfp/vision/train/7/model", "bucket"),
        ("s3://artifacts/kfp/", "bucket"),
        ("s3://artifacts/kfp", "others"),
        ("s3://artifacts/mlflow/1/models/m-1/artifacts", "others"),
        ("s3://artifacts", "others"),
        ("s3://artifact", "others"),
        ("s3://artifacts-of-ours/kfp/vision", "others"),
        ("s3://brtifacts/kfp/vision", "others"),
        ("s3://lake/artifacts/kfp/vision", "others"),
        ("gs://artifacts/kfp/vision", "others"),
        ("hf://org/model", "others"),
        ("https://acme.blob.core.windows.net/models/churn", "others"),
        ("https://acme.net/models/churn.tar.gz", "others"),
    ],
)
def test_each_uri_is_fetched_by_one_container_as_kserve_takes_any_of_two(planned, uri, container):
    assert fetched_by(planned, uri) == [container]


def test_a_dot_in_a_buckets_name_is_no_other_character(tmp_path):
    path = tmp_path / "dotted.yaml"
    brought = (VARIANTS / "pipelines-brought.yaml").read_text().replace("bucket: lake", "bucket: lake.eu")
    path.write_text(f"{brought}certificates: {{}}\nserving: {{}}\n")
    made = plan(load(path))
    assert fetched_by(made, "s3://lake.eu/kfp/vision") == ["bucket"]
    assert fetched_by(made, "s3://lake-eu/kfp/vision") == ["others"]


def test_the_charts_own_container_is_left_out_and_nothing_else_of_the_chart(planned):
    told = kserve(planned)
    assert told["createSharedResources"] is False
    assert told["certManager"] == told["inferenceServiceConfig"] == {"enabled": True}
    others = containers(planned)["others"]
    assert others["supportsMultiModelDownload"] is True
    image = others["container"]["image"]
    assert image == f"{told['storage']['image']}:{told['storage']['tag']}"
    assert others["container"]["securityContext"] == told["storage"]["containerSecurityContext"]


def test_the_embedded_store_is_entered_by_the_key_of_the_teams_runs(planned):
    told = env(planned)
    assert told["AWS_ACCESS_KEY_ID"] == ("kfp-artifacts", "AWS_ACCESS_KEY_ID")
    assert told["AWS_SECRET_ACCESS_KEY"] == ("kfp-artifacts", "AWS_SECRET_ACCESS_KEY")
    assert told["MLFLOW_S3_ENDPOINT_URL"] == "http://seaweedfs.acme-ml.svc.cluster.local:8333"
    assert told["AWS_DEFAULT_REGION"] == "us-east-1"
    key = found(planned, "Secret")[TEAM, "kfp-artifacts"]["stringData"]
    assert key["AWS_ACCESS_KEY_ID"] == "kfp-vision"
    assert (TEAM, "models") not in found(planned, "ServiceAccount")


def test_pods_of_models_reach_the_store_and_other_pods_of_the_team_do_not(planned):
    policies = found(planned, "NetworkPolicy")
    spec = policies[TEAM, "models"]["spec"]
    assert spec["podSelector"] == {
        "matchExpressions": [{"key": "serving.kserve.io/inferenceservice", "operator": "Exists"}]
    }
    store, *_ = spec["egress"]
    assert store["ports"] == [{"protocol": "TCP", "port": 8333}]
    callers = [
        peer
        for rule in policies["acme-ml", "seaweedfs"]["spec"]["ingress"]
        for peer in rule["from"]
        if "namespaceSelector" in peer
    ]
    assert all("podSelector" in peer for peer in callers)
    assert spec["podSelector"] in [peer["podSelector"] for peer in callers]


def test_a_brought_store_is_entered_by_the_secret_that_its_runs_are_brought(tmp_path):
    made = served("pipelines-brought", tmp_path)
    told = env(made)
    assert told["AWS_SECRET_ACCESS_KEY"] == ("kfp-artifacts", "AWS_SECRET_ACCESS_KEY")
    assert told["MLFLOW_S3_ENDPOINT_URL"] == "https://store.acme.dev"
    assert (TEAM, "kfp-artifacts") not in found(made, "Secret")
    assert (TEAM, "models") not in found(made, "ServiceAccount")
    assert fetched_by(made, "s3://lake/kfp/vision/model") == ["bucket"]
    rules = found(made, "NetworkPolicy")[TEAM, "models"]["spec"]["egress"]
    assert 443 in [port["port"] for rule in rules for port in rule["ports"]]


def test_on_aws_an_account_takes_on_the_role_of_the_teams_runs(tmp_path):
    made = served("pipelines-role", tmp_path)
    account = found(made, "ServiceAccount")["on-aws-vision", "models"]
    role = "arn:aws:iam::123456789012:role/vision-runs"
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    assert account["automountServiceAccountToken"] is False
    told = env(made)
    assert told["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert not {"AWS_ACCESS_KEY_ID", "MLFLOW_S3_ENDPOINT_URL"} & told.keys()


def test_with_pod_identity_the_account_is_there_to_be_bound(tmp_path):
    path = tmp_path / "bound.yaml"
    role = ', roleArn: "arn:aws:iam::123456789012:role/mlflow"'
    text, _, _ = (VARIANTS / "pipelines-role.yaml").read_text().replace(role, "").partition("pipelines:")
    path.write_text(f"{text}pipelines: {{}}\ncertificates: {{}}\nserving: {{}}\n")
    made = plan(load(path))
    account = found(made, "ServiceAccount")["on-aws-vision", "models"]
    assert "eks.amazonaws.com/role-arn" not in account["metadata"].get("annotations", {})
    rules = found(made, "NetworkPolicy")["on-aws-vision", "models"]["spec"]["egress"]
    assert {"cidr": "169.254.170.23/32"} in [to.get("ipBlock") for rule in rules for to in rule["to"]]


@pytest.mark.parametrize("variant", ["serving", "pipelines-gcs"])
def test_without_pipelines_or_s3_there_is_nothing_of_it(tmp_path, variant):
    made = plan(load(VARIANTS / "serving.yaml")) if variant == "serving" else served(variant, tmp_path)
    assert [*containers(made)] == ["mlflow"]
    assert "createSharedResources" not in kserve(made)
    for kind in ("ServiceAccount", "NetworkPolicy"):
        assert "models" not in {name for _, name in found(made, kind)}
