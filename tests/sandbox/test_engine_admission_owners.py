"""The rule of queues for kinds whose controllers make the pods, on a real API server, by real definitions.

By the policy itself, without a platform: the rule needs neither Kueue nor the controllers.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from components.apps import Apps
from components.manifests import admission
from components.notebooks import controller_app, kind
from standin.definitions import by_name
from ziggurat.cluster import Cluster, Refused, plural

FOLDER = os.environ.get("ZIGGURAT_TEST_CRDS", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not FOLDER, reason="no real definitions: set ZIGGURAT_TEST_CRDS"),
]

NAME, TEAM = "owned", "owned-vision"
Object = dict[str, Any]
KINDS = ("TrainJob", "InferenceService", "Notebook", "Experiment")
DEFINITIONS = (
    "trainjobs.trainer.kubeflow.org",
    "inferenceservices.serving.kserve.io",
    "experiments.kubeflow.org",
)
GPU = {"limits": {"nvidia.com/gpu": "1"}}
CPU = {"requests": {"cpu": "1"}}


def pods(resources: Object) -> Object:
    container = {"name": "main", "image": "ghcr.io/acme/x:1", "resources": resources}
    return {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}


def train_job(resources: Object | None = None, runtime: str = "torch-distributed") -> Object:
    spec: Object = {"runtimeRef": {"kind": "TrainingRuntime", "name": runtime}}
    if resources is not None:
        spec["trainer"] = {"resourcesPerNode": resources}
    return made("trainer.kubeflow.org/v1alpha1", "TrainJob", spec)


def service(**predictor: Any) -> Object:
    return made("serving.kserve.io/v1beta1", "InferenceService", {"predictor": predictor})


def model(**more: Any) -> Object:
    return service(model={"modelFormat": {"name": "mlflow"}, "storageUri": "models:/a@b", **more})


def experiment(trial: Object) -> Object:
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
        "algorithm": {"algorithmName": "random"},
        "parameters": [{"name": "r", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}}],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [{"name": "r", "reference": "r"}],
            "trialSpec": trial,
        },
    }
    return made("kubeflow.org/v1beta1", "Experiment", spec)


def job(resources: Object) -> Object:
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": pods(resources)}


def inner(item: Object) -> Object:
    return {key: value for key, value in item.items() if key != "metadata"}


def made(version: str, kind: str, spec: Object) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "tried", "namespace": TEAM},
        "spec": spec,
    }


TAKES = {
    "TrainJob": train_job(GPU),
    "TrainJob by its runtime": train_job(runtime="torch-distributed-a100"),
    "TrainJob by its runtime, whose GPU it does not mention": train_job(CPU, "torch-distributed-a100"),
    "InferenceService": model(resources=GPU),
    "InferenceService by its runtime": model(runtime="mlflow-a100"),
    "InferenceService of containers": service(
        containers=[{"name": "m", "image": "ghcr.io/acme/x:1", "resources": GPU}]
    ),
    "Notebook": made("kubeflow.org/v1", "Notebook", pods(GPU)),
    "Experiment of Jobs": experiment(job(GPU)),
    "Experiment of TrainJobs": experiment(inner(train_job(runtime="torch-distributed-a100"))),
}
TAKES_NONE = {
    "TrainJob": train_job(),
    "InferenceService": model(resources=CPU),
    "InferenceService of a runtime": model(runtime="mlflow"),
    "Notebook": made("kubeflow.org/v1", "Notebook", pods(CPU)),
    "Experiment of Jobs": experiment(job(CPU)),
    "Experiment of TrainJobs": experiment(inner(train_job())),
    "Experiment from a ConfigMap": experiment(job(CPU)),
}
del TAKES_NONE["Experiment from a ConfigMap"]["spec"]["trialTemplate"]["trialSpec"]
TAKES_NONE["Experiment from a ConfigMap"]["spec"]["trialTemplate"]["configMap"] = {
    "configMapName": "c", "configMapNamespace": TEAM, "templatePath": "t",
}  # fmt: skip


def labelled(item: Object, queue: str) -> Object:
    item = copy.deepcopy(item)
    home = item["spec"]["trialTemplate"]["trialSpec"] if item["kind"] == "Experiment" else item
    home.setdefault("metadata", {})["labels"] = {admission.QUEUE_LABEL: queue}
    return item


def answer(cluster: Cluster, item: Object) -> str:
    """What the API server says to an object, which it does not keep; empty if it would take it."""
    path = f"/apis/{item['apiVersion']}/namespaces/{TEAM}/{plural(item['kind'])}?dryRun=All"
    try:
        cluster.request("POST", path, item)
    except Refused as refused:
        return refused.message
    return ""


def taken(cluster: Cluster, item: Object) -> bool:
    return answer(cluster, item) == ""


@pytest.fixture(scope="module")
def cluster(machine: Any, until: Callable[..., Any]) -> Any:
    """The cluster, with the kinds, a team's namespace and the policy in force."""
    found: Cluster = machine.cluster
    app = Apps.of(NAME).admission
    definitions = list(by_name(FOLDER, DEFINITIONS).values())
    definitions.append(kind(controller_app(Apps.of(NAME).platform)))
    space = {**app.labels, "ziggurat.dev/team": "vision"}
    rule = admission.gpu_owners(KINDS, ("torch-distributed-a100", "mlflow-a100"))
    put = [("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", each) for each in definitions] + [
        (
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TEAM, "labels": space}},
        ),
        *(
            (f"/apis/{each['apiVersion']}/{plural(each['kind'])}", each)
            for each in (admission.policy(app, rule), admission.binding(app, rule, "Deny"))
        ),
    ]
    for path, each in put:
        found.request("POST", path, each)
    for item in (train_job(), model(), made("kubeflow.org/v1", "Notebook", pods(CPU)), experiment(job(CPU))):
        until(partial(taken, found, item))
    until(lambda: "gpu-queue" in answer(found, train_job(GPU)))
    yield found
    for path, each in reversed(put):
        found.request("DELETE", f"{path}/{each['metadata']['name']}")


@pytest.mark.parametrize("what", TAKES)
def test_what_takes_gpus_has_to_name_its_teams_queue(cluster: Cluster, what: str) -> None:
    said = answer(cluster, TAKES[what])
    assert "work that takes GPUs past the team's queue: " in said
    assert "To do: label the object (of an Experiment: its trialSpec)" in said
    assert "owned-gpu-queue-owners" in answer(cluster, labelled(TAKES[what], "pricing"))
    assert answer(cluster, labelled(TAKES[what], "vision")) == ""


@pytest.mark.parametrize("what", TAKES_NONE)
def test_what_takes_none_need_not(cluster: Cluster, what: str) -> None:
    assert answer(cluster, TAKES_NONE[what]) == ""


def test_a_notebook_is_looked_at_for_its_image_as_a_deployment_is(cluster: Cluster, until: Any) -> None:
    app, rule = Apps.of(NAME).admission, admission.tags()
    for each in (admission.policy(app, rule), admission.binding(app, rule, "Deny")):
        cluster.request("POST", f"/apis/{each['apiVersion']}/{plural(each['kind'])}", each)
    moving, stays = copy.deepcopy(TAKES_NONE["Notebook"]), TAKES_NONE["Notebook"]
    moving["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/acme/x:latest"
    until(lambda: "images that change without notice" in answer(cluster, moving))
    assert answer(cluster, stays) == ""
    moving["apiVersion"] = "kubeflow.org/v1beta1"
    assert "main: ghcr.io/acme/x:latest" in answer(cluster, moving)


def test_the_api_server_finds_nothing_to_warn_of(cluster: Cluster) -> None:
    policies = cluster.objects("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "")
    ours = [each for each in policies if each["metadata"]["name"].startswith(NAME)]
    assert len(ours) == 2
    for each in ours:
        assert "expressionWarnings" not in each.get("status", {}).get("typeChecking", {}), each["status"]
