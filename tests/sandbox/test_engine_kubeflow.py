"""Training, tuning, serving and notebooks on a real API server: from cold, twice, used, and gone again.

With ZIGGURAT_TEST_CRDS the definitions are those of their makers, and the API server validates every field of
what the platform makes and of what the documentation shows.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from documented import documented

from ziggurat.cluster import Refused
from ziggurat.exit_codes import ExitCode

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "acme-ml"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: orchestration
teams:
  vision: {{quota: {{cpu: 64, memory: 256Gi, gpus: 8}}, users: {{ada: {{role: admin}}, grace: {{}}}}}}
  pricing: {{}}
gpuPools:
  a100: {{accelerator: nvidia-a100-80gb, gpusPerNode: 8, nodes: {{min: 0, max: 2}}}}
queues: {{}}
certificates: {{}}
training: {{}}
serving: {{}}
tuning: {{}}
notebooks: {{}}
"""
LONG = 420
"""Seconds for a run on a busy machine: the definitions alone are four megabytes."""
GROUPS = ("trainer.kubeflow.org", "serving.kserve.io", "kubeflow.org")
"""API groups of what is provisioned here."""


def kinds(machine) -> set[str]:
    """The custom kinds of these groups that the cluster has."""
    listed = machine.cluster.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return {
        item["spec"]["names"]["kind"] for item in listed["items"] if item["spec"]["group"].startswith(GROUPS)
    }


def test_from_cold_everything_is_there_in_one_run(machine, up):
    assert {"TrainingRuntime", "TrainJob", "ServingRuntime", "InferenceService"} <= kinds(machine)
    for team in ("vision", "pricing"):
        for api_version, kind, name in (
            ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime", "torch-distributed-a100"),
            ("serving.kserve.io/v1alpha1", "ServingRuntime", "mlflow-a100"),
        ):
            assert machine.cluster.find(api_version, kind, f"{NAME}-{team}", name) is not None, (team, name)


def test_a_second_run_changes_nothing(machine, blueprint, up):
    ran = machine.finish(machine.start("up", blueprint, "--yes"), LONG)
    assert ran.code == 0, ran.text
    assert "no change" in ran.out


def test_something_is_documented():
    assert {each["kind"] for each in documented(*GROUPS)} == {
        "TrainJob",
        "InferenceService",
        "Experiment",
        "Notebook",
    }


@pytest.mark.skipif(not REAL, reason="no real definitions: set ZIGGURAT_TEST_CRDS")
@pytest.mark.parametrize("shown", documented(*GROUPS), ids=lambda shown: shown["kind"])
def test_the_api_server_takes_what_the_documentation_shows(machine, up, shown):
    plural = f"{shown['kind'].lower()}s"
    # In a team's namespace the API server asks Katib about Experiments, which does not run here.
    namespace = "default" if shown["kind"] == "Experiment" else shown["metadata"]["namespace"]
    shown = {**shown, "metadata": {**shown["metadata"], "namespace": namespace}}
    path = f"/apis/{shown['apiVersion']}/namespaces/{namespace}/{plural}?fieldValidation=Strict&dryRun=All"
    made = machine.cluster.request("POST", path, shown)
    assert made["metadata"]["uid"]


def test_in_a_teams_namespace_katib_is_asked_about_experiments(machine, up):
    """It is not installed here, so an Experiment is refused, for want of an answer."""
    shown = next(each for each in documented(*GROUPS) if each["kind"] == "Experiment")
    path = f"/apis/kubeflow.org/v1beta1/namespaces/{NAME}-vision/experiments?dryRun=All"
    with pytest.raises(Refused, match=r"experiment\.katib\.kubeflow\.org"):
        machine.cluster.request("POST", path, shown)


def test_a_pod_of_a_runtime_passes_the_namespaces_pod_security(machine, up):
    """The controllers are not installed here, so the test makes the pods that they would."""
    namespace = f"{NAME}-vision"
    runtime = machine.cluster.find(
        "trainer.kubeflow.org/v1alpha1", "TrainingRuntime", namespace, "torch-distributed"
    )
    template = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    serving = machine.cluster.find("serving.kserve.io/v1alpha1", "ServingRuntime", namespace, "mlflow")
    fetching = machine.cluster.find(
        "serving.kserve.io/v1alpha1", "ClusterStorageContainer", "", f"{NAME}-mlflow"
    )
    model = {
        "containers": serving["spec"]["containers"],
        "volumes": serving["spec"]["volumes"],
        "initContainers": [fetching["spec"]["container"]],
        "serviceAccountName": "team",
    }
    for spec in (template["spec"], model):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": spec}
        path = f"/api/v1/namespaces/{namespace}/pods?fieldValidation=Strict&dryRun=All"
        assert machine.cluster.request("POST", path, pod)["metadata"]["uid"]


def test_a_capability_with_data_goes_only_when_it_is_named(machine, blueprint, up):
    volume = f"PersistentVolumeClaim {NAME}/katib-data"
    blueprint.write_text(BLUEPRINT.replace("tuning: {}\n", ""))

    def run(*arguments: str) -> Any:
        return machine.finish(machine.start("up", blueprint, *arguments), LONG)

    refused = run("--yes")
    assert refused.code == ExitCode.BLOCKED
    assert f"the run would lose data: {volume}" in refused.err
    assert "--drop-data tuning" in refused.err
    wrong = run("--drop-data", "serving", "--confirm", NAME)
    assert "--drop-data names what loses no data in this run: serving" in wrong.err
    assert "whose data would go: tuning" in wrong.err
    assert "--confirm with the platform's name" in run("--drop-data", "tuning", "--yes").err
    assert "but this platform is" in run("--drop-data", "tuning", "--confirm", "other").err
    claims = ("v1", "PersistentVolumeClaim", NAME)
    assert machine.cluster.find(*claims, "katib-data") is not None

    gone = run("--drop-data", "tuning", "--confirm", NAME, "--json")
    assert gone.code == 0, gone.text
    assert gone.json["dataGone"] == [volume]
    kept = {claim["metadata"]["name"] for claim in machine.cluster.objects(*claims)}
    assert "katib-data" not in kept
    assert kept


def test_destroy_leaves_nothing_but_the_kinds_that_helm_leaves(machine, blueprint, up):
    command = machine.start("destroy", blueprint, "--with-data", "--confirm", NAME, "--json")
    ran = machine.finish(command, LONG)
    assert ran.code == 0, ran.text
    done = ran.json
    # With the definitions of cert-manager every certificate of the cluster would go; those in a chart's
    # `crds/`, as JobSet's, Helm leaves.
    kept = ("cert-manager.io", "jobsets.jobset.x-k8s.io")
    others = [each for each in done["left"] if not each.endswith(kept)]
    assert others == []
    assert "CustomResourceDefinition jobsets.jobset.x-k8s.io" in done["left"]
    assert kinds(machine) == set()
    assert machine.cluster.find("v1", "Namespace", "", NAME) is None
