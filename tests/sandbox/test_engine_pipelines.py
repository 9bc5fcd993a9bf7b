"""Pipelines on a real API server: provisioned from cold, runs' pods admitted, and who may do what.

The containers of Kubeflow Pipelines do not run here. What stands for them: the questions that they ask
Kubernetes (SubjectAccessReview by name alone, TokenReview), and pods as Argo 4.0.5 and Kubeflow Pipelines
2.17.0 make them.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import tokens

from ziggurat.cluster import Cluster, Refused

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "runs"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: orchestration
teams:
  vision: {{members: [ada@acme.net], groups: [ml-vision]}}
  pricing: {{members: [grace@acme.net]}}
tracking: {{host: mlflow.acme.net}}
auth: {{mode: oidc, issuer: "https://login.acme.net", clientSecret: {{secretName: oidc-client}}}}
pipelines: {{host: pipelines.acme.net}}
"""
VISION, PRICING = f"{NAME}-vision", f"{NAME}-pricing"
AUDIENCE = "pipelines.kubeflow.org"
LONG = 600
"""Seconds: some 190 objects take a busy machine minutes."""


@pytest.fixture(scope="module")
def cluster(machine: Any, up: Any) -> Cluster:
    return machine.cluster


def allowed(cluster: Cluster, user: str, verb: str, resource: str, namespace: str = "", **more: str) -> bool:
    """The question that the API server of pipelines asks: of a name, without groups."""
    attributes = {"verb": verb, "resource": resource, "namespace": namespace, "group": AUDIENCE, **more}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    answer = cluster.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return answer["status"]["allowed"]


def account(namespace: str, name: str = "pipeline-runner") -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def test_a_second_run_changes_nothing(machine, blueprint, up):
    assert "no change" in machine.run("up", blueprint, "--yes").out


@pytest.mark.parametrize("user", [account(VISION), account(VISION, "team"), "ada@acme.net"])
def test_a_team_uses_pipelines_in_its_namespace_and_in_no_other(cluster, user):
    asked = [
        (verb, resource)
        for resource, verbs in {
            "pipelines": ("create", "get", "list", "update", "delete"),
            "experiments": ("create", "get", "list", "archive", "unarchive", "delete"),
            "runs": ("create", "get", "list", "archive", "delete", "terminate", "retry", "readArtifact"),
            "jobs": ("create", "get", "list", "enable", "disable", "delete"),
        }.items()
        for verb in verbs
    ]
    assert [each for each in asked if not allowed(cluster, user, *each, VISION)] == []
    for namespace in (PRICING, NAME, "default", ""):
        assert [each for each in asked if allowed(cluster, user, *each, namespace)] == [], namespace


def test_the_page_shows_pods_and_artifacts_to_members_alone(cluster):
    assert allowed(cluster, "ada@acme.net", "get", "viewers", VISION, group="kubeflow.org")
    assert not allowed(cluster, "ada@acme.net", "get", "viewers", PRICING, group="kubeflow.org")


@pytest.mark.parametrize("user", ["eve@acme.net", account("default", "default"), account(VISION, "default")])
def test_nobody_else_uses_them(cluster, user):
    for namespace in (VISION, PRICING, NAME):
        assert not allowed(cluster, user, "list", "runs", namespace)


@pytest.mark.parametrize("user", ["ada@acme.net", account(VISION)])
@pytest.mark.parametrize("resource", ["workflows", "scheduledworkflows"])
def test_no_team_reports_what_became_of_runs(cluster, user, resource):
    agent = account(NAME, "ml-pipeline-persistenceagent")
    assert allowed(cluster, agent, "report", resource)
    assert not allowed(cluster, user, "report", resource)
    assert not allowed(cluster, user, "report", resource, VISION)


def test_a_token_for_pipelines_says_whose_it_is_and_one_for_kubernetes_does_not(cluster):
    def reviewed(*audiences: str) -> dict[str, Any]:
        token = tokens.of_account(cluster, VISION, "pipeline-runner", *audiences)
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        return cluster.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]

    ours = reviewed(AUDIENCE)
    assert (ours["authenticated"], ours["user"]["username"]) == (True, account(VISION))
    assert ours["audiences"] == [AUDIENCE]
    assert not reviewed().get("authenticated")


ARGO = {"group": "argoproj.io"}
CORE = {"group": ""}


@pytest.mark.parametrize(
    ("part", "verb", "resource", "more"),
    [
        ("ml-pipeline-server", "create", "workflows", ARGO),
        ("ml-pipeline-server", "create", "scheduledworkflows", {"group": "kubeflow.org"}),
        ("ml-pipeline-server", "get", "configmaps", CORE | {"name": "kfp-launcher"}),
        ("ml-pipeline-server", "get", "secrets", CORE | {"name": "kfp-mlflow-credentials"}),
        ("ml-pipeline-scheduledworkflow", "update", "scheduledworkflows", {"group": "kubeflow.org"}),
        ("ml-pipeline-scheduledworkflow", "create", "runs", {}),
        ("workflow-controller", "create", "pods", CORE),
        ("workflow-controller", "update", "workflows", ARGO),
        ("workflow-controller", "deletecollection", "workflowtaskresults", ARGO),
        ("ml-pipeline-ui", "get", "pods", CORE | {"subresource": "log"}),
        ("ml-pipeline-ui", "get", "secrets", CORE | {"name": "kfp-artifacts"}),
    ],
)
def test_parts_act_in_the_teams_namespaces_alone(cluster, part, verb, resource, more):
    def may(namespace: str) -> bool:
        return allowed(cluster, account(NAME, part), verb, resource, namespace, **more)

    assert may(VISION)
    assert may(PRICING)
    assert not may("default")
    assert not may("kube-system")


@pytest.mark.parametrize(
    "part", ["ml-pipeline-server", "workflow-controller", "ml-pipeline-ui", "ml-pipeline"]
)
def test_no_part_reads_other_secrets(cluster, part):
    for namespace in (VISION, NAME, "kube-system"):
        for verb in ("get", "list"):
            assert not allowed(cluster, account(NAME, part), verb, "secrets", namespace, **CORE)


def test_a_run_may_do_little_in_its_namespace_and_nothing_elsewhere(cluster):
    runner = account(VISION)
    may = [
        ("create", "workflowtaskresults", ARGO),
        ("get", "secrets", CORE | {"name": "kfp-artifacts"}),
        ("get", "configmaps", CORE | {"name": "kfp-launcher"}),
        ("create", "persistentvolumeclaims", CORE),
    ]
    for verb, resource, more in may:
        assert allowed(cluster, runner, verb, resource, VISION, **more), resource
        assert not allowed(cluster, runner, verb, resource, PRICING, **more), resource
    for verb, resource, more in (
        ("create", "pods", CORE),
        ("create", "workflows", ARGO),
        ("get", "secrets", CORE | {"name": "mlflow-vision"}),
        ("create", "rolebindings", {"group": "rbac.authorization.k8s.io"}),
    ):
        assert not allowed(cluster, runner, verb, resource, VISION, **more), resource


def test_custom_resources_keep_every_field(cluster):
    spec = {"entrypoint": "root", "templates": [{"name": "root", "dag": {"tasks": []}}]}
    kinds = {
        ("argoproj.io/v1alpha1", "Workflow"): {"spec": spec, "status": {"phase": "Succeeded"}},
        ("argoproj.io/v1alpha1", "WorkflowTaskResult"): {"phase": "Succeeded", "outputs": {"exitCode": "0"}},
        ("kubeflow.org/v1beta1", "ScheduledWorkflow"): {"spec": {"enabled": True}, "status": {}},
    }
    for (version, kind), fields in kinds.items():
        made = {"apiVersion": version, "kind": kind, "metadata": {"name": "kept"}, **fields}
        path = f"/apis/{version}/namespaces/{VISION}/{kind.lower()}s"
        found = cluster.request("POST", f"{path}?fieldValidation=Strict", made)
        assert {key: found[key] for key in fields} == fields
        cluster.request("DELETE", f"{path}/kept")


# --- pods of runs, as they are made ---------------------------------------------------------------

HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Of every container that Kubeflow Pipelines makes (argocompiler/security_context.go)."""
ASKED = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}


def made_pod(cluster: Cluster, main: dict[str, Any], *, launcher: bool) -> dict[str, Any]:
    """A pod of a run: Argo's containers as its configuration says, Kubeflow Pipelines' beside them."""
    config = cluster.find("v1", "ConfigMap", NAME, "workflow-controller")["data"]
    executor = {**json.loads(config["executor"]), "image": "quay.io/argoproj/argoexec:v4.0.5"}
    first = [{"name": "init", **executor}]
    if launcher:
        context = HARDENED | {"runAsNonRoot": True}
        image = "ghcr.io/kubeflow/kfp-launcher:2.17.0"
        first.append({"name": "kfp-launcher", "image": image, "securityContext": context, "resources": ASKED})
    env = json.loads(config["mainContainer"])["env"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "task" if launcher else "driver",
            "labels": {"pipelines.kubeflow.org/v2_component": "true"},
        },
        "spec": {
            "serviceAccountName": "pipeline-runner",
            "restartPolicy": "Never",
            # A task's own image may be root's: the pod says nothing of users, a driver's does.
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}
            | ({} if launcher else {"runAsNonRoot": True}),
            "initContainers": first,
            "containers": [{"name": "wait", **executor}, {"name": "main", "env": env, **main}],
        },
    }


def task(cluster: Cluster) -> dict[str, Any]:
    """A task: it says nothing of itself, so it is what the API server's defaults make of it."""
    document = cluster.find("v1", "ConfigMap", NAME, "ml-pipeline-server")["data"]["config.json"]
    config = json.loads(document)
    context = HARDENED | {
        "runAsUser": int(config["DEFAULT_SECURITY_CONTEXT_RUN_AS_USER"]),
        "runAsGroup": int(config["DEFAULT_SECURITY_CONTEXT_RUN_AS_GROUP"]),
        "runAsNonRoot": config["DEFAULT_SECURITY_CONTEXT_RUN_AS_NON_ROOT"] == "true",
    }
    return made_pod(cluster, {"image": "python:3.12", "securityContext": context}, launcher=True)


def driver(cluster: Cluster) -> dict[str, Any]:
    context = HARDENED | {"runAsNonRoot": True}
    image = "ghcr.io/kubeflow/kfp-driver:2.17.0"
    return made_pod(cluster, {"image": image, "securityContext": context, "resources": ASKED}, launcher=False)


def admit(cluster: Cluster, pod: dict[str, Any]) -> dict[str, Any]:
    return cluster.request("POST", f"/api/v1/namespaces/{VISION}/pods?dryRun=All", pod)


@pytest.mark.parametrize("kind", [driver, task])
def test_pods_of_runs_are_admitted_by_pod_security_and_quota(cluster, kind):
    found = admit(cluster, kind(cluster))

    volumes = found["spec"]["volumes"]
    assert any(volume["name"].startswith("kube-api-access") for volume in volumes)  # executor and launcher
    for container in (*found["spec"]["initContainers"], *found["spec"]["containers"]):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), container["name"]


def test_without_our_defaults_a_task_would_be_refused(cluster):
    pod = copy.deepcopy(task(cluster))
    del pod["spec"]["containers"][1]["securityContext"]["runAsNonRoot"]
    with pytest.raises(Refused, match="violates PodSecurity"):
        admit(cluster, pod)


def test_without_our_executor_argos_containers_would_be_refused(cluster):
    pod = copy.deepcopy(task(cluster))
    del pod["spec"]["containers"][0]["securityContext"]
    with pytest.raises(Refused, match="violates PodSecurity"):
        admit(cluster, pod)


def test_every_pod_of_the_engine_was_admitted(machine, cluster, until):
    def missing() -> list[str]:
        found = [
            *cluster.objects("apps/v1", "Deployment", NAME),
            *cluster.objects("apps/v1", "StatefulSet", NAME),
        ]
        assert {each["metadata"]["name"] for each in found} >= {
            "ml-pipeline", "ml-pipeline-server", "ml-pipeline-ui", "ml-pipeline-persistenceagent",
            "ml-pipeline-scheduledworkflow", "workflow-controller", "metadata-grpc-service", "mysql",
        }  # fmt: skip
        return [
            each["metadata"]["name"]
            for each in found
            if each["status"].get("readyReplicas", 0) < each["spec"]["replicas"]
        ]

    until(lambda: not missing())
