"""What a rotation changes in a platform's objects, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from blueprints import load
from components.apps import Apps
from components.connections import edges
from components.credentials import FIXED, Credentials, Label
from components.rotation import rotatables
from stacks import program
from ziggurat.plan import Plan, plan
from ziggurat.plan.model import PlannedObject
from ziggurat.plan.recording import record
from ziggurat.plan.rendering import render_stream

ROOT_SECRET = "cm9vdHJvb3Ryb290cm9vdHJvb3Ryb290cm9vdHJvb3Q="
STARTER = """\
apiVersion: ziggurat/v1
name: acme
phase: starter
teams:
  vision: {users: {ada: {role: admin}, bob: {}}}
"""
OIDC = (
    STARTER
    + "tracking: {host: ml.acme.dev}\n"
    + "auth: {mode: oidc, issuer: 'https://login.acme.dev', clientSecret: {secretName: oidc},"
    + " adminGroups: [ml]}\n"
)
BROUGHT = (
    STARTER
    + "database: {mode: external, host: db.acme.dev, secret: {secretName: db}}\n"
    + "artifacts: {mode: s3, bucket: acme-ml, secret: {secretName: keys}}\n"
)


@pytest.fixture
def loaded_text(tmp_path: Path):
    def make(text: str = STARTER):
        file = tmp_path / "blueprint.yaml"
        file.write_text(text)
        return load(file)

    return make


def labels_of(loaded, *names: str) -> dict[str, int]:
    known = {item.name: item for item in rotatables(loaded.blueprint)}
    return {label: 1 for name in names for label in known[name].labels}


def secrets_of(loaded, rotations) -> dict[str, dict[str, str]]:
    """The values of each Secret, in clear."""
    found: dict[str, dict[str, str]] = {}

    def take(manifest: dict, values: dict) -> None:
        found[f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"] = dict(values)

    def run() -> None:
        original = pulumi.CustomResource.__init__

        def watching(self, kind, name, props=None, *rest, **more):
            if kind == "kubernetes:core/v1:Secret":
                pulumi.Output.from_input(props["stringData"]).apply(lambda values: take(props, values))
            original(self, kind, name, props, *rest, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pulumi.CustomResource, "__init__", watching)
            program.build(loaded, ROOT_SECRET, None, None, rotations)

    record(run)
    return found


def by_name(planned: Plan) -> dict[str, PlannedObject]:
    return {f"{each.kind} {each.name}": each for each in planned.objects}


def changes(loaded, *names: str) -> dict[str, set[str]]:
    """What a rotation adds, what it changes and which objects' secrets it changes."""
    rotations = labels_of(loaded, *names)
    before, after = (
        by_name(plan(loaded, ROOT_SECRET)),
        by_name(plan(loaded, ROOT_SECRET, rotations=rotations)),
    )
    clear, clear_after = secrets_of(loaded, {}), secrets_of(loaded, rotations)
    assert set(before) <= set(after)
    return {
        "added": set(after) - set(before),
        "changed": {name for name in before if before[name].manifest != after[name].manifest},
        "secrets": {name for name in clear if clear[name] != clear_after[name]},
    }


PASSWORDS_JOB = {
    "Job acme-database-passwords",
    *(
        f"{kind} acme/postgresql-passwords"
        for kind in ("ConfigMap", "Secret", "ServiceAccount", "NetworkPolicy")
    ),
}
UPGRADE, ACCOUNTS = "Job acme-tracking-upgrade", "Job acme-auth-accounts"
MLFLOW, SEAWEEDFS = "Deployment acme/mlflow", "StatefulSet acme/seaweedfs"


@pytest.mark.parametrize(
    ("name", "added", "changed", "secrets"),
    [
        ("database", PASSWORDS_JOB, {"NetworkPolicy acme/postgresql", UPGRADE, MLFLOW}, {"acme/postgresql"}),
        ("database-owner", PASSWORDS_JOB, {"NetworkPolicy acme/postgresql"}, {"acme/postgresql"}),
        ("bucket", set(), {SEAWEEDFS, MLFLOW}, {"acme/seaweedfs", "acme/seaweedfs-mlflow"}),
        (
            "bucket-provisioner",
            set(),
            {SEAWEEDFS, "Job acme-artifacts-bucket"},
            {"acme/seaweedfs", "acme/seaweedfs-provisioner"},
        ),
        ("sessions", set(), {MLFLOW}, {"acme/mlflow"}),
        ("admin", set(), {UPGRADE, ACCOUNTS}, {"acme/mlflow-admin"}),
        ("account:ada", set(), {ACCOUNTS}, {"acme/mlflow-accounts", "acme-vision/mlflow-ada"}),
    ],
)
def test_a_rotation_changes_what_it_says_and_nothing_else(loaded_text, name, added, changed, secrets):
    assert changes(loaded_text(), name) == {"added": added, "changed": changed, "secrets": secrets}


@pytest.mark.parametrize(
    ("name", "changed", "secrets"),
    [
        (
            "pipelines-database",
            {
                "StatefulSet acme/mysql",
                "Deployment acme/ml-pipeline-server",
                "Deployment acme/metadata-grpc-service",
            },
            {"acme/mysql", "acme/mysql-init"},
        ),
        (
            "pipelines-bucket",
            {SEAWEEDFS, "Deployment acme/ml-pipeline-server"},
            {"acme/seaweedfs", "acme/seaweedfs-pipelines", "acme-vision/kfp-artifacts"},
        ),
        ("pipelines-page", {"Deployment acme/ml-pipeline-ui"}, {"acme/ml-pipeline-ui"}),
    ],
)
def test_a_rotation_of_pipelines_changes_what_it_says(loaded_text, name, changed, secrets):
    text = OIDC.replace("starter", "orchestration") + "pipelines: {host: kfp.acme.dev}\n"
    assert changes(loaded_text(text), name) == {"added": set(), "changed": changed, "secrets": secrets}


def test_sessions_of_a_single_sign_on_are_the_proxys_too(loaded_text):
    found = changes(loaded_text(OIDC), "sessions")

    assert found["changed"] == {MLFLOW, "Deployment acme/oauth2-proxy"}
    assert found["secrets"] == {"acme/mlflow", "acme/oauth2-proxy"}


def test_rotating_everything_leaves_what_stored_data_is_encrypted_with(loaded_text):
    loaded = loaded_text()
    everything = labels_of(loaded, *(item.name for item in rotatables(loaded.blueprint)))
    before, after = secrets_of(loaded, {})["acme/mlflow"], secrets_of(loaded, everything)["acme/mlflow"]

    assert {key for key in before if before[key] != after[key]} == {"MLFLOW_FLASK_SERVER_SECRET_KEY"}
    assert set(before) - {"MLFLOW_FLASK_SERVER_SECRET_KEY"} == {
        "MLFLOW_CRYPTO_KEK_PASSPHRASE",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
    }


ARCHIVED = "database: {mode: highlyAvailable, archive: {}}\n"


def test_a_rotation_of_the_archive_s_key_is_the_bucket_s_alone(loaded_text):
    text = f"{STARTER}certificates: {{}}\n{ARCHIVED}".replace("starter", "orchestration")
    found = changes(loaded_text(text), "bucket-archive")

    assert found["secrets"] == {"acme/seaweedfs", "acme/seaweedfs-archive"}
    assert found["changed"] == {"StatefulSet acme/seaweedfs"}


def test_everything_that_the_components_derive_can_be_rotated_but_what_is_fixed(loaded_text):
    more = "backup: {}\npipelines: {host: kfp.acme.dev}\nmonitoring: {}\n"
    loaded = loaded_text((OIDC + more).replace("starter", "orchestration"))
    rotated = {label for item in rotatables(loaded.blueprint) for label in item.labels}
    labels = {value for name, value in vars(Label).items() if name.isupper()}
    cluster = loaded_text(f"{OIDC}certificates: {{}}\n{ARCHIVED}".replace("starter", "orchestration"))
    rotated |= {label for item in rotatables(cluster.blueprint) for label in item.labels}
    named = {Label.account(user) for user in ("admin", "ada", "bob")}
    named |= {Label.bucket_runs("vision"), Label.cookie("pipelines")}

    assert rotated == (labels | named) - FIXED


def test_what_is_brought_cannot_be_rotated(loaded_text):
    names = [item.name for item in rotatables(loaded_text(BROUGHT).blueprint)]

    assert names == ["sessions", "admin", "account:ada", "account:bob"]


def test_the_job_has_the_present_and_every_earlier_password_of_rotated_roles_alone(loaded_text):
    loaded = loaded_text()
    never, twice = secrets_of(loaded, {}), secrets_of(loaded, {Label.DATABASE_MLFLOW: 2})
    once = secrets_of(loaded, {Label.DATABASE_MLFLOW: 1})

    assert "acme/postgresql-passwords" not in never
    values = [found["acme/postgresql"]["mlflow"] for found in (never, once, twice)]
    assert len(set(values)) == 3
    assert json.loads(twice["acme/postgresql-passwords"]["passwords.json"]) == {
        "mlflow": {"present": values[2], "earlier": [values[1], values[0]]}
    }
    assert twice["acme/postgresql"]["postgres"] == never["acme/postgresql"]["postgres"]


def test_the_job_comes_after_the_server_and_before_whoever_logs_in(loaded_text):
    planned = plan(loaded_text(), ROOT_SECRET, rotations={Label.DATABASE_MLFLOW: 1})
    by_urn = {each.urn: each for each in planned.objects}

    def before(start: PlannedObject) -> set[str]:
        found: set[str] = set()
        todo = list(start.dependencies)
        while todo:
            urn = todo.pop()
            if urn not in found:
                found.add(urn)
                todo += by_urn[urn].dependencies if urn in by_urn else ()
        return {f"{by_urn[urn].kind} {by_urn[urn].name}" for urn in found if urn in by_urn}

    objects = by_name(planned)
    job = "Job acme-database-passwords"
    assert {"StatefulSet acme/postgresql", "NetworkPolicy acme/postgresql-passwords"} <= before(objects[job])
    assert PASSWORDS_JOB - {job} <= before(objects[job])
    assert job in before(objects[UPGRADE])
    assert job in before(objects[MLFLOW])
    assert not planned.schemas.problems


def test_the_job_fits_the_restricted_profile_and_shows_no_password(loaded_text):
    planned = plan(loaded_text(), ROOT_SECRET, rotations={Label.DATABASE_MLFLOW: 1})
    spec = by_name(planned)["Job acme-database-passwords"].manifest["spec"]["template"]["spec"]
    (main,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    assert main["securityContext"]["readOnlyRootFilesystem"]
    assert not [item for item in main["env"] if "PASSWORD" in item["name"] or "valueFrom" in item]
    assert main["args"] == ["/etc/ziggurat/passwords.json"]
    assert by_name(planned)["StatefulSet acme/postgresql"].manifest == (
        by_name(plan(loaded_text(), ROOT_SECRET))["StatefulSet acme/postgresql"].manifest
    )


def test_the_job_may_reach_the_database_and_nothing_else(loaded_text):
    blueprint, apps = loaded_text().blueprint, Apps.of("acme")
    more = set(edges(blueprint, apps, sets_passwords=True)) - set(edges(blueprint, apps))

    assert [(edge.source.name, edge.target.name, edge.port) for edge in more] == [
        ("postgresql-passwords", "postgresql", 5432)
    ]


def test_the_record_of_the_numbers_is_the_last_thing_and_not_there_without_any(loaded_text):
    def stashes(planned: Plan):
        return {each.name: each for each in planned.others if each.type == "pulumi:index:Stash"}

    never = plan(loaded_text(), ROOT_SECRET)
    once = plan(loaded_text(), ROOT_SECRET, rotations={Label.MLFLOW_FLASK: 1})

    assert set(stashes(never)) == {"blueprint"}
    kept = stashes(once)["rotations"]
    assert kept.inputs["input"] == {Label.MLFLOW_FLASK: 1}
    assert not kept.protected
    assert {each.urn for each in once.objects} <= set(kept.dependencies)


@pytest.mark.parametrize(
    ("rotations", "says"),
    [
        ({Label.MLFLOW_KEK: 1}, "must not change: mlflow/crypto-kek-passphrase"),
        ({Label.MLFLOW_WEBHOOKS: 1}, "must not change"),
        ({Label.MLFLOW_FLASK: -1}, "not negative"),
        ({Label.MLFLOW_FLASK: "1"}, "whole"),
        ({Label.MLFLOW_FLASK: True}, "whole"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(loaded_text, rotations, says):
    with pytest.raises(pulumi.RunError, match=says) as raised:
        program.build(loaded_text(), ROOT_SECRET, None, None, rotations)

    assert "ziggurat:rotations" in str(raised.value)


def test_no_password_present_or_earlier_shows_in_a_plan_with_rotations(loaded_text):
    loaded = loaded_text(OIDC)
    rotations = dict.fromkeys(labels_of(loaded, *(each.name for each in rotatables(loaded.blueprint))), 2)
    planned = plan(loaded, ROOT_SECRET, rotations=rotations)
    shown = repr(planned) + render_stream(planned)
    known: set[str] = set()

    def reveal() -> None:
        for number in range(3):
            credentials = Credentials("acme", ROOT_SECRET, dict.fromkeys(rotations, number))
            for label in rotations:
                for secret in (credentials.password(label), credentials.key(label)):
                    secret.apply(known.add)

    record(reveal)
    assert len(known) == 6 * len(rotations)
    assert not [value for value in known if value in shown]
