"""Kubeflow's own notebook controller, before a platform on a real API server: what teams' Notebooks become.

It runs as a process of this machine, as the Deployment that the platform made says: variables, ServiceAccount
and its rights, which are the platform's own, user, read-only root (local_pods.py). ZIGGURAT_TEST_NOTEBOOKS
names a folder with `notebook-controller` (docs/testing.md says how it is made). The notebooks' pods are
simulated.
"""

from __future__ import annotations

import copy
import os
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asking
import local_pods
import pytest
from documented import documented
from local_pods import Pod
from people import Person

from ziggurat.cluster import Refused

FOLDER = os.environ.get("ZIGGURAT_TEST_NOTEBOOKS", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not FOLDER, reason="ZIGGURAT_TEST_NOTEBOOKS names a folder with the controller"),
    pytest.mark.skipif(bool(local_pods.why_not()), reason=local_pods.why_not()),
]

NAME = "acme-ml"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
tracking: {{host: mlflow.acme.dev}}
auth:
  mode: embedded
  host: login.acme.dev
  adminGroups: [ml-platform]
  users: {{ada@acme.dev: {{groups: [ml-vision]}}}}
certificates: {{issuers: {{own: {{mode: ca}}}}}}
gateway: {{login: proxy, tls: {{issuer: own}}}}
teams:
  vision: {{groups: [ml-vision], users: {{ada: {{role: admin}}}}, quota: {{gpus: 2}}}}
  pricing: {{groups: [ml-pricing]}}
gpuPools:
  a100: {{accelerator: nvidia-a100-80gb, gpusPerNode: 8, nodes: {{min: 1, max: 1}}}}
queues: {{}}
backup: {{}}
admission: {{}}
notebooks: {{host: notebooks.acme.dev}}
"""
LONG = 600
CHECKPOINTS = False
TEAM = f"{NAME}-vision"
NOTEBOOK = "kubeflow.org/v1"
STOPPED = "kubeflow-resource-stopped"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def controller(machine, up, tmp_path_factory) -> Iterator[Pod]:
    with local_pods.opened(machine.cluster, NAME, tmp_path_factory.mktemp("pods")) as pods:
        program = Path(FOLDER, "notebook-controller")
        yield pods.start("notebook-controller", {"/manager": program}).ready()


@pytest.fixture(scope="module")
def ada(machine, controller) -> Person:
    """A member of the team."""
    return Person(machine.cluster, "ada", "ml-vision")


def shown(name: str = "ada") -> Object:
    """The Notebook that the documentation shows, by another name and without its volume if it is another."""
    (found,) = [copy.deepcopy(each) for each in documented(NOTEBOOK) if each["kind"] == "Notebook"]
    assert found["metadata"] == {"name": "ada", "namespace": TEAM}
    if name != "ada":
        found["metadata"]["name"] = name
        spec = found["spec"]["template"]["spec"]
        del spec["volumes"]
        del spec["containers"][0]["volumeMounts"]
        spec["containers"][0]["name"] = name
    return found


def pod_of(machine, name: str) -> Object:
    return machine.cluster.find("v1", "Pod", TEAM, f"{name}-0") or {}


def ready(machine, name: str) -> int:
    """How many pods the Notebook's own status says to be ready."""
    found = machine.cluster.find(NOTEBOOK, "Notebook", TEAM, name) or {}
    return found.get("status", {}).get("readyReplicas", 0)


@pytest.fixture(scope="module")
def notebook(machine, ada, until) -> Object:
    """The pod of the documented Notebook on the documented claim."""
    (claim,) = [each for each in documented("v1") if each["kind"] == "PersistentVolumeClaim"]
    asking.post(ada, claim)
    asking.post(ada, shown())
    until(lambda: ready(machine, "ada"))
    return pod_of(machine, "ada")


def test_a_notebook_becomes_a_pod_with_its_mlflow_account_and_its_volume(machine, notebook):
    (container,) = notebook["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "mlflow-ada"}}]
    secret = machine.cluster.find("v1", "Secret", TEAM, "mlflow-ada")
    assert {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"} <= set(
        secret["data"]
    )
    assert {"name": "NB_PREFIX", "value": f"/notebook/{TEAM}/ada"} in container["env"]
    assert notebook["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
    assert notebook["spec"]["serviceAccountName"] == "team"
    claim = machine.cluster.find("v1", "PersistentVolumeClaim", TEAM, "ada-home")
    assert claim["status"]["phase"] == "Bound"


def test_the_door_finds_it_by_service_and_port_and_it_alone_gets_in(machine, notebook):
    service = machine.cluster.find("v1", "Service", TEAM, "ada")
    assert [(each["port"], each["targetPort"]) for each in service["spec"]["ports"]] == [(80, 8888)]
    labels = notebook["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    policy = machine.cluster.find("networking.k8s.io/v1", "NetworkPolicy", TEAM, "notebooks")
    (wanted,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert (wanted["key"] in labels, wanted["operator"]) == (True, "Exists")
    (rule,) = policy["spec"]["ingress"]
    assert [each["port"] for each in rule["ports"]] == [8888]


def test_the_status_is_the_pods_in_both_versions(machine, ada, notebook):
    for version in ("v1beta1", "v1"):
        path = f"/apis/kubeflow.org/{version}/namespaces/{TEAM}/notebooks/ada"
        status = ada.request("GET", path)["status"]
        assert status["readyReplicas"] == 1
        assert ("Ready", "True") in {(each["type"], each["status"]) for each in status["conditions"]}


def test_one_that_is_annotated_stops_and_starts_again(machine, ada, notebook, until):
    path = f"/apis/{NOTEBOOK}/namespaces/{TEAM}/notebooks/ada"

    def put(annotations: Object) -> None:
        found = ada.request("GET", path)
        found["metadata"]["annotations"] = annotations
        ada.request("PUT", path, found)

    put({STOPPED: "2026-11-26T00:00:00Z"})
    until(lambda: not pod_of(machine, "ada"))
    until(lambda: not ready(machine, "ada"))
    put({})
    until(lambda: ready(machine, "ada"))


def test_on_a_pool_it_takes_a_gpu_and_carries_the_label_of_its_queue(machine, ada, until):
    asked = shown("gpu")
    spec = asked["spec"]["template"]["spec"]
    spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"
    spec["nodeSelector"] = {"nvidia.com/gpu.product": "nvidia-a100-80gb"}
    spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert "work that takes GPUs past the team's queue: gpu" in asking.refusal(ada, asked)
    asked["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "vision"}
    asking.post(ada, asked)
    until(lambda: ready(machine, "gpu"))
    pod = pod_of(machine, "gpu")
    assert pod["spec"]["nodeName"] == "a100-0"
    assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "vision"


def test_what_the_rules_forbid_is_refused_when_the_notebook_is_made(ada):
    """Its controller would be refused the StatefulSet, and say so to nobody."""
    asked = shown("strange")
    asked["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.elsewhere.dev/jupyter:1"
    assert "registries that are not allowed here: strange" in asking.refusal(ada, asked)


def test_why_there_is_no_pod_is_told_at_the_notebook(machine, ada, until):
    """By the events of its StatefulSet, which the controller repeats."""
    asked = shown("loose")
    asked["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {}
    asking.post(ada, asked)

    def told() -> bool:
        events = ada.request("GET", f"/api/v1/namespaces/{TEAM}/events")["items"]
        of = [each["message"] for each in events if each["involvedObject"]["kind"] == "Notebook"]
        return any("loose" in each and "violates PodSecurity" in each for each in of)

    until(told)
    assert pod_of(machine, "loose") == {}


def test_what_it_became_goes_with_it(machine, ada, until):
    asking.post(ada, shown("brief"))
    until(lambda: ready(machine, "brief"))
    ada.request("DELETE", f"/apis/{NOTEBOOK}/namespaces/{TEAM}/notebooks/brief")
    for version, kind in (("apps/v1", "StatefulSet"), ("v1", "Service"), ("v1", "Pod")):
        name = "brief-0" if kind == "Pod" else "brief"
        until(lambda v=version, k=kind, n=name: machine.cluster.find(v, k, TEAM, n) is None)


def test_another_team_may_nothing_of_it(machine, notebook):
    eve = Person(machine.cluster, "eve", "ml-pricing")
    assert "cannot create resource" in asking.refusal(eve, shown("foreign"))
    with pytest.raises(Refused, match="cannot get"):
        eve.request("GET", f"/apis/{NOTEBOOK}/namespaces/{TEAM}/notebooks/ada")


def test_the_controller_works_on_and_is_refused_no_right(controller, notebook):
    assert controller.process.poll() is None
    # It lists StatefulSets for it.
    with urllib.request.urlopen(f"http://{controller.address}:8080/metrics", timeout=20) as answer:
        assert f'notebook_running{{namespace="{TEAM}"}}' in answer.read().decode()
    said = controller.said
    assert re.findall(r"cannot \w+ resource.*", said) == []
    assert "Culling of idle Pods is Disabled" in said
    assert "Reconciliation loop started" in said
