"""Kubeflow Trainer's own controller, and JobSet's, on the runtimes that a platform makes for its teams.

They run as processes of this machine (local_pods.py), each as the Deployment of its chart says, rendered with
the platform's values: arguments, configuration, ServiceAccount and its rights; and the API server calls their
webhooks. ZIGGURAT_TEST_TRAINER names a folder with `trainer-controller-manager` and `jobset-controller`;
ZIGGURAT_TEST_CHARTS one of charts (docs/testing.md says how they are made). Pods are simulated, and those of
Jobs succeed at once. Kueue is not there: nothing waits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asking
import local_charts
import local_pods
import own_accounts
import pytest
from local_pods import Pod
from people import Person

from ziggurat.cluster import Cluster, Refused

FOLDER = os.environ.get("ZIGGURAT_TEST_TRAINER", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not FOLDER, reason="ZIGGURAT_TEST_TRAINER names a folder of Trainer's programs"),
    pytest.mark.skipif(bool(local_charts.why_not()), reason=local_charts.why_not()),
    pytest.mark.skipif(bool(local_pods.why_not()), reason=local_pods.why_not()),
]

NAME = "trained"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
tracking: {{host: mlflow.acme.dev}}
auth:
  mode: oidc
  issuer: https://login.acme.dev
  clientSecret: {{secretName: oidc-client}}
  adminGroups: [ml-platform]
teams:
  vision: {{groups: [ml-vision], quota: {{cpu: 40, memory: 160Gi, gpus: 8}}, users: {{ada: {{role: admin}}}}}}
  pricing: {{groups: [ml-pricing]}}
gpuPools:
  a100: {{accelerator: nvidia-a100-80gb, gpusPerNode: 8, nodes: {{min: 1, max: 1}}}}
queues: {{}}
backup: {{}}
admission: {{}}
"""
LONG = 600
CHECKPOINTS = False
TEAM = f"{NAME}-vision"
TRAINER, JOBSET = "trainer.kubeflow.org/v1alpha1", "jobset.x-k8s.io/v1alpha2"
QUEUED = {"kueue.x-k8s.io/queue-name": "vision"}
IMAGE = "ghcr.io/acme/churn:1.4"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def controllers(machine, blueprint, up, until, tmp_path_factory) -> Iterator[list[Pod]]:
    """Both controllers first, as the charts come before the runtimes; then the platform's training."""
    blueprint.write_text(f"{BLUEPRINT}training: {{}}\n")
    local_charts.install(machine, blueprint, ("jobset", "kubeflow-trainer"))
    folder = tmp_path_factory.mktemp("pods")
    with own_accounts.given(machine), local_pods.opened(machine.cluster, NAME, folder) as pods:
        for name, service, program in (
            ("jobset-controller", "jobset-webhook-service", "jobset-controller"),
            (*("kubeflow-trainer-controller-manager",) * 2, "trainer-controller-manager"),
        ):
            local_charts.controller(pods, name, service, Path(FOLDER, program), until)
        ran = machine.finish(machine.start("up", blueprint, "--yes"), LONG)
        assert ran.code == 0, ran.text
        yield pods.running


@pytest.fixture(scope="module")
def ada(machine, controllers) -> Person:
    """A member of the team."""
    return Person(machine.cluster, "ada", "ml-vision")


def train_job(name: str, pool: str = "", labels: Object | None = None, **trainer: Any) -> Object:
    reference = {"kind": "TrainingRuntime", "name": f"torch-distributed{pool and f'-{pool}'}"}
    return {
        "apiVersion": TRAINER,
        "kind": "TrainJob",
        "metadata": {"name": name, "namespace": TEAM, "labels": labels or {}},
        "spec": {"runtimeRef": reference, "trainer": {"image": IMAGE, "command": ["torchrun"], **trainer}},
    }


def completed(cluster: Cluster, name: str) -> bool:
    found = cluster.find(TRAINER, "TrainJob", TEAM, name)
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Complete" and each["status"] == "True" for each in conditions)


def made(cluster: Cluster, kind: str, version: str, name: str) -> list[Object]:
    """What JobSet made for a TrainJob."""
    return cluster.objects(version, kind, TEAM, f"jobset.sigs.k8s.io/jobset-name={name}")


def container(pod: Object) -> Object:
    (found,) = pod["spec"]["containers"]
    return found


def variables(pod: Object) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(pod)["env"]}


@pytest.fixture(scope="module")
def nodes(machine, ada, until) -> list[Object]:
    """The pods of a TrainJob of two nodes without GPUs, which has come to its end."""
    asking.post(ada, train_job("plain", numNodes=2))
    until(lambda: completed(machine.cluster, "plain"))
    found = made(machine.cluster, "Pod", "v1", "plain")
    return sorted(
        found, key=lambda each: each["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
    )


@pytest.fixture(scope="module")
def gpu_nodes(machine, ada, until) -> list[Object]:
    """Those of one on the pool, with two GPUs each."""
    asked = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "2"}
    resources = {"requests": asked, "limits": {"memory": "32Gi", "nvidia.com/gpu": "2"}}
    asking.post(ada, train_job("large", "a100", QUEUED, numNodes=2, resourcesPerNode=resources))
    until(lambda: completed(machine.cluster, "large"))
    return made(machine.cluster, "Pod", "v1", "large")


def test_runtimes_pass_their_makers_validation(machine, controllers):
    for team in ("vision", "pricing"):
        found = asking.names(machine.cluster.objects(TRAINER, "TrainingRuntime", f"{NAME}-{team}"))
        assert found == ["torch-distributed", "torch-distributed-a100"]
    wrong = machine.cluster.find(TRAINER, "TrainingRuntime", TEAM, "torch-distributed")
    wrong["metadata"] = {"name": "wrong", "namespace": TEAM}
    job = wrong["spec"]["template"]["spec"]["replicatedJobs"][0]
    container(job["template"]["spec"]["template"])["name"] = "main"
    path = f"/apis/{TRAINER}/namespaces/{TEAM}/trainingruntimes?dryRun=All"
    with pytest.raises(Refused, match=r"validator\.trainingruntime.*must contain the required container"):
        machine.cluster.request("POST", path, wrong)


def test_a_train_job_becomes_pods_in_its_teams_namespace_and_completes(machine, nodes):
    job_set = machine.cluster.find(JOBSET, "JobSet", TEAM, "plain")
    assert job_set["metadata"]["ownerReferences"][0]["kind"] == "TrainJob"
    assert asking.names(made(machine.cluster, "Job", "batch/v1", "plain")) == ["plain-node-0"]
    assert len(nodes) == 2
    for each in nodes:
        assert each["spec"]["serviceAccountName"] == "team"
        assert each["spec"]["automountServiceAccountToken"] is False
        assert each["status"]["phase"] == "Succeeded"
        assert container(each)["image"] == IMAGE
        assert container(each)["resources"]["requests"] == {"cpu": "1", "memory": "4Gi"}


def test_its_nodes_know_mlflow_by_reference_and_each_other_by_name(machine, nodes):
    service = machine.cluster.find("v1", "Service", TEAM, "plain")
    assert service["spec"]["clusterIP"] == "None"
    for index, each in enumerate(nodes):
        told = variables(each)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD"):
            assert told[name]["secretKeyRef"] == {"name": "mlflow-ada", "key": name}
        assert machine.cluster.find("v1", "Secret", TEAM, "mlflow-ada") is not None
        assert (told["PET_NNODES"], told["PET_MASTER_ADDR"]) == ("2", "plain-node-0-0.plain")
        assert (each["spec"]["hostname"], each["spec"]["subdomain"]) == (f"plain-node-0-{index}", "plain")
        assert service["spec"]["selector"].items() <= each["metadata"]["labels"].items()


def test_its_nodes_may_talk_to_each_other_and_nobody_else_to_them(machine, nodes):
    policies = machine.cluster.objects("networking.k8s.io/v1", "NetworkPolicy", TEAM)
    labels = nodes[0]["metadata"]["labels"].items()

    def picks(policy: Object) -> bool:
        return policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels

    picked = [each for each in policies if picks(each)]
    assert asking.names(picked) == ["default-deny", "platform", "training"]
    (fence,) = [each["spec"] for each in picked if each["metadata"]["name"] == "training"]
    assert (fence["ingress"], fence["egress"]) == (
        [{"from": [{"podSelector": fence["podSelector"]}]}],
        [{"to": [{"podSelector": fence["podSelector"]}]}],
    )


def test_on_a_pool_they_are_placed_there_with_the_gpus_asked_for(machine, gpu_nodes):
    assert len(gpu_nodes) == 2
    for each in gpu_nodes:
        assert each["spec"]["nodeName"] == "a100-0"
        assert container(each)["resources"] == {
            "requests": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "2"},
            "limits": {"memory": "32Gi", "nvidia.com/gpu": "2"},
        }
        assert any(each["key"] == "nvidia.com/gpu" for each in each["spec"]["tolerations"])
        assert variables(each)["PET_NPROC_PER_NODE"] == "auto"


def test_what_a_train_job_does_not_ask_for_its_runtime_does_a_gpu_included(machine, ada, until):
    asked = {"resourcesPerNode": {"requests": {"cpu": "2"}}}
    asking.post(ada, train_job("small", "a100", QUEUED, **asked))
    until(lambda: completed(machine.cluster, "small"))
    (pod,) = made(machine.cluster, "Pod", "v1", "small")
    assert container(pod)["resources"] == {
        "requests": {"cpu": "2", "memory": "16Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "16Gi", "nvidia.com/gpu": "1"},
    }
    for more in ({}, asked):  # so it takes the way of the queue, whatever it asks for
        said = asking.refusal(ada, train_job("past", "a100", **more))
        assert "work that takes GPUs past the team's queue: runtime torch-distributed-a100" in said


@pytest.mark.parametrize("kind", ["TrainingRuntime", "ClusterTrainingRuntime"])
def test_a_runtime_that_is_not_there_is_refused_by_trainer(ada, kind):
    wrong = train_job("wrong")
    wrong["spec"]["runtimeRef"] = {"kind": kind, "name": "torch-tensor"}
    said = asking.refusal(ada, wrong)
    assert "validator.trainjob.trainer.kubeflow.org" in said
    assert "torch-tensor" in said


def test_a_variable_of_torchruns_own_is_refused_by_trainer(ada):
    said = asking.refusal(ada, train_job("wrong", env=[{"name": "PET_NNODES", "value": "9"}]))
    assert "must not have reserved envs" in said


def test_another_team_may_nothing_of_it_and_the_team_no_runtimes(machine, ada, nodes):
    eve = Person(machine.cluster, "eve", "ml-pricing")
    assert "cannot create resource" in asking.refusal(eve, train_job("foreign"))
    for path in (f"{TRAINER}/namespaces/{TEAM}/trainjobs/plain", f"{JOBSET}/namespaces/{TEAM}/jobsets"):
        assert ada.request("GET", f"/apis/{path}")
        with pytest.raises(Refused, match="cannot"):
            eve.request("GET", f"/apis/{path}")
    mine = machine.cluster.find(TRAINER, "TrainingRuntime", TEAM, "torch-distributed")
    own = {**mine, "metadata": {"name": "own", "namespace": TEAM}}
    assert "cannot create resource" in asking.refusal(ada, own)


@pytest.mark.parametrize(
    ("name", "trainer", "said"),
    [
        ("greedy", {"resourcesPerNode": {"requests": {"cpu": "49"}}}, "exceeded quota: quota"),
        ("foreign", {"image": "registry.elsewhere.dev/churn:1.4"}, "registries that are not allowed here"),
        ("moving", {"image": "ghcr.io/acme/churn:latest"}, "images that change without notice"),
    ],
)
def test_what_its_pods_may_not_is_told_by_events(machine, ada, until, name, trainer, said):
    asking.post(ada, train_job(name, **trainer))

    def told() -> bool:
        events = ada.request("GET", f"/api/v1/namespaces/{TEAM}/events")["items"]
        mine = [each for each in events if each["involvedObject"]["name"].startswith(name)]
        return any(said in each["message"] for each in mine)

    until(told)
    assert made(machine.cluster, "Pod", "v1", name) == []
    path = f"/apis/{TRAINER}/namespaces/{TEAM}/trainjobs/{name}"
    ada.request("DELETE", path)
    until(lambda: machine.cluster.find(JOBSET, "JobSet", TEAM, name) is None)


def test_no_controller_ended_or_was_refused_a_right(controllers, nodes, gpu_nodes):
    assert [each.name for each in controllers if each.process.poll() is not None] == []
    for each in controllers:
        denied = re.findall(r"User \S+ cannot \w+ resource.*", each.said)
        assert denied == [], each.name
        assert "Starting workers" in each.said, each.name
