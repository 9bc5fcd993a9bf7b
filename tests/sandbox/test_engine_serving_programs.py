"""KServe's own controller before a platform on a real API server: models of the registry and of pipelines.

ZIGGURAT_TEST_KSERVE names a folder with `manager`, KServe's controller, and `kserve-resources`, its chart,
which is rendered by Helm as the platform's Release says. The controller is a process of this machine, as the
chart's Deployment says (local_pods.py); the API server asks its webhooks by their Service.
docs/testing.md says how both are made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certificates
import local_pods
import pytest
import yaml
from local_pods import Pod, Pods
from people import Person

from components.versions import ImageSource
from components.versions.serving import KSERVE, KSERVE_STORAGE
from ziggurat.cluster import Cluster, Refused

sys.path.append(str(Path(__file__).parents[1] / "charts"))  # how charts are rendered
from rendering import planned, releases, render

KSERVE_FOLDER = os.environ.get("ZIGGURAT_TEST_KSERVE", "")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not KSERVE_FOLDER, reason="ZIGGURAT_TEST_KSERVE names a folder of KServe's programs"),
    pytest.mark.skipif(not os.environ.get("ZIGGURAT_TEST_CRDS"), reason="no definitions: ZIGGURAT_TEST_CRDS"),
    pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm on PATH"),
    pytest.mark.skipif(bool(local_pods.why_not()), reason=local_pods.why_not()),
]

NAME = "served"
MIRROR = "registry.acme.net/mirror"
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
teams:
  vision: {{groups: [ml-vision], members: [ada@acme.net]}}
  pricing: {{groups: [ml-pricing]}}
gpuPools:
  a100: {{accelerator: nvidia-a100-80gb, gpusPerNode: 8, nodes: {{min: 0, max: 2}}}}
auth: {{mode: oidc, issuer: "https://login.acme.net", clientSecret: {{secretName: oidc-client}}}}
tracking: {{host: mlflow.acme.net}}
images: {{registry: {MIRROR}, pullSecret: registry-login}}
admission: {{}}
certificates: {{}}
pipelines: {{}}
serving: {{}}
"""
VISION, PRICING = f"{NAME}-vision", f"{NAME}-pricing"
LONG = 600
CHECKPOINTS = False
DOCUMENTED = Path(__file__).parents[2] / "docs" / "components.md"
SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"
MODEL = "serving.kserve.io/inferenceservice"
FETCHING = "storage-initializer"


def documented(name: str) -> dict[str, Any]:
    """The InferenceService of that name in docs/components.md, with images of the mirror's."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENTED.read_text(), re.DOTALL)
    shown = [each for each in map(yaml.safe_load, blocks) if each.get("kind") == "InferenceService"]
    (found,) = [each for each in shown if each["metadata"]["name"] == name]
    found["metadata"]["namespace"] = VISION
    model = found["spec"]["predictor"]["model"]
    if "image" in model:
        model["image"] = f"{MIRROR}/vision/churn-serving:1.4"
    return found


@pytest.fixture(scope="module")
def cluster(machine: Any, up: Any) -> Cluster:
    return machine.cluster


@pytest.fixture(scope="module")
def installed(machine: Any, blueprint: Path, cluster: Cluster) -> None:
    """The chart as the platform's Release says; the stand-in for Helm has made the definitions."""
    made = planned(blueprint, mirrored=False, scratch=machine.folder)
    (release,) = (each for each in releases(made) if each["name"] == KSERVE.name)
    objects = render(Path(KSERVE_FOLDER), made, release).objects
    namespace = release["namespace"]
    command = [str(machine.kubectl() / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
    command += ["--namespace", namespace, "apply", "--server-side", "-f", "-"]
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = subprocess.run(command, input=given, text=True, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    certificates.issue(cluster, namespace, "serving-cert")


@pytest.fixture(scope="module")
def pods(cluster: Cluster, installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    with local_pods.opened(cluster, NAME, tmp_path_factory.mktemp("pods")) as found:
        yield found


@pytest.fixture(scope="module")
def manager(pods: Pods) -> Pod:
    programs = {"/manager": Path(KSERVE_FOLDER, "manager")}
    started = pods.start("kserve-controller-manager", programs, container="manager").ready()
    pods.expose("kserve-webhook-server-service", started)
    return started


@pytest.fixture(scope="module")
def ada(cluster: Cluster, manager: Pod) -> Person:
    return Person(cluster, "ada@acme.net", "ml-vision")


def served(ada: Person, until: Any, name: str) -> dict[str, Any]:
    """The pod of a documented InferenceService that ada has made, which KServe says is ready."""
    ada.request("POST", SERVICES.format(VISION), documented(name))

    def ready() -> bool:
        found = ada.request("GET", f"{SERVICES.format(VISION)}/{name}")
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", ())}
        return conditions.get("Ready") == "True"

    until(ready)
    listed = ada.request("GET", f"/api/v1/namespaces/{VISION}/pods?labelSelector={MODEL}={name}")
    (pod,) = listed["items"]
    return pod


@pytest.fixture(scope="module")
def registered(ada: Person, until: Any) -> dict[str, Any]:
    return served(ada, until, "churn")


@pytest.fixture(scope="module")
def written(ada: Person, until: Any) -> dict[str, Any]:
    return served(ada, until, "prices")


def fetching(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = [each for each in pod["spec"]["initContainers"] if each["name"] == FETCHING]
    return container


def main(pod: dict[str, Any]) -> dict[str, Any]:
    """The container that serves, as the Deployment has it: without what the API server and KServe mounted."""
    (container,) = [each for each in pod["spec"]["containers"] if each["name"] == "kserve-container"]
    mounts = [each for each in container.get("volumeMounts", ()) if each["mountPath"] != "/mnt/models"]
    return {**container, "volumeMounts": [each for each in mounts if each["name"] != "tmp"]}


def secrets(container: dict[str, Any]) -> set[str]:
    """The Secrets that its variables are of."""
    found = [each.get("valueFrom", {}).get("secretKeyRef", {}).get("name") for each in container["env"]]
    return {each for each in found if each}


def test_kserves_webhooks_take_the_platforms_runtimes(cluster, manager):
    for team in (VISION, PRICING):
        for name in ("mlflow", "mlflow-a100"):
            made = cluster.find("serving.kserve.io/v1alpha1", "ServingRuntime", team, name)
            assert made is not None
            path = f"/apis/serving.kserve.io/v1alpha1/namespaces/{team}/servingruntimes"
            cluster.request("PUT", f"{path}/{name}?dryRun=All", made)


def test_a_model_of_the_registry_is_served_as_its_team(cluster, registered):
    assert registered["spec"]["serviceAccountName"] == "team"
    assert registered["spec"].get("automountServiceAccountToken") is False
    container = fetching(registered)
    assert container["args"] == ["models:/churn@champion", "/mnt/models"]
    assert container["image"].startswith(f"{MIRROR}/")
    assert "mlflow" in container["image"]
    assert "kserve-mlflow" in secrets(container)
    serving = main(registered)
    assert serving["image"] == f"{MIRROR}/vision/churn-serving:1.4"
    assert serving["command"] == ["mlflow", "models", "serve"]
    policy = cluster.find("networking.k8s.io/v1", "NetworkPolicy", VISION, "serving")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= registered["metadata"]["labels"].items()


def test_a_model_that_a_pipeline_wrote_is_fetched_with_the_teams_key(cluster, written):
    assert written["spec"]["serviceAccountName"] == "team"
    container = fetching(written)
    assert container["args"] == ["s3://artifacts/kfp/vision/train/7/model", "/mnt/models"]
    ours = cluster.find("serving.kserve.io/v1alpha1", "ClusterStorageContainer", "", f"{NAME}-bucket")
    of_ours = ours["spec"]["container"]
    assert (container["image"], container["command"]) == (of_ours["image"], of_ours["command"])
    assert secrets(container) == {"kfp-artifacts"}
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told["MLFLOW_S3_ENDPOINT_URL"] == f"http://seaweedfs.{NAME}.svc.cluster.local:8333"
    assert "kfp-artifacts" in {each["metadata"]["name"] for each in cluster.objects("v1", "Secret", VISION)}
    policy = cluster.find("networking.k8s.io/v1", "NetworkPolicy", VISION, "models")
    (asked,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert asked["key"] in written["metadata"]["labels"]


@pytest.mark.parametrize("uri", ["s3://lake/churn", "s3://artifacts/mlflow/churn", "hf://org/churn"])
def test_what_is_elsewhere_is_fetched_by_kserves_own_image_in_admitted_pods(cluster, written, uri):
    """A pod as the Deployment's, made again with that URI: KServe's webhook chooses, the namespace judges."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "elsewhere",
            "labels": {MODEL: "prices"},
            "annotations": {"internal.serving.kserve.io/storage-initializer-sourceuri": uri},
        },
        "spec": {
            "securityContext": written["spec"]["securityContext"],
            "serviceAccountName": "team",
            "automountServiceAccountToken": False,
            "containers": [main(written)],
        },
    }
    made = cluster.request("POST", f"/api/v1/namespaces/{VISION}/pods?dryRun=All", pod)
    container = fetching(made)
    assert container["image"] == ImageSource(MIRROR).reference(KSERVE_STORAGE)
    assert container["args"] == [uri, "/mnt/models"]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert secrets(container) == set()


def test_it_answers_by_the_documented_name_inside_the_cluster_alone(cluster, registered):
    service = cluster.find("v1", "Service", VISION, "churn-predictor")
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, 8080)
    assert service["spec"]["selector"].items() <= registered["metadata"]["labels"].items()
    for group, kind in (("networking.k8s.io/v1", "Ingress"), ("gateway.networking.k8s.io/v1", "HTTPRoute")):
        assert cluster.objects(group, kind, VISION) == []


def test_members_of_other_teams_serve_nothing_here(cluster, manager):
    eve = Person(cluster, "eve@acme.net", "ml-pricing")
    for method, body in (("POST", documented("churn")), ("GET", None)):
        with pytest.raises(Refused, match="forbidden"):
            eve.request(method, f"{SERVICES.format(VISION)}?dryRun=All", body)


def test_kserve_refuses_what_cannot_be(ada):
    made = documented("churn")
    made["metadata"]["name"] = "never"
    made["spec"]["predictor"]["minReplicas"] = 3
    made["spec"]["predictor"]["maxReplicas"] = 1
    with pytest.raises(Refused, match="denied the request"):
        ada.request("POST", f"{SERVICES.format(VISION)}?dryRun=All", made)


def test_the_controller_was_refused_nothing(manager, registered, written):
    assert manager.process.poll() is None
    assert [line for line in manager.said.splitlines() if "forbidden" in line.lower()] == []
