"""`ziggurat evidence` of a platform on a real API server: what holds, what does not, what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "audited"
BLUEPRINT = """\
apiVersion: ziggurat/v1
name: audited
phase: enterprise
tracking: {host: mlflow.acme.dev}
auth:
  mode: oidc
  issuer: https://login.acme.dev
  clientSecret: {secretName: oidc-client}
  adminGroups: [ml-platform]
teams: {vision: {}, pricing: {}}
backup: {}
admission: {tags: Warn}
"""


@pytest.fixture(scope="module")
def blueprint(machine: Any) -> Any:
    path = machine.folder / f"{NAME}.yaml"
    path.write_text(BLUEPRINT)
    machine.run("up", path, "--yes", "--json")
    return path


Shown = Callable[[], dict[str, Any]]


@pytest.fixture
def shown(machine: Any, blueprint: Any) -> Shown:
    def call() -> dict[str, Any]:
        ran = machine.run("evidence", blueprint, "--json", code=None)
        return {"code": ran.code, **{each["control"]: each for each in ran.json["controls"]}}

    return call


def test_each_control_is_judged_by_what_is_on_the_cluster(shown: Shown) -> None:
    found = shown()

    assert {key: each["result"] for key, each in found.items() if key != "code"} == {
        "pod-security": "holds",
        "networks": "holds",
        "anonymous": "unknown",
        "isolation": "unknown",
        "quota": "holds",
        "tokens": "holds",
        "pipelines-identity": "absent",
        "database": "holds",
        "backups": "unknown",
        "backups-verified": "unknown",
        "database-archive": "absent",
        "database-availability": "absent",
        "encryption": "absent",
        "alerts": "absent",
        "images": "holds",
        "admission-registries": "holds",
        "admission-tags": "fails",
        "admission-requests": "holds",
        "admission-gpu-queue": "absent",
        "secrets": "holds",
    }
    assert found["code"] == 1
    assert "the action is Warn" in found["admission-tags"]["detail"]
    assert found["secrets"]["detail"] == "encrypted in the stack's state by `passphrase`"
    spaces = {f"Namespace {name}" for name in (NAME, f"{NAME}-pricing", f"{NAME}-vision")}
    assert set(found["pod-security"]["objects"]) == spaces
    assert all(each["at"].endswith("+00:00") for key, each in found.items() if key != "code")


def test_what_is_taken_away_is_missed(machine: Any, shown: Shown) -> None:
    cluster = machine.cluster
    cluster.delete("networking.k8s.io/v1", "NetworkPolicy", "audited-vision", "default-deny")
    cluster.delete(
        "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "", "audited-registries-deny"
    )
    space = cluster.request("GET", "/api/v1/namespaces/audited-vision")
    space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    cluster.request("PUT", "/api/v1/namespaces/audited-vision", space)

    found = shown()

    assert found["networks"]["result"] == "fails"
    assert "gone from the cluster: NetworkPolicy audited-vision/default-deny" in found["networks"]["detail"]
    assert found["pod-security"]["detail"] == "not `restricted`: Namespace audited-vision"
    assert found["admission-registries"]["result"] == "fails"


def test_markdown_goes_to_a_file_and_says_what_is_not_known(machine: Any, blueprint: Any) -> None:
    file = machine.folder / "evidence.md"

    ran = machine.run("evidence", blueprint, "--output", file, code=None)

    text = file.read_text()
    assert (ran.out, f"written: {file}" in ran.err) == ("", True)
    assert text.startswith("# Evidence: audited\n")
    assert "| Pods are restricted | **fails** | not `restricted`: Namespace audited-vision |" in text
    assert "## Not known\n\n- Nobody enters without an account: it was not tried" in text


def test_checks_are_not_made_where_nothing_serves(machine: Any, blueprint: Any) -> None:
    ran = machine.run("evidence", blueprint, "--check", code=4)

    assert "nothing serves in the sandbox" in ran.err


def test_a_platform_that_is_not_there_has_no_evidence(machine: Any) -> None:
    path = machine.blueprint("nowhere")

    assert "is not provisioned" in machine.run("evidence", path, code=1).err
