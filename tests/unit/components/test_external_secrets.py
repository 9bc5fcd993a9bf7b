"""Credentials that a store holds: what stands for them, and the ExternalSecrets that are made of it."""

import json
from pathlib import Path

import pytest

from blueprints import load
from components.credentials import KEY_FORMAT, TEXT_FORMAT, Label, StoredCredentials
from components.expressions import Expression, Source, entries, expressions
from components.external_secrets import edges, values
from components.manifests import configuration
from components.manifests.external_secrets import external_secret
from components.manifests.metadata import App
from components.versions import EXTERNAL_SECRETS, ImageSource

SOURCE = Source("vault", "ml")
APP = App("acme", "acme", "mlflow", "tracking")


def test_a_password_is_an_expression_and_its_key_and_format_are_known() -> None:
    stored = StoredCredentials(SOURCE)
    assert stored.password(Label.DATABASE_MLFLOW) == "{{ .postgresql_mlflow }}"
    assert stored.key(Label.MLFLOW_WEBHOOKS) == "{{ .mlflow_webhook_secret_encryption_key }}"
    assert stored.formats == {
        "ml/mlflow/webhook-secret-encryption-key": KEY_FORMAT,
        "ml/postgresql/mlflow": TEXT_FORMAT,
    }


def test_a_document_holds_the_expressions_and_is_json_as_it_is() -> None:
    stored = StoredCredentials(SOURCE)
    known = {user: stored.password(Label.account(user)) for user in ("ada", "grace")}
    document = stored.compose(json.dumps, known)
    assert isinstance(document, Expression)
    assert json.loads(str(document)) == {
        "ada": "{{ .mlflow_account_ada }}",
        "grace": "{{ .mlflow_account_grace }}",
    }
    assert document.entries == {
        "mlflow_account_ada": "ml/mlflow/account/ada",
        "mlflow_account_grace": "ml/mlflow/account/grace",
    }


def test_a_fingerprint_is_constant_and_one_of_the_entry() -> None:
    stored, other = StoredCredentials(SOURCE), StoredCredentials(Source("vault", "other"))
    assert stored.fingerprint("a") == StoredCredentials(SOURCE).fingerprint("a")
    assert len({stored.fingerprint("a"), stored.fingerprint("b"), other.fingerprint("a")}) == 3


def test_no_hash_is_made_of_what_is_not_known() -> None:
    with pytest.raises(ValueError, match="hash cannot be made"):
        StoredCredentials(SOURCE).bcrypt(Label.login_user("ada@acme.dev"))


def test_one_name_never_stands_for_two_entries() -> None:
    with pytest.raises(ValueError, match="the same name"):
        entries([Expression.of(SOURCE, "a/b"), Expression.of(SOURCE, "a-b")])


def test_an_external_secret_makes_the_secret_as_it_would_have_been() -> None:
    stored = StoredCredentials(SOURCE)
    secret = configuration.secret(
        APP, {"username": "mlflow", "password": stored.password("postgresql/mlflow")}
    )
    made = external_secret(secret, "vault", entries(expressions(secret["stringData"])))
    spec = made["spec"]
    assert (made["metadata"]["name"], spec["target"]["name"]) == ("mlflow", "mlflow")
    assert spec["target"]["template"]["data"] == {
        "username": "mlflow",
        "password": "{{ .postgresql_mlflow }}",
    }
    assert spec["target"]["template"]["metadata"]["labels"] == secret["metadata"]["labels"]
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault"}
    assert spec["data"] == [{"secretKey": "postgresql_mlflow", "remoteRef": {"key": "ml/postgresql/mlflow"}}]


def test_a_mirror_and_its_secret_reach_every_pod_of_the_chart() -> None:
    made = values(ImageSource("mirror.acme.net", "pull"))
    version = f"v{EXTERNAL_SECRETS.version}"
    for part in (made, made["webhook"], made["certController"]):
        repository = "mirror.acme.net/external-secrets/external-secrets"
        assert part["image"] == {"repository": repository, "tag": version}
        assert part["imagePullSecrets"] == [{"name": "pull"}]


@pytest.mark.parametrize(
    ("given", "opened"),
    [({}, {443, 6443, 8200}), ({"store_ports": (8443,)}, {443, 6443, 8443})],
)
def test_the_controller_may_call_the_store_on_the_ports_that_the_blueprint_names(given, opened) -> None:
    """443 and 6443 are the API server's, wherever it is."""
    blueprint = load(Path(__file__).parents[2] / "program/variants/external-secrets.yaml").blueprint
    chosen = blueprint.external_secrets.model_copy(update=given)
    made = edges(blueprint.model_copy(update={"external_secrets": chosen}))
    assert {edge.port for edge in made if getattr(edge.source, "name", "") == "external-secrets"} == opened
