"""Admission policies on a real API server: who breaks a rule is refused, with our words; nobody else is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ziggurat.cluster import Cluster, Refused, plural

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME, TEAM = "rules", "rules-vision"
Object = dict[str, Any]
BLUEPRINT = """\
apiVersion: ziggurat/v1
name: rules
phase: enterprise
tracking: {{host: mlflow.acme.dev}}
auth:
  mode: oidc
  issuer: https://login.acme.dev
  clientSecret: {{secretName: oidc-client}}
  adminGroups: [ml-platform]
teams: {{vision: {{}}}}
backup: {{}}
admission: {admission}
"""
ASKED = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
GOOD = "ghcr.io/acme/train:1.4.2"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module")
def provision(machine: Any) -> Callable[[str], None]:
    """Brings the platform to the `admission` given."""

    def up(admission: str) -> None:
        path = machine.folder / f"{NAME}.yaml"
        path.write_text(BLUEPRINT.format(admission=admission))
        machine.run("up", path, "--yes", "--json")

    return up


@pytest.fixture(scope="module")
def cluster(machine: Any, provision: Callable[[str], None], until) -> Cluster:
    """The cluster, once the policies are in force there: the API server takes them up after a moment."""
    provision("{}")
    found: Cluster = machine.cluster
    until(lambda: answer(found, pod("ghcr.io/acme/train:latest")))
    return found


def pod(image: str = GOOD, *, resources: Any = ASKED, **spec: Any) -> Object:
    container = {"name": "main", "image": image, "securityContext": RESTRICTED}
    if resources:
        container["resources"] = resources
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tried", "namespace": TEAM},
        "spec": {"containers": [container], "restartPolicy": "Never", **spec},
    }


def inside(kind: str, of: Object) -> Object:
    """What makes such pods."""
    template: Object = {"metadata": {"labels": {"app": "tried"}}, "spec": copy.deepcopy(of["spec"])}
    if kind not in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Always"
        old = kind == "ReplicationController"
        selector = {"app": "tried"} if old else {"matchLabels": {"app": "tried"}}
        spec: Object = {"selector": selector, "template": template}
        if kind == "StatefulSet":
            spec["serviceName"] = "tried"
        version = "v1" if old else "apps/v1"
    else:
        version, spec = "batch/v1", {"template": template}
        if kind == "CronJob":
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
    return {"apiVersion": version, "kind": kind, "metadata": dict(of["metadata"]), "spec": spec}


def answer(cluster: Cluster, item: Object) -> str:
    """What the API server says to an object, which it does not keep; empty if it would take it."""
    root = f"/apis/{item['apiVersion']}" if "/" in item["apiVersion"] else "/api/v1"
    space = item["metadata"]["namespace"]
    path = f"{root}/namespaces/{space}/{plural(item['kind'])}?dryRun=All"
    try:
        cluster.request("POST", path, item)
    except Refused as refused:
        return refused.message
    return ""


def update(cluster: Cluster, path: str, change: Callable[[Object], Any]) -> None:
    """Changes an object, again where a controller was faster."""
    while True:
        live = cluster.request("GET", path)
        change(live)
        try:
            cluster.request("PUT", path, live)
        except Refused as refused:
            if refused.status != 409:
                raise
        else:
            return


KINDS = (
    *("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
    *("Job", "CronJob"),
)


def as_kind(kind: str, of: Object) -> Object:
    return of if kind == "Pod" else inside(kind, of)


@pytest.mark.parametrize("kind", KINDS)
def test_work_that_keeps_the_rules_is_taken(cluster: Cluster, kind: str) -> None:
    assert answer(cluster, as_kind(kind, pod())) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_from_elsewhere_is_refused_with_what_is_allowed(cluster: Cluster, kind: str) -> None:
    said = answer(cluster, as_kind(kind, pod("far.dev/other/train:1")))

    assert "rules-registries" in said
    assert "images from registries that are not allowed here: main: far.dev/other/train:1. To do: " in said
    assert "allowed: docker.io, ghcr.io, quay.io; push the image there" in said


@pytest.mark.parametrize(
    "image",
    ["python:3.12", "library/python:3.12", "docker.io/acme/x:1", "ghcr.io/acme/x@sha256:" + "a" * 64],
)
def test_images_of_allowed_registries_are_taken_however_written(cluster: Cluster, image: str) -> None:
    assert answer(cluster, pod(image)) == ""


@pytest.mark.parametrize(
    "image",
    ["ghcr.io.evil.net/x:1", "localhost/x:1", "evil:5000/x:1", "evil.net/ghcr.io/x:1", "ghcr.io:5000/x:1"],
)
def test_what_only_looks_like_an_allowed_registry_is_refused(cluster: Cluster, image: str) -> None:
    assert f"main: {image}" in answer(cluster, pod(image))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image", ["ghcr.io/acme/train", "ghcr.io/acme/train:latest", "python"])
def test_an_image_without_a_version_is_refused(cluster: Cluster, kind: str, image: str) -> None:
    said = answer(cluster, as_kind(kind, pod(image)))

    assert f"no tag or the tag latest: main: {image}. To do: name a version, such as :1.4.2" in said


def test_a_port_is_no_tag(
    cluster: Cluster, provision: Callable[[str], None], until: Callable[..., Any]
) -> None:
    provision('{allowedRegistries: ["registry.acme.net:5000"]}')
    until(lambda: answer(cluster, pod("registry.acme.net:5000/x:1")) == "")

    assert "latest: main: registry.acme.net:5000/x." in answer(cluster, pod("registry.acme.net:5000/x"))
    provision("{}")
    until(lambda: answer(cluster, pod()) == "")


@pytest.mark.parametrize("kind", KINDS[1:])
def test_work_that_asks_for_nothing_is_refused(cluster: Cluster, kind: str) -> None:
    said = answer(cluster, as_kind(kind, pod(resources=None)))

    assert "containers that do not ask for CPU and memory: main. To do: set resources.requests.cpu" in said


def test_a_bare_pod_has_the_defaults_of_its_namespace(cluster: Cluster) -> None:
    assert answer(cluster, pod(resources=None)) == ""


def test_an_init_container_is_looked_at_too(cluster: Cluster) -> None:
    first = {"name": "first", "image": "far.dev/x/y:1", "securityContext": RESTRICTED, "resources": ASKED}

    assert "first: far.dev/x/y:1" in answer(cluster, pod(initContainers=[first]))


def test_the_rules_are_nobody_elses(cluster: Cluster) -> None:
    cluster.request(
        "POST",
        "/api/v1/namespaces",
        {"metadata": {"name": "strangers"}, "apiVersion": "v1", "kind": "Namespace"},
    )
    for space in ("strangers", NAME):
        item = pod("far.dev/other/train:latest")
        item["metadata"]["namespace"] = space
        said = answer(cluster, item)
        assert "rules-" not in said, said


def test_the_platforms_own_images_are_always_taken(
    cluster: Cluster, provision: Callable[[str], None], machine: Any, until: Callable[..., Any]
) -> None:
    provision('{allowedRegistries: ["registry.acme.net/teams"]}')
    until(lambda: answer(cluster, pod("ghcr.io/acme/train:1")))
    path = machine.folder / f"{NAME}.yaml"
    images = [each["reference"] for each in machine.run("images", path, "--json").json["images"]]

    assert len(images) == 6
    for image in images:
        for kind in KINDS:
            assert answer(cluster, as_kind(kind, pod(image))) == ""
    assert answer(cluster, pod("registry.acme.net/teams/x:1")) == ""
    assert "registries" in answer(cluster, pod("registry.acme.net/teams-of-others/x:1"))


def test_what_was_there_before_a_rule_can_still_be_changed_and_deleted(
    cluster: Cluster, provision: Callable[[str], None], until: Callable[..., Any]
) -> None:
    provision("{registries: Audit}")
    bad = inside("Deployment", pod("far.dev/other/train:1"))
    bad["spec"]["replicas"] = 0
    until(lambda: not answer(cluster, bad))
    path = f"/apis/apps/v1/namespaces/{TEAM}/deployments"
    cluster.request("POST", path, bad)
    provision("{}")
    until(lambda: answer(cluster, pod("far.dev/other/train:1")))

    update(cluster, f"{path}/tried", lambda live: live["spec"].update(replicas=1))
    with pytest.raises(Refused, match=r"main: far\.dev/other/train:2"):
        update(
            cluster,
            f"{path}/tried",
            lambda live: live["spec"]["template"]["spec"]["containers"][0].update(
                image="far.dev/other/train:2"
            ),
        )
    cluster.delete("apps/v1", "Deployment", TEAM, "tried")


def test_a_rule_that_only_warns_lets_pods_in(
    cluster: Cluster, provision: Callable[[str], None], until: Callable[..., Any]
) -> None:
    provision("{tags: Warn}")

    until(lambda: answer(cluster, pod("ghcr.io/acme/train:latest")) == "")


HOMES = {
    "CronJob": "jobTemplate",
    **dict.fromkeys(("DaemonSet", "ReplicaSet", "ReplicationController"), "template"),
}
"""Where the queue's label belongs, of the kinds that do not carry it themselves."""


def test_gpus_take_the_way_of_the_teams_queue(cluster: Cluster, until: Callable[..., Any]) -> None:
    """By the policy itself: the sandbox's API server has no Kueue here, and the rule needs none."""
    from components.apps import Apps
    from components.manifests import admission

    app, rule = Apps.of(NAME).admission, admission.gpu_queue()
    for item in (admission.policy(app, rule), admission.binding(app, rule, "Deny")):
        cluster.request("POST", f"/apis/{item['apiVersion']}/{kinds(item)}", item)
    asked = {"requests": {**ASKED["requests"]}, "limits": {**ASKED["limits"], "nvidia.com/gpu": "1"}}
    work = pod(resources={**asked, "requests": {**asked["requests"], "nvidia.com/gpu": "1"}})
    until(lambda: "rules-gpu-queue" in answer(cluster, inside("Job", work)))

    for kind in KINDS[1:]:
        item = inside(kind, work)
        home = item["spec"][HOMES[kind]] if kind in HOMES else item
        assert "containers that take GPUs past the team's queue: main." in answer(cluster, item)
        labels = home.setdefault("metadata", {}).setdefault("labels", {})
        labels[admission.QUEUE_LABEL] = "pricing"
        assert "rules-gpu-queue" in answer(cluster, item)
        labels[admission.QUEUE_LABEL] = "vision"
        assert answer(cluster, item) == ""
        del labels[admission.QUEUE_LABEL]
        if kind in HOMES:  # a label that Kueue does not look at
            item["metadata"]["labels"] = {admission.QUEUE_LABEL: "vision"}
            assert "rules-gpu-queue" in answer(cluster, item), kind
    assert answer(cluster, inside("Job", pod())) == ""


def kinds(item: Object) -> str:
    return plural(item["kind"])


def test_the_api_server_finds_nothing_to_warn_of_in_the_policies(cluster: Cluster) -> None:
    policies = cluster.objects("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "")
    ours = [each for each in policies if each["metadata"]["name"].startswith("rules-")]

    assert len(ours) == 4
    for each in ours:
        assert "expressionWarnings" not in each.get("status", {}).get("typeChecking", {}), each["status"]


def test_without_admission_nothing_of_it_is_left(cluster: Cluster, machine: Any) -> None:
    path = machine.folder / f"{NAME}.yaml"
    path.write_text(BLUEPRINT.format(admission="{}").replace("admission: {}\n", ""))
    machine.run("up", path, "--yes")

    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        found = cluster.objects("admissionregistration.k8s.io/v1", kind, "")
        assert {each["metadata"]["name"] for each in found} <= {"rules-gpu-queue", "rules-gpu-queue-deny"}
