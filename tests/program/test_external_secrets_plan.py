"""A platform whose credentials come from a store: what is planned, and what comes before what."""

import json
from pathlib import Path

import pytest

from blueprints import load
from ziggurat.engine.rotation import require_derived
from ziggurat.errors import BlockedError
from ziggurat.plan.planning import plan

VARIANT = Path(__file__).parent / "variants/external-secrets.yaml"


def test_no_credential_is_made_and_the_store_has_to_hold_what_is_referred_to() -> None:
    planned = plan(load(VARIANT))
    assert [each.manifest["metadata"]["name"] for each in planned.objects if each.kind == "Secret"] == []
    external = [each.manifest for each in planned.objects if each.kind == "ExternalSecret"]
    referred = {entry["remoteRef"]["key"] for made in external for entry in made["spec"]["data"]}
    assert referred == set(planned.outputs["externalSecrets"])
    assert "ml/postgresql/mlflow" in referred
    assert "UNKNOWN" not in json.dumps(external).upper()


def test_the_root_secret_changes_nothing() -> None:
    other = "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI="
    loaded = load(VARIANT)
    ours, theirs = plan(loaded), plan(loaded, other)
    assert [each.manifest for each in ours.objects] == [each.manifest for each in theirs.objects]


def test_a_rotation_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(BlockedError, match="in the store vault") as refused:
        require_derived(load(VARIANT).blueprint, "acme.yaml")
    assert "change the entry in the store" in refused.value.remedy
