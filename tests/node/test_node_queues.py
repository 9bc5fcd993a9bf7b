"""Kueue's own controller, installed as the platform's Release says, and the queues that the platform made."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path

import pytest
from onenode import kueue, modules, tools
from onenode.gates import asked_for
from onenode.kueue import Work
from onenode.platform import until

from components.queues import RELEASE
from components.versions import KUEUE
from ziggurat.progress import Progress

sys.path.append(str(Path(__file__).parents[1] / "charts"))  # how charts are rendered
from rendering import planned, releases, render

pytestmark = asked_for("NODE_QUEUES", "builds Kueue's controller first, and takes five minutes")
TABLE = "Queues: Jobs of 100m each; each team has 200m"
_TEAMS = """\
teams:
  vision: {quota: {cpu: 200m, memory: 2Gi}, groups: [vision-people]}
  pricing: {quota: {cpu: 200m, memory: 2Gi}, groups: [pricing-people]}
"""
HELD, SHARED, LENT = "{borrowing: false}", "{}", "{preemption: false}"
"""What blueprints say of queues: each team to itself; all that there is; borrowed until it is given back."""
PRICING = ("--as", "pia", "--as-group", "pricing-people", "--as-group", "system:authenticated")
VISION = ("--as", "vera", "--as-group", "vision-people", "--as-group", "system:authenticated")
_STRANGER = """
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: stranger}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: docker.io/library/python:3.11-slim, command: [sleep, "3600"]}]
"""
_CONNECT = """
import socket, sys
for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), 2).close()
        print(port)
    except OSError:
        pass
"""
_DETOUR = """
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {{name: detour, namespace: {name}-pricing}}
spec: {{clusterQueue: {name}-vision}}
"""
_URGENT = """
apiVersion: kueue.x-k8s.io/v1beta2
kind: WorkloadPriorityClass
metadata: {name: acme-urgent}
value: 1000
"""


def raised(starter: str, queues: str) -> str:
    """The starter blueprint in the phase that has queues, with teams whose quotas this node can fill."""
    head, _, rest = starter.replace("phase: starter", "phase: automation").partition("teams:\n")
    tail = rest[rest.index("\nbackup:") + 1 :]
    return f"{head}{_TEAMS}{tail}queues: {queues}\n"


def rendered(blueprint):
    """What Helm makes of the chart in Kueue's module, by the Release of a blueprint's plan."""
    made = planned(blueprint, mirrored=False, scratch=blueprint.parent)
    (release,) = (each for each in releases(made) if each["name"] == RELEASE)
    return render(modules.folder("kueue", "sigs.k8s.io/kueue") / "charts", made, release).objects


@pytest.fixture(scope="module")
def queued(platform, node, tmp_path_factory):
    """Kueue first, as the platform's Release comes before its queues; then the platform. Both go again.

    The stand-in only records the Release, and leaves definitions alone that are there already.
    """
    starter = platform.blueprint.read_text()
    blueprint = tmp_path_factory.mktemp("queues") / "blueprint.yaml"
    blueprint.write_text(raised(starter, HELD))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tools.helm(node, Progress()).parent), prepend=os.pathsep)
        made = rendered(blueprint)
    try:
        kueue.install(platform, made)
        with platform.changed(raised(starter, HELD)):
            # Kueue started before it had NetworkPolicies of its own: it has to come up with them, too.
            platform.kubectl("delete", "pod", "-l", kueue.PODS, "-n", platform.name)
            kueue.wait_ready(platform)
            yield platform
            for team in ("vision", "pricing"):
                Work(platform, team).clear()
    finally:
        kueue.remove(platform, made)
    until(lambda: kueue.left(platform), [], str)


@pytest.fixture
def teams(queued):
    """What both teams run: nothing, before and after each test."""
    both = Work(queued, "vision"), Work(queued, "pricing")
    yield both
    for each in both:
        each.clear()


@pytest.fixture
def let(queued):
    """Has the platform provisioned with other options of its queues, where it is not so already."""
    first = queued.blueprint.read_text()

    def change(queues):
        text = first[: first.index("queues: ")] + f"queues: {queues}\n"
        if text != queued.blueprint.read_text():
            queued.blueprint.write_text(text)
            queued.up()

    return change


def stays(look, wanted, seconds=4.0):
    """Nothing changes for a while; Kueue decides within milliseconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look() == wanted
        time.sleep(0.5)


def cluster_queue(platform, team):
    name = f"{platform.name}-{team}"
    return json.loads(platform.kubectl("get", "clusterqueue", name, "-o", "json"))


def pending(platform, team):
    """Who waits, as Kueue's own part of the Kubernetes API tells."""
    name = f"{platform.name}-{team}"
    path = f"/apis/visibility.kueue.x-k8s.io/v1beta2/clusterqueues/{name}/pendingworkloads"
    return len(json.loads(platform.kubectl("get", "--raw", path))["items"])


def test_kueue_runs_as_the_platform_says_and_takes_its_queues(queued, table):
    (pod,) = (each for each in queued.objects("pods", queued.name) if "kueue" in each["metadata"]["name"])
    (image,) = KUEUE.images
    (container,) = pod["spec"]["containers"]
    assert container["image"] == f"{image.registry}/{image.repository}:{image.tag}"
    assert pod["status"]["containerStatuses"][0]["ready"]
    for team in ("vision", "pricing"):
        until(
            lambda team=team: _status(cluster_queue(queued, team)), "True", lambda: queued.objects("events")
        )
        (local,) = queued.objects("localqueues.kueue.x-k8s.io", f"{queued.name}-{team}")
        assert (local["metadata"]["name"], _status(local)) == (team, "True")
    table.add(what="both ClusterQueues and both LocalQueues are active", seconds="-")


def _status(found):
    conditions = found.get("status", {}).get("conditions", [])
    return next((each["status"] for each in conditions if each["type"] == "Active"), None)


def test_webhooks_answer_by_certificates_that_kueue_made(queued):
    """The API server checks them: against the CA that Kueue wrote into the configurations and definitions."""
    said = kueue.refusal(queued)
    assert f'admission webhook "{kueue.WEBHOOK}" denied the request' in said
    ca = queued.secret(queued.name, "kueue-webhook-server-cert")["ca.crt"]
    for kind in ("validating", "mutating"):
        name = f"kueue-{kind}-webhook-configuration"
        webhooks = json.loads(queued.kubectl("get", f"{kind}webhookconfiguration", name, "-o", "json"))[
            "webhooks"
        ]
        assert {base64.b64decode(each["clientConfig"]["caBundle"]).decode() for each in webhooks} == {ca}
    # The older version of a queue is made by Kueue's conversion webhook.
    old = json.loads(
        queued.kubectl("get", "--raw", f"/apis/kueue.x-k8s.io/v1beta1/clusterqueues/{queued.name}-vision")
    )
    assert old["spec"]["cohort"] == queued.name
    assert cluster_queue(queued, "vision")["spec"]["cohortName"] == queued.name


def test_only_the_ports_of_webhook_and_api_are_open(queued, table):
    """A pod of nobody's tries what Kueue listens on. (The API server is not held back on this node.)"""
    (pod,) = (each for each in queued.objects("pods", queued.name) if "kueue" in each["metadata"]["name"])
    try:
        queued.kubectl("create", "namespace", "stranger")
        until(lambda: "default" in queued.kubectl("get", "serviceaccounts", "-n", "stranger"), True, str)
        queued.kubectl("apply", "-f", "-", stdin=_STRANGER)
        queued.kubectl("wait", "-n", "stranger", "--for=condition=Ready", "pod/stranger", "--timeout=60s")
        time.sleep(2)  # until the engine of the policies knows its address
        words = ("exec", "-n", "stranger", "stranger", "--", "python", "-c", _CONNECT, pod["status"]["podIP"])
        found = queued.kubectl(*words, "9443", "8082", "8443", "8081").split()
    finally:
        queued.kubectl("delete", "namespace", "stranger", "--ignore-not-found")
    table.add(what=f"open to every pod, of 9443, 8082, 8443, 8081: {', '.join(found)}", seconds="-")
    assert found == ["9443", "8082"]


def test_a_job_within_the_quota_runs_to_its_end(queued, teams, table):
    vision, _ = teams
    vision.job("first", "vision", *VISION)  # a member may
    seconds = vision.wait({"first"})
    admission = vision.workloads()["first"]["status"]["admission"]
    assert admission["clusterQueue"] == f"{queued.name}-vision"
    assert admission["podSetAssignments"][0]["flavors"]["cpu"] == f"{queued.name}-cpu"
    vision.end("first")
    until(vision.complete, {"first"}, vision.shown)
    until(lambda: vision.condition("first", "Finished").get("reason"), "Succeeded", vision.shown)
    until(lambda: cluster_queue(queued, "vision")["status"].get("admittedWorkloads", 0), 0, vision.shown)
    table.add(what="a Job within the quota: its pod is ready", seconds=seconds)


def test_jobs_above_the_quota_wait_until_there_is_room(queued, teams, let, table):
    """Without borrowing: the other team's idle quota is not touched."""
    vision, _ = teams
    let(HELD)
    for name in ("a", "b"):
        vision.job(name)
    vision.wait({"a", "b"})
    vision.job("c")
    time.sleep(1.1)  # the first in is the first out, by times in whole seconds
    vision.job("d")
    until(vision.suspended, {"c", "d"}, vision.shown)
    stays(vision.running, {"a", "b"})
    assert vision.suspended() == {"c", "d"}
    reserved = vision.condition("c", "QuotaReserved")
    assert reserved["status"] == "False"
    assert "insufficient unused quota for cpu" in reserved["message"]
    assert pending(queued, "vision") == 2
    vision.end("a")
    seconds = vision.wait({"b", "c"})
    assert vision.suspended() == {"d"}
    vision.end("b", "c")
    vision.wait({"d"})
    vision.end("d")
    until(vision.complete, {"a", "b", "c", "d"}, vision.shown)
    table.add(
        what="borrowing: false: the third Job waits; its pod is ready after the first's end", seconds=seconds
    )


def test_a_job_that_never_fits_says_so_and_is_in_nobodys_way(queued, teams, let):
    vision, _ = teams
    let(HELD)
    vision.job("giant", cpu="1")
    message = "maximum capacity (200m)"
    until(
        lambda: message in vision.condition("giant", "QuotaReserved").get("message", ""), True, vision.shown
    )
    vision.job("small")
    vision.wait({"small"})
    assert vision.suspended() == {"giant"}


def test_a_pod_by_itself_is_refused_where_the_resource_quota_is_full(queued, teams, let, table):
    """It would wait in its queue, but the API server counts Pods that wait, and knows nothing of queues."""
    vision, _ = teams
    let(HELD)
    for name in ("a", "b"):
        vision.job(name)
    vision.wait({"a", "b"})
    assert "exceeded quota" in vision.pod("alone", check=False)
    table.add(what="borrowing: false: a Pod by itself, where the team's queue is full: refused", seconds="-")


def test_within_a_team_the_higher_priority_goes_first(queued, teams, let, table):
    vision, _ = teams
    let(HELD)
    queued.kubectl("apply", "-f", "-", stdin=_URGENT)
    try:
        vision.job("a")
        vision.wait({"a"})
        vision.job("b")
        vision.wait({"a", "b"})
        vision.job("urgent", priority="acme-urgent")
        until(lambda: "urgent" in vision.running(), True, vision.shown)
        (ended,) = {"a", "b"} - vision.running()
        assert vision.condition(ended, "Preempted")["reason"] == "InClusterQueue"
        vision.end("urgent")
        seconds = vision.wait({"a", "b"})
    finally:
        queued.kubectl("delete", "-f", "-", stdin=_URGENT)
    table.add(what=f"an urgent Job ends {ended!r}, which runs again after it", seconds=seconds)


def test_a_job_without_the_label_does_not_wait_and_the_quota_bounds_it(queued, teams, let, table):
    """docs/components.md: what carries none starts at once or is refused by the ResourceQuota."""
    vision, _ = teams
    let(HELD)
    vision.job("unasked", None)
    seconds = vision.wait({"unasked"})
    assert vision.workloads() == {}
    vision.job("a")
    vision.wait({"unasked", "a"})
    vision.job("too-much", None)

    def refusals():
        events = queued.objects("events", vision.namespace)
        return [each["message"] for each in events if each["involvedObject"]["name"] == "too-much"]

    until(lambda: any("exceeded quota" in each for each in refusals()), True, refusals)
    assert vision.suspended() == set()
    assert vision.running() == {"unasked", "a"}
    table.add(what="without the label: at once, or refused by the ResourceQuota", seconds=seconds)


def test_a_job_that_names_another_teams_queue_gets_nowhere(queued, teams, table):
    """Queues are of a namespace; and one that leads to another team's quota is of no use there."""
    _, pricing = teams
    pricing.job("astray", "vision", *PRICING)
    blocked = "LocalQueue vision doesn't exist"
    until(lambda: pricing.condition("astray", "QuotaReserved").get("message"), blocked, pricing.shown)
    detour = _DETOUR.format(name=queued.name)
    refused = queued.kubectl("create", *PRICING, "-f", "-", stdin=detour, check=False)
    assert "Forbidden" in refused
    queued.kubectl("create", "-f", "-", stdin=detour)
    try:
        pricing.job("detour", "detour")
        blocked = "workload namespace doesn't match ClusterQueue selector"

        def message():
            return pricing.condition("detour", "QuotaReserved").get("message", "").lower()

        until(lambda: blocked.lower() in message(), True, pricing.shown)
        stays(pricing.suspended, {"astray", "detour"})
        assert pricing.running() == set()
    finally:
        pricing.clear()
        queued.kubectl("delete", "-f", "-", stdin=detour)
    table.add(
        what="another team's queue, by its name and by a LocalQueue that leads there: nowhere", seconds="-"
    )


def test_a_member_uses_the_own_teams_queue_alone(queued, teams):
    vision, _ = teams
    assert "forbidden" in vision.job("intruder", "vision", *PRICING, check=False)
    assert vision.workloads() == {}
    for what in ("localqueues", "workloads"):
        asked = ("get", f"{what}.kueue.x-k8s.io", "-n", vision.namespace)
        assert "forbidden" in queued.kubectl(*asked, *PRICING, check=False)
        assert "forbidden" not in queued.kubectl(*asked, *VISION)
    account = f"system:serviceaccount:{queued.name}-pricing:team"
    for verb, what in (("create", "jobs"), ("get", "localqueues"), ("create", "workloads")):
        asked = ("auth", "can-i", verb, what, "-n", vision.namespace, "--as", account)
        assert queued.kubectl(*asked, check=False).split()[0] == "no"


def fill(vision):
    """Vision takes its own quota and pricing's."""
    jobs = [f"job-{number}" for number in range(5)]
    for name in jobs:
        vision.job(name)
        vision.wait(set(jobs[:4][: jobs.index(name) + 1]))
    stays(vision.running, set(jobs[:4]))
    assert vision.suspended() == {jobs[4]}  # there is no more in the whole cohort
    vision.platform.kubectl("delete", "job", jobs[4], "-n", vision.namespace)
    return set(jobs[:4])


def test_idle_quota_is_borrowed_and_taken_back(queued, teams, let, table):
    vision, pricing = teams
    let(SHARED)
    all_four = fill(vision)
    pricing.job("own")
    back = pricing.wait({"own"})
    until(lambda: len(vision.running()), 3, vision.shown)
    (ended,) = all_four - vision.running()
    assert vision.suspended() == {ended}
    assert vision.condition(ended, "Preempted")["reason"] == "InCohortReclamation"
    pricing.end("own")
    again = vision.wait(all_four)
    table.add(what="four of vision run; pricing takes its own back: its pod is ready", seconds=back)
    table.add(what="the Job that was ended for it runs again, after pricing's end", seconds=again)


def test_a_pod_waits_in_the_queue_as_a_job_does(queued, teams, let, table):
    """The ResourceQuota, the sum of all teams' quotas, has room for it; the queue has none."""
    vision, pricing = teams
    let(SHARED)
    for team in (vision, pricing):
        for name in ("a", "b"):
            team.job(name)
    for team in (vision, pricing):
        team.wait({"a", "b"})
    vision.pod("alone")

    def phase():
        pod = json.loads(queued.kubectl("get", "pod", "alone", "-n", vision.namespace, "-o", "json"))
        gates = {each["name"] for each in pod["spec"].get("schedulingGates", ())}
        return pod["status"]["phase"], "kueue.x-k8s.io/admission" in gates

    stays(phase, ("Pending", True))
    vision.end("a")
    seconds = until(phase, ("Running", False), vision.shown)
    table.add(what="a Pod by itself waits with a gate, and runs after a Job's end", seconds=seconds)


def test_without_preemption_what_is_borrowed_comes_back_when_it_is_done(queued, teams, let, table):
    vision, pricing = teams
    let(LENT)
    all_four = fill(vision)
    pricing.job("own")
    until(pricing.suspended, {"own"}, pricing.shown)
    stays(pricing.running, set())
    assert vision.running() == all_four
    vision.end("job-0")
    seconds = pricing.wait({"own"})
    assert vision.running() == all_four - {"job-0"}
    table.add(what="preemption: false: pricing waits for the end of what was borrowed", seconds=seconds)
