"""What pipelines are configured by: documents, statements, rights."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from blueprints.model.pipelines import Pipelines
from blueprints.model.storage import EmbeddedArtifacts, GcsArtifacts, S3Artifacts, SecretRef
from blueprints.model.teams import Team, User
from components.manifests.metadata import App
from components.pipelines import page, rights
from components.pipelines.configuration import Pages, api_config, launcher, workflow_config
from components.pipelines.controllers import schedule_pod
from components.pipelines.database import init_statements
from components.pipelines.definitions import definitions
from components.pipelines.parts import Parts
from components.pipelines.stores import engine_store, run_store
from components.pipelines.teams import account_of
from components.scripts import script
from components.versions import ImageSource

PARTS = Parts.of("acme")
SEAWEEDFS = App("acme", "acme", "seaweedfs", "artifacts")
KEYS = SecretRef(secret_name="keys")
STORES = {
    "embedded": EmbeddedArtifacts(),
    "minio": S3Artifacts(mode="s3", bucket="lake", endpoint="http://minio.io:9000", secret=KEYS),
    "aws": S3Artifacts(
        mode="s3", bucket="lake", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/m"
    ),
    "gcs": GcsArtifacts(mode="gcs", bucket="lake", secret=KEYS),
    "gcs-identity": GcsArtifacts(
        mode="gcs", bucket="lake", service_account="mlflow@acme.iam.gserviceaccount.com"
    ),
}


def of(store: str, team: str = "vision") -> dict[str, str]:
    return launcher(run_store(STORES[store], SEAWEEDFS), team)


@pytest.mark.parametrize("store", STORES)
def test_a_team_has_a_root_of_its_own_and_says_how_to_enter_it(store):
    document = of(store)
    scheme, _, where = document["defaultPipelineRoot"].partition("://")
    providers = json.loads(document["providers"])

    assert where.endswith("/kfp/vision")
    # A root without its provider would be looked for in `seaweedfs.kubeflow:9000`.
    assert list(providers) == [scheme]
    assert scheme in ("s3", "gs")
    assert "?" not in document["defaultPipelineRoot"]  # a query would make it forget the Secret


@pytest.mark.parametrize(
    ("store", "endpoint", "plain"),
    [
        ("embedded", "http://seaweedfs.acme.svc.cluster.local:8333", True),
        ("minio", "http://minio.io:9000", True),
        ("aws", "https://s3.eu-west-1.amazonaws.com", False),
    ],
)
def test_runs_find_the_bucket(store, endpoint, plain):
    default = json.loads(of(store)["providers"])["s3"]["default"]

    assert (default["endpoint"], default["disableSSL"]) == (endpoint, plain)
    by_secret = default["credentials"].get("secretRef", {}).get("secretName")
    assert by_secret == (None if store == "aws" else "kfp-artifacts")
    assert default["credentials"]["fromEnv"] == (store == "aws")


def test_a_team_may_set_nothing_of_the_plugin_but_what_2_17_takes_there():
    plugin = json.loads(of("embedded")["plugins.mlflow"])

    assert list(plugin) == ["settings"]
    allowed = {"experimentDescription", "defaultExperimentName", "injectUserEnvVars", "credentialSecretRef"}
    assert set(plugin["settings"]) <= allowed
    assert set(plugin["settings"]["credentialSecretRef"]) == {"usernameKey", "passwordKey"}


def config(store: str = "embedded", pages: Pages | None = None, **chosen: object) -> dict:
    found = engine_store(STORES[store], SEAWEEDFS).config
    return api_config(
        Pipelines(**chosen), PARTS, ("mysql", 3306), found, ("pricing", "vision"), pages or Pages()
    )


def test_runs_go_to_our_mlflow_each_into_its_teams_workspace():
    plugin = config(experiment="nightly")["plugins"]["mlflow"]

    assert plugin["namespaces"] == {
        f"acme-{team}": {"endpoint": f"http://ml-pipeline.acme.svc.cluster.local:5000/teams/{team}"}
        for team in ("pricing", "vision")
    }
    settings = plugin["settings"]
    # Left out, the plugin logs in by a Kubernetes token and takes the namespace for a workspace.
    assert (settings["authType"], settings["workspacesEnabled"]) == ("basic-auth", False)
    assert (settings["defaultExperimentName"], settings["injectUserEnvVars"]) == ("nightly", True)
    assert "opendatahub" not in json.dumps(config())


def test_links_lead_to_pages_that_are_there():
    assert "kfpBaseURL" not in config()["plugins"]["mlflow"]["settings"]
    settings = config(pages=Pages("kfp.acme.net", "ml.acme.net"))["plugins"]["mlflow"]["settings"]
    assert (settings["kfpBaseURL"], settings["mlflowBaseURL"]) == (
        "https://kfp.acme.net",
        "https://ml.acme.net",
    )


def test_nothing_belongs_to_everybody():
    found = config()

    assert found["MULTIUSER"] == found["REQUIRE_NAMESPACE_FOR_PIPELINES"] == "true"
    assert found["KUBEFLOW_USERID_PREFIX"] == ""
    assert found["DEFAULT_SECURITY_CONTEXT_RUN_AS_NON_ROOT"] == "true"


def test_the_api_server_does_not_end_for_want_of_a_variable():
    for name in (
        "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_HOST",
        "ML_PIPELINE_VISUALIZATIONSERVER_SERVICE_PORT",
        "VISUALIZATIONSERVICE_NAME",
        "VISUALIZATIONSERVICE_PORT",
        "InitConnectionTimeout",
        "DBDriverName",
    ):
        assert config()[name]


@pytest.mark.parametrize("store", STORES)
def test_the_api_server_is_told_a_host_and_never_the_images_own_keys(store):
    found = engine_store(STORES[store], SEAWEEDFS)

    assert found.config["Host"]
    assert found.config["AccessKey"] == found.config["SecretAccessKey"] == ""
    given = {variable["name"] for variable in found.env}
    assert given == {"OBJECTSTORECONFIG_ACCESSKEY", "OBJECTSTORECONFIG_SECRETACCESSKEY"}


def test_every_container_of_a_run_has_one_user_that_is_not_root():
    executor = json.loads(workflow_config(Pipelines())["executor"])

    assert executor["securityContext"]["runAsUser"] == int(config()["DEFAULT_SECURITY_CONTEXT_RUN_AS_USER"])
    assert executor["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert executor["resources"]["requests"].keys() == {"cpu", "memory"}


def test_finished_runs_stay_as_long_as_is_said():
    found = workflow_config(Pipelines(keep_finished_hours=3, parallelism=7))

    assert json.loads(found["workflowDefaults"])["spec"]["ttlStrategy"]["secondsAfterCompletion"] == 10800
    assert found["namespaceParallelism"] == "7"
    assert "namespaceParallelism" not in workflow_config(Pipelines())


def test_definitions_are_small_and_keep_every_field():
    found = definitions(PARTS.engine)

    assert {each["metadata"]["name"] for each in found} >= {
        "workflows.argoproj.io",
        "workflowtaskresults.argoproj.io",
        "scheduledworkflows.kubeflow.org",
    }
    assert len(json.dumps(found)) < 8000
    for each in found:
        (version,) = each["spec"]["versions"]
        assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True


def test_runs_log_in_as_a_user_of_the_team_that_manages_nothing():
    team = Team(users={"ada": User(role="admin"), "robot": User(), "zoe": User()})

    assert account_of(team, "vision") == "robot"
    assert account_of(Team(), "vision") == "vision"


def test_statements_make_two_users_that_own_a_database_each():
    statements = init_statements({"root": "r", "mlpipeline": "p", "metadb": "m"}).splitlines()

    assert "GRANT ALL PRIVILEGES ON mlpipeline.* TO 'mlpipeline'@'%';" in statements
    assert not [each for each in statements if "*.*" in each]
    assert all(each.endswith(";") for each in statements)


def test_the_page_knows_where_everything_is():
    found = page.settings(PARTS)

    assert found["ML_PIPELINE_SERVICE_PORT"] == "8889"  # where names are believed
    assert found["ENABLE_AUTHZ"] == "true"
    assert found["KUBEFLOW_USERID_HEADER"] == "x-forwarded-email"
    assert json.loads(page.files("acme", ["vision"])["ziggurat_teams.json"]) == {"vision": "acme-vision"}


WRITE = {"create", "update", "patch", "delete", "deletecollection"}


def test_no_part_may_change_anything_outside_of_the_teams_namespaces():
    for each in rights.rights(PARTS, page=True):
        for rule in each.everywhere:
            assert "*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
            asked = rule["apiGroups"][0] in ("authorization.k8s.io", "authentication.k8s.io")
            assert asked or not WRITE & set(rule["verbs"]), (each.part.name, rule)


def test_a_driver_may_read_when_its_run_was_scheduled():
    """By its Workflow's label (2.17.0, v2/cmd/driver); without the right it takes the time of creation."""
    (rule,) = (each for each in rights.runner_rules() if "workflows" in each["resources"])
    assert (rule["apiGroups"], rule["verbs"]) == (["argoproj.io"], ["get"])


def test_schedules_run_nothing_of_version_1_either():
    """Its controller makes runs of pinned versions itself (2.17.0) and asks its own environment."""
    pod = schedule_pod(PARTS, ImageSource())
    env = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
    document = api_config(Pipelines(), PARTS, ("mysql", 3306), {}, ("vision",), Pages())
    assert env["BLOCK_V1_PIPELINES"] == document["BLOCK_V1_PIPELINES"] == "true"


def test_secrets_are_read_by_name():
    rules = [rule for each in rights.rights(PARTS, page=True) for rule in (*each.everywhere, *each.teams)]
    for rule in (*rules, *rights.runner_rules(), *rights.member_rules()):
        if "secrets" in rule["resources"]:
            assert rule["resourceNames"]
            assert rule["verbs"] == ["get"]


def run_metadata(tmp_path: Path, password: str) -> str:
    """What the metadata store would read, by the script that starts it."""
    file = tmp_path / "store.pbtxt"
    text = script("metadata.sh").replace("/tmp/store.pbtxt", str(file))
    text = text.replace("exec /bin/metadata_store_server", "exec echo")
    variables = {
        "DATABASE_HOST": "mysql",
        "DATABASE_PORT": "3306",
        "DATABASE_NAME": "metadb",
        "DATABASE_USER": "metadb",
        "DATABASE_PASSWORD": password,
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        ["sh", "-c", text, "metadata.sh", "8080"], env=variables, capture_output=True, text=True, check=True
    )
    assert password not in done.stdout
    assert "--grpc_port=8080" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


@pytest.mark.parametrize("password", ["plain-_1", 'quo"te', "back\\slash", "dol$lar `tick` 'q'"])
def test_the_metadata_store_reads_any_password_from_a_file(tmp_path, password):
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    assert f'password: "{escaped}"' in run_metadata(tmp_path, password)


def test_an_interrupted_preparation_of_mysql_is_begun_anew(tmp_path):
    program = tmp_path / "mysqld"
    program.write_text(
        '#!/bin/sh\necho "$@" >>"$LOG"\n'
        'for a in "$@"; do case $a in --datadir=*) mkdir "${a#*=}" 2>/dev/null;; esac; done\n'
        "exit ${FAIL:-0}\n"
    )
    program.chmod(0o755)
    log, folder = tmp_path / "log", tmp_path / "volume"
    folder.mkdir()

    def start(**more: str) -> list[str]:
        log.write_text("")
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log), **more}
        text = script("mysql.sh")
        subprocess.run(["sh", "-c", text, "mysql.sh", str(folder), "/init.sql"], env=environment, check=False)
        return log.read_text().splitlines()

    assert [line.split()[0] for line in start(FAIL="1")] == ["--initialize-insecure"]
    assert not (folder / "data").exists()
    first, second = start()
    assert first.startswith("--initialize-insecure")
    assert "--init-file=/init.sql" in second
    assert f"--datadir={folder}/data " in second
    (third,) = start()
    assert third == second
