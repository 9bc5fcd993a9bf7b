"""The language itself: its documentation, its schema, phases, resolution and provenance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from blueprints import BlueprintError, load, reference, refusals, schema
from blueprints.loader import loads, merge
from blueprints.model import Blueprint
from blueprints.phases import BUILT_PHASES, CAPABILITIES, DEFAULTS, Capability, Phase

HERE = Path(__file__).parent
HEAD = "apiVersion: ziggurat/v1\nname: acme\nphase: starter\n"
MINIMAL = f"{HEAD}teams: {{vision: {{}}}}\n"


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the schema with its node."""
    if isinstance(node, dict):
        for key, inner in node.get("properties", {}).items():
            yield f"{path}.{key}", inner
        for key, inner in node.items():
            yield from properties(inner, f"{path}.{key}")


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run: python -m blueprints.schema"


def test_the_reference_page_is_that_of_the_model() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.page(), (
        "run: python -m blueprints.reference"
    )


def test_every_key_is_documented() -> None:
    undocumented = [path for path, node in properties(schema.schema()) if not node["description"].strip()]
    assert undocumented == []


def test_every_key_is_in_the_reference() -> None:
    page = reference.page()
    assert [
        path for path, _ in properties(schema.schema()) if f"`{path.rsplit('.', 1)[1]}`" not in page
    ] == []


def test_every_pattern_is_said_in_words() -> None:
    patterns = [
        (path, node)
        for path, node in properties(schema.schema())
        if "pattern" in node or "propertyNames" in node
    ]
    assert len(patterns) > 20
    for path, node in patterns:
        assert node.get("propertyNames", node).get("patternErrorMessage"), path


def test_the_schema_is_a_schema() -> None:
    jsonschema_rs.meta.validate(schema.schema())


@pytest.mark.parametrize("file", sorted((HERE / "happy").glob("*.yaml")), ids=lambda file: file.stem)
def test_editors_take_what_the_loader_takes(file: Path) -> None:
    data = load(file).resolved()
    jsonschema_rs.Draft202012Validator(schema.schema()).validate(data)


@pytest.mark.parametrize(
    "name", ["unknown_key", "wrong_types", "names", "mode_unknown", "missing_keys", "hosts"]
)
def test_editors_refuse_what_the_loader_refuses(name: str) -> None:
    data = yaml.safe_load((HERE / "error" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert not jsonschema_rs.Draft202012Validator(schema.schema()).is_valid(data)


def test_capabilities_are_keys_of_the_blueprint_and_every_optional_key_is_a_capability() -> None:
    keys = {field.alias for field in Blueprint.model_fields.values()}
    assert {capability.key for capability in CAPABILITIES} == keys - {
        "apiVersion",
        "name",
        "phase",
        "cluster",
    }


def test_what_a_built_phase_unlocks_from_the_start_is_refused_only_while_it_is_not_built() -> None:
    built = [capability.key for capability in CAPABILITIES if capability.built]
    assert all(capability.since in BUILT_PHASES for capability in CAPABILITIES if capability.key in built)


def test_a_key_of_a_later_phase_names_the_phase_that_unlocks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = Capability("queues", "Kueue queues", Phase.AUTOMATION, built=True)
    monkeypatch.setattr(refusals, "CAPABILITIES", (queues,))
    with pytest.raises(BlueprintError) as raised:
        loads(MINIMAL + "queues: {}\n", "b.yaml")
    assert str(raised.value) == (
        "b.yaml:5:1: queues: is not unlocked in phase starter — Kueue queues: from phase automation on — "
        "write `phase: automation`, or take it out"
    )


def test_a_phase_never_changes_the_default_of_what_holds_data() -> None:
    for part in ("database", "artifacts"):
        assert len({json.dumps(DEFAULTS[phase].get(part)) for phase in Phase}) == 1


def test_phase_defaults_are_those_of_the_model() -> None:
    """A blueprint made in Python has the same defaults as one that is loaded."""
    made = Blueprint.model_validate(
        {"apiVersion": "ziggurat/v1", "name": "acme", "phase": "starter", "teams": {"vision": {}}}
    )
    assert loads(MINIMAL, "b.yaml").blueprint == made


def test_merging_keeps_what_is_given_and_fills_what_is_not() -> None:
    defaults = {
        "teams": {"*": {"quota": {"cpu": "8", "pods": 1}}},
        "database": {"mode": "embedded", "storage": "1Gi"},
    }
    assert merge({"teams": {"a": {"quota": {"cpu": "2"}}, "b": {}}}, defaults) == {
        "teams": {"a": {"quota": {"cpu": "2", "pods": 1}}, "b": {"quota": {"cpu": "8", "pods": 1}}},
        "database": {"mode": "embedded", "storage": "1Gi"},
    }


def test_another_mode_takes_no_defaults() -> None:
    assert merge(
        {"database": {"mode": "external"}}, {"database": {"mode": "embedded", "storage": "1Gi"}}
    ) == {"database": {"mode": "external"}}


def test_merging_leaves_the_table_of_defaults_alone() -> None:
    before = json.dumps(DEFAULTS[Phase.STARTER])
    merged = merge({}, DEFAULTS[Phase.STARTER])
    merged["tracking"]["replicas"] = 9
    assert json.dumps(DEFAULTS[Phase.STARTER]) == before


def test_each_value_says_where_it_came_from() -> None:
    text = f"{HEAD}teams:\n  vision:\n    quota: {{cpu: 4}}\n    groups:\n      - a\n      - b\n"
    source = loads(text, "dir/acme.yaml").source
    assert source["teams.vision.quota.cpu"] == "acme.yaml:6"
    assert source["teams.vision.groups[1]"] == "acme.yaml:9"
    assert source["teams.vision.quota.memory"] == "phase default (starter)"
    assert source["teams.vision.users"] == "default"
    assert source["artifacts.bucket"] == "default"


def test_quantities_are_kept_as_written() -> None:
    quota = (
        loads(f"{HEAD}teams: {{a: {{quota: {{cpu: 0.5, memory: 8Gi, storage: 10Gi}}}}}}\n", "b")
        .blueprint.teams["a"]
        .quota
    )
    assert (quota.cpu, quota.memory) == ("0.5", "8Gi")


def test_python_names_are_not_keys_of_the_file() -> None:
    with pytest.raises(BlueprintError, match="unknown key — did you mean `apiVersion`"):
        loads(MINIMAL.replace("apiVersion", "api_version"), "b")


def test_a_team_without_users_has_one_account_named_after_it() -> None:
    team = loads(MINIMAL, "b").blueprint.teams["vision"]
    assert {name: user.role.value for name, user in team.accounts("vision").items()} == {"vision": "user"}


def test_a_blueprint_cannot_be_changed() -> None:
    blueprint = loads(MINIMAL, "b").blueprint
    with pytest.raises(ValueError, match="frozen"):
        blueprint.name = "other"


def test_the_value_of_an_unknown_key_is_never_shown() -> None:
    with pytest.raises(BlueprintError) as raised:
        loads(MINIMAL + "database: {password: hunter2}\n", "b")
    assert "hunter2" not in str(raised.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(BlueprintError) as raised:
        loads(MINIMAL.replace("acme", "A" * 5000), "b")
    assert len(str(raised.value)) < 300


NO_PAGE = (
    "open no page — pages know the groups that an OIDC issuer names (`auth.mode: oidc` or `embedded`); "
    "without one, groups have rights in the team's namespace and nothing else — name `users` for MLflow, "
    "or add an issuer"
)


def test_warnings_have_their_place() -> None:
    text = (
        f"{HEAD}cluster: {{context: c}}\nteams:\n  a: {{groups: [x]}}\n  b: {{groups: [y]}}\n"
        "tracking: {host: mlflow.acme.dev}\n"
        "artifacts: {mode: s3, bucket: acme}\n"
    )
    assert [str(warning) for warning in loads(text, "b.yaml").warnings] == [
        f"b.yaml:6:7: teams.a.groups: {NO_PAGE}",
        f"b.yaml:7:7: teams.b.groups: {NO_PAGE}",
        "b.yaml:9:1: artifacts: relies on EKS Pod Identity — neither `secret` nor `roleArn` is given — "
        "associate a role with the tracking server's ServiceAccount, or add one of the two",
    ]


def test_groups_that_the_cluster_itself_knows_are_nothing_to_warn_of() -> None:
    text = f"{HEAD}cluster: {{context: c}}\nteams: {{a: {{groups: [x]}}}}\n"
    assert loads(text, "b.yaml").warnings == ()
