"""What the verbs print of a platform: previews, results, connections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ziggurat.engine.changes import Change, Edit, Outcome
from ziggurat.engine.connection import connection
from ziggurat.engine.runs import Applied, Destroyed, Preview, require_unblocked
from ziggurat.engine.state import Managed
from ziggurat.engine.target import Target, find_project
from ziggurat.errors import BlockedError, ZigguratError

TARGET = Target(
    platform="acme",
    stack="acme",
    sandbox=False,
    blueprint=Path("/p/b/acme.yaml"),
    work_dir=Path("/p"),
    project="ziggurat",
    config=Path("/p/Pulumi.acme.yaml"),
    kubeconfig=Path("/home/a b/config"),
    context="prod",
    pulumi=Path("/bin/pulumi"),
    version="3.259.0",
    variables={},
)
SANDBOX = replace(TARGET, sandbox=True)
OUTPUTS = {
    "trackingHost": None,
    "teams": {
        "vision": {
            "namespace": "acme-vision",
            "workspace": "vision",
            "users": {"ada": {"role": "admin", "secret": "mlflow-ada"}, "bob": {"secret": "mlflow-bob"}},
        },
        "pricing": {
            "namespace": "acme-pricing",
            "workspace": "pricing",
            "users": {"pricing": {"secret": "mlflow-pricing"}},
        },
    },
}


def change(
    operation: str, kind: str, name: str, *, data: bool = False, edits: tuple[Edit, ...] = ()
) -> Change:
    token = f"kubernetes:core/v1:{kind}"
    return Change(operation, f"urn::{token}::{name}", token, kind, name, "acme", data, edits)


def preview(*changes: Change, blocked: tuple[Change, ...] = ()) -> Preview:
    return Preview(TARGET, "starter", Outcome(changes), blocked)


def test_a_preview_lists_objects_by_operation_and_counts_them() -> None:
    edit = Edit("spec.replicas", 1, 2)
    shown = preview(
        change("delete", "Service", "old"),
        change("update", "Deployment", "mlflow", edits=(edit,)),
        change("create", "Secret", "new"),
        change("same", "Secret", "kept"),
    )

    assert shown.text().splitlines() == [
        "acme (starter) on context prod",
        "",
        "+ create   Secret acme/new",
        "~ update   Deployment acme/mlflow   spec.replicas",
        "- delete   Service acme/old",
        "",
        "1 to create, 1 to update, 1 to delete, 1 unchanged",
    ]
    assert "      spec.replicas: 1 -> 2" in shown.text(diff=True).splitlines()


def test_a_preview_without_change_says_so_in_one_line() -> None:
    assert (
        preview(change("same", "Secret", "kept"))
        .text()
        .endswith("no change: 1 objects are as the blueprint says")
    )


def test_a_preview_that_would_lose_data_says_how_to_allow_it() -> None:
    doomed = change("delete", "Namespace", "acme-vision", data=True)
    shown = preview(doomed, blocked=(doomed,))

    assert "BLOCKED: Namespace acme/acme-vision would lose data" in shown.text()
    with pytest.raises(BlockedError) as caught:
        require_unblocked(shown)
    assert "ziggurat up --delete Namespace/acme-vision" in caught.value.remedy


def test_a_result_says_how_to_go_on_and_that_pods_are_simulated() -> None:
    done = Applied(SANDBOX, "starter", Outcome((change("create", "Secret", "new"),)), teams=("vision",))

    assert "the sandbox (pods are simulated): 1 created" in done.text()
    assert "ziggurat connect /p/b/acme.yaml --team vision" in done.text()
    assert done.as_json()["simulated"] is True


def test_a_result_says_whose_data_is_gone() -> None:
    doomed = change("delete", "PersistentVolumeClaim", "katib-data", data=True)
    shown = preview(doomed)
    done = Applied(SANDBOX, "starter", shown.outcome, gone=(doomed,))

    assert "data gone: PersistentVolumeClaim acme/katib-data" in done.text()
    assert done.as_json()["dataGone"] == ["PersistentVolumeClaim acme/katib-data"]


def test_destroy_tells_kept_data_from_what_it_depends_on() -> None:
    def kept(kind: str, *, protected: bool) -> Managed:
        return Managed("urn", "v1", kind, "data", "acme", protected, {})

    shown = Destroyed(
        TARGET,
        Outcome((change("delete", "Service", "a"),)),
        (kept("PersistentVolumeClaim", protected=True), kept("NetworkPolicy", protected=False)),
        ("cloudnative-pg",),
    ).text()

    assert "1 objects deleted" in shown
    assert "and the charts that look after them: cloudnative-pg" in shown
    assert (
        "\n    PersistentVolumeClaim acme/data\n    and what these depend on: NetworkPolicy acme/data"
        in shown
    )


def test_a_connection_names_the_secret_and_quotes_for_the_shell() -> None:
    found = connection(TARGET, OUTPUTS, "vision", "ada")

    assert found.variables() == {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        "MLFLOW_TRACKING_USERNAME": "ada",
        "MLFLOW_WORKSPACE": "vision",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }
    assert found.password_command() == (
        "kubectl --kubeconfig '/home/a b/config' --context prod get secret mlflow-ada "
        "--namespace acme-vision -o 'jsonpath={.data.MLFLOW_TRACKING_PASSWORD}' | base64 -d"
    )
    assert "port-forward --namespace acme service/mlflow 5000:5000" in (found.port_forward() or "")


def test_with_a_host_there_is_no_port_forward() -> None:
    found = connection(TARGET, {**OUTPUTS, "trackingHost": "mlflow.acme.test"}, "pricing", None)

    assert found.variables()["MLFLOW_TRACKING_URI"] == "https://mlflow.acme.test"
    assert found.port_forward() is None


def test_a_connection_says_how_a_program_uses_pipelines_where_there_are_any() -> None:
    given = {"host": None, "serviceAccount": "pipeline-runner", "audience": "pipelines.kubeflow.org"}
    outputs = {**OUTPUTS, "pipelines": {**given, "port": 8888}}
    found = connection(TARGET, outputs, "vision", "ada")

    assert (
        "create token pipeline-runner --namespace acme-vision --audience pipelines.kubeflow.org"
        in found.text()
    )
    assert "port-forward --namespace acme service/ml-pipeline 8888:8888" in found.text()
    assert found.as_json()["pipelines"]["page"] is None
    assert "KFP" not in found.shell()  # evaluated by a shell, which may have no way to the cluster
    assert "pipelines" not in connection(TARGET, OUTPUTS, "vision", "ada").as_json()


@pytest.mark.parametrize(
    ("outputs", "team", "user", "said"),
    [
        ({}, "vision", None, "is not provisioned"),
        (OUTPUTS, "ops", None, "there is no team ops"),
        (OUTPUTS, "vision", None, "has several accounts"),
        (OUTPUTS, "vision", "eve", "has no account eve"),
    ],
)
def test_a_connection_that_cannot_be_made_says_why(outputs, team, user, said) -> None:
    with pytest.raises(ZigguratError, match=said) as caught:
        connection(TARGET, outputs, team, user)
    assert caught.value.remedy


def test_the_project_is_the_nearest_pulumi_yaml_above(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "Pulumi.yaml").touch()

    assert find_project(deep) == tmp_path / "a"
    with pytest.raises(ZigguratError, match=r"no Pulumi\.yaml") as caught:
        find_project(Path("/proc"))
    assert "ziggurat init" in caught.value.remedy


def test_the_program_is_told_the_blueprint_relative_to_the_project() -> None:
    assert TARGET.settings() == {"ziggurat:blueprint": "b/acme.yaml"}
    assert SANDBOX.settings()["ziggurat:context"] == "prod"
