"""Names, images, credentials and stores as data."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import pulumi
import pytest

from blueprints.model.storage import AzureArtifacts, GcsArtifacts, S3Artifacts, SecretRef
from blueprints.model.teams import Team, User, WorkspaceRole
from blueprints.names import is_label
from components import artifacts, versions
from components.artifacts import brought, identities
from components.auth import accounts, client_secret_name
from components.credentials import Credentials, Label
from components.manifests.metadata import App, digest
from components.tracking import allowed_hosts, auth_config
from components.versions import MLFLOW, ImageSource

ROOT = base64.b64encode(bytes(range(32))).decode()


def clear(make: Callable[[], list[pulumi.Output[str]]]) -> list[str | None]:
    """The values of secrets, which are made in the loop that awaits them."""

    async def values() -> list[str | None]:
        return [await output.future() for output in make()]

    return asyncio.run(values())


def test_images_are_pinned() -> None:
    assert all(image.tag not in ("", "latest") for image in versions.ALL)


def test_a_mirror_keeps_the_repository_path() -> None:
    mirror = ImageSource("registry.acme.example/mirror")

    assert mirror.reference(MLFLOW) == f"registry.acme.example/mirror/mlflow/mlflow:{MLFLOW.tag}"
    assert ImageSource().reference(MLFLOW) == f"ghcr.io/mlflow/mlflow:{MLFLOW.tag}"


@pytest.mark.parametrize("user", ["ada", "ada@acme.example", "a.b_c", "x" * 63, "a-", "a.-b"])
def test_every_user_has_a_secret_with_a_name_of_kubernetes(user: str) -> None:
    name = client_secret_name(user)

    assert is_label(name), name
    assert name == f"mlflow-{user}" or "mlflow-" in name


def test_users_that_look_alike_have_secrets_of_their_own() -> None:
    users = ["a.b", "a@b", "a-b", "a_b", "a--b"]

    assert len({client_secret_name(user) for user in users}) == len(users)


def test_one_name_in_two_teams_is_one_account() -> None:
    teams = {
        "vision": Team(users={"ada": User(role=WorkspaceRole.ADMIN), "bob": User()}),
        "pricing": Team(users={"ada": User()}),
        "quiet": Team(),
    }

    assert accounts(teams) == {
        "ada": {"pricing": "user", "vision": "admin"},
        "bob": {"vision": "user"},
        "quiet": {"quiet": "user"},
    }


def test_fingerprints_follow_credentials_and_do_not_tell_them() -> None:
    ours, theirs = Credentials("acme", ROOT), Credentials("other", ROOT)
    label = Label.account("ada")

    assert ours.fingerprint(label) == Credentials("acme", ROOT).fingerprint(label)
    rotated = Credentials("acme", ROOT, {label: 1})
    assert len({each.fingerprint(label) for each in (ours, rotated, theirs)}) == 3
    labels = [value for name, value in vars(Label).items() if name.isupper()]
    assert len({ours.fingerprint(value) for value in labels}) == len(labels)


def test_derived_values_never_change_but_by_their_own_number() -> None:
    plain, rotated = (
        Credentials("acme", ROOT, numbers) for numbers in ({}, {Label.DATABASE_MLFLOW: 1, "other": 0})
    )
    first, second = "hvAfVRVBClCZCMiB6zcPgz3uF8lMAExS", "_7WuMrNMeJJ-2DcHb7rG1Wo5ajyOHVh1"

    assert clear(lambda: [plain.password(Label.DATABASE_MLFLOW)]) == [first]
    assert clear(lambda: [rotated.password(Label.DATABASE_MLFLOW)]) == [second]
    assert clear(lambda: rotated.earlier_passwords(Label.DATABASE_MLFLOW)) == [first]
    assert plain.earlier_passwords(Label.DATABASE_MLFLOW) == []
    assert plain.fingerprint(Label.DATABASE_MLFLOW) == "5dcb0396408e"
    assert rotated.fingerprint(Label.DATABASE_MLFLOW) == "09abc1343d8e"
    keys = clear(lambda: [credentials.key(Label.OIDC_COOKIE) for credentials in (plain, rotated)])
    assert keys == ["ZNgvzdu7F4-h8SHLWaYM4qhETkrY9ihdZEwOiPoJ530="] * 2
    assert rotated.rotations == {Label.DATABASE_MLFLOW: 1}


@pytest.mark.parametrize(
    ("root", "says"), [("not base64!", "not base64"), ("c2hvcnQ=", "has 5 bytes; it needs 32 or more")]
)
def test_an_unusable_root_secret_is_refused(root: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Credentials("acme", root)


def test_the_same_data_has_the_same_digest_whatever_its_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_mlflow_may_only_work_below_its_prefix_and_nobody_is_anonymous() -> None:
    granted = {
        user["name"]: user
        for user in identities(("lake",), {"mlflow": "m", "provisioner": "p"})["identities"]
    }

    assert all(action.endswith(":lake/mlflow/*") for action in granted["mlflow"]["actions"])
    assert granted["provisioner"]["actions"] == ["Admin:lake"]
    assert all(user["credentials"] for user in granted.values())


def test_every_name_of_the_server_is_allowed_with_its_port() -> None:
    hosts = allowed_hosts(App("acme", "acme", "mlflow", "tracking"), "ml.acme.example")

    assert {"mlflow:5000", "mlflow.acme:5000", "mlflow.acme.svc:5000"} <= set(hosts)
    assert {"mlflow.acme.svc.cluster.local:5000", "ml.acme.example", "localhost:*"} <= set(hosts)
    assert "*" not in hosts


def test_nobody_has_what_no_role_gives() -> None:
    config = auth_config("postgresql+psycopg2://db:5432/mlflow", "m:f")

    assert "default_permission = NO_PERMISSIONS" in config
    assert "grant_default_workspace_access = false" in config


def test_s3_by_keys_role_or_pod_identity() -> None:
    bucket = {"mode": "s3", "bucket": "acme-ml", "region": "eu-west-1"}
    keys = brought(S3Artifacts.model_validate({**bucket, "secret": SecretRef(secret_name="keys")}))
    role = brought(
        S3Artifacts.model_validate({**bucket, "role_arn": "arn:aws:iam::123456789012:role/mlflow"})
    )
    agent = brought(S3Artifacts.model_validate(bucket))

    assert keys.uri == role.uri == agent.uri == "s3://acme-ml/mlflow"
    assert {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"} in keys.env
    references = [item["valueFrom"]["secretKeyRef"]["name"] for item in keys.env if "valueFrom" in item]
    assert references == ["keys", "keys"]
    assert role.account_annotations == {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/mlflow"}
    assert ("169.254.170.23", 80) in agent.egress
    assert ("169.254.170.23", 80) not in keys.egress


def test_a_store_that_is_not_aws_is_called_by_its_endpoint() -> None:
    store = brought(
        S3Artifacts(
            mode="s3",
            bucket="acme-ml",
            endpoint="http://minio.stores:9000",
            secret=SecretRef(secret_name="k"),
        )
    )

    assert {"name": "MLFLOW_S3_ENDPOINT_URL", "value": "http://minio.stores:9000"} in store.env
    assert store.egress == (("minio.stores", 9000),)


def test_gcs_by_key_or_workload_identity() -> None:
    key = brought(GcsArtifacts(mode="gcs", bucket="acme-ml", secret=SecretRef(secret_name="gcs")))
    account = "ml@acme.iam.gserviceaccount.com"
    identity = brought(GcsArtifacts(mode="gcs", bucket="acme-ml", service_account=account))

    assert key.volumes[0].source["secret"]["secretName"] == "gcs"
    assert identity.account_annotations == {"iam.gke.io/gcp-service-account": account}
    assert not identity.volumes


def test_azure_by_key_or_workload_identity() -> None:
    container = {"mode": "azure", "storage_account": "acmeml", "container": "artifacts"}
    key = brought(AzureArtifacts.model_validate({**container, "secret": SecretRef(secret_name="azure")}))
    identity = brought(
        AzureArtifacts.model_validate({**container, "client_id": "00000000-0000-0000-0000-000000000000"})
    )

    assert key.uri == "wasbs://artifacts@acmeml.blob.core.windows.net/mlflow"
    assert all(item["valueFrom"]["secretKeyRef"]["optional"] for item in key.env)
    assert identity.pod_labels == {"azure.workload.identity/use": "true"}


def test_seaweedfs_answers_outside_its_pod_on_s3_alone() -> None:
    pod = artifacts.server_pod(App("acme", "acme", "seaweedfs", "artifacts"), ImageSource(), "hash")
    args = pod["spec"]["containers"][0]["args"]

    assert {"-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0"} <= set(args)
    assert {"-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-master.telemetry=false"} <= set(args)
