"""Models that pipelines wrote: by whose key they are fetched from which store, and who reaches it."""

from __future__ import annotations

from pathlib import Path

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


def s3(of: Plan) -> dict[str, str]:
    """What KServe's chart is told of the store."""
    (release,) = (each for (_, name), each in found(of, "Release").items() if name == "kserve-resources")
    return release["values"]["kserve"]["storage"]["s3"]


def test_the_teams_account_enters_the_embedded_store_as_its_runs_do(planned: Plan) -> None:
    account = found(planned, "ServiceAccount")[TEAM, "models"]
    assert account["secrets"] == [{"name": "kfp-artifacts"}]
    assert account["automountServiceAccountToken"] is False
    assert account["imagePullSecrets"] == [{"name": "registry-login"}]
    key = found(planned, "Secret")[TEAM, "kfp-artifacts"]["stringData"]
    # The names that KServe's chart has as its defaults.
    assert key.keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert key["AWS_ACCESS_KEY_ID"] == "kfp-vision"
    assert s3(planned) == {
        "endpoint": "http://seaweedfs.acme-ml.svc.cluster.local:8333",
        "region": "us-east-1",
    }


def test_pods_of_models_reach_the_store_and_other_pods_of_the_team_do_not(planned: Plan) -> None:
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


def test_a_brought_store_is_entered_by_the_secret_that_its_runs_are_brought(tmp_path: Path) -> None:
    made = served("pipelines-brought", tmp_path)
    assert found(made, "ServiceAccount")[TEAM, "models"]["secrets"] == [{"name": "kfp-artifacts"}]
    assert (TEAM, "kfp-artifacts") not in found(made, "Secret")
    assert s3(made)["endpoint"] == "https://store.acme.dev"
    rules = found(made, "NetworkPolicy")[TEAM, "models"]["spec"]["egress"]
    assert 443 in [port["port"] for rule in rules for port in rule["ports"]]


@pytest.mark.parametrize(
    ("variant", "annotation", "identity"),
    [
        ("pipelines-role", "eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/vision-runs"),
        ("pipelines-gcs", "iam.gke.io/gcp-service-account", "vision-runs@acme.iam.gserviceaccount.com"),
    ],
)
def test_in_a_cloud_the_account_takes_on_the_identity_of_the_teams_runs(
    tmp_path: Path, variant: str, annotation: str, identity: str
) -> None:
    accounts = found(served(variant, tmp_path), "ServiceAccount")
    (account,) = (each for (_, name), each in accounts.items() if name == "models")
    assert account["metadata"]["annotations"][annotation] == identity
    assert "secrets" not in account


def test_without_pipelines_there_is_nothing_of_it() -> None:
    made = plan(load(VARIANTS / "serving.yaml"))
    assert (TEAM, "models") not in found(made, "ServiceAccount")
    assert (TEAM, "models") not in found(made, "NetworkPolicy")
    (release,) = (each for (_, name), each in found(made, "Release").items() if name == "kserve-resources")
    assert "s3" not in release["values"]["kserve"]["storage"]
