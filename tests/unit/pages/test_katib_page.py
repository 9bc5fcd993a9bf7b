"""Katib's page: its door in a real Envoy, and what its account and the teams' members may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plans import found
from real_envoy import Door, Seen, noting, running
from servers import free_port

from blueprints import load
from blueprints.loader import loads
from components import tuning_page
from ziggurat.plan.model import Plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "tuning-page.yaml"
ADA = ("x-forwarded-email", "ada@acme.net")
LIST = "/katib/fetch_experiments/?namespace=acme-ml-vision"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    seen: list[Seen] = []
    blueprint = load(VARIANT).blueprint
    (text,) = tuning_page.files(blueprint.name, blueprint.teams).values()
    config = json.loads(text)
    with noting("page", seen) as port:
        (cluster,) = config["static_resources"]["clusters"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
        with running(config, Door(free_port(), seen), tmp_path_factory.mktemp("katib")) as door:
            yield door


@pytest.fixture
def door(opened: Door) -> Door:
    opened.seen.clear()
    return opened


@pytest.mark.parametrize(
    "path", [LIST, "/katib/", "/katib/new", "/katib/experiment/acme-ml-vision/churn", "/katib/static/a.js"]
)
def test_the_page_is_passed_on_with_the_name_of_who_looks_at_it(door: Door, path: str) -> None:
    assert door.ask(path, ADA).status == 200
    (seen,) = door.seen
    assert (seen.path, seen.headers["x-forwarded-email"]) == (path, "ada@acme.net")


def test_the_way_in_leads_to_the_page(door: Door) -> None:
    answer = door.ask("/", ADA)
    assert (answer.status, answer.headers["location"].partition("acme.net")[2]) == (301, "/katib/")


@pytest.mark.parametrize("name", ["system:serviceaccount:acme-ml:katib-controller", "SYSTEM:admin"])
def test_no_person_is_called_like_something_of_kubernetes(door: Door, name: str) -> None:
    assert door.ask(LIST, ("x-forwarded-email", name)).status == 403
    assert door.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/katib/fetch_nas_job_info/?experimentName=a&namespace=acme-ml-pricing",
        "/katib/x/../fetch_nas_job_info/?experimentName=a&namespace=acme-ml-pricing",
        "/katib//fetch_nas_job_info/?experimentName=a&namespace=acme-ml-pricing",
        "/katib/fetch%5Fnas_job_info/?experimentName=a&namespace=acme-ml-pricing",
        "/katib/fetch_nas%5Fjob_info/",
        "/katib/%2e/fetch_nas_job_info/",
        "/katib/static%2f..%2ffetch_nas_job_info/",
        "/katib/add_template/",
        "/katib/edit_template/",
        "/katib/delete_template/",
        "/katib/fetch_something_new/",
        "/metrics",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_katib_does_without_asking_is_not_passed_on(door: Door, path: str, method: str) -> None:
    assert door.ask(path, ADA, method=method).status in (400, 403, 404)
    assert door.seen == []


def test_a_link_deletes_and_makes_nothing(door: Door) -> None:
    path = "/katib/delete_experiment/?namespace=acme-ml-vision&experimentName=churn"
    assert door.ask(path, ADA).status == 403
    assert door.ask("/katib/create_experiment/", ADA).status == 403
    assert door.seen == []
    assert door.ask(path, ADA, method="DELETE").status == 200
    assert door.ask("/katib/create_experiment/", ADA, ("content-length", "0"), method="POST").status == 200


@pytest.mark.parametrize(
    ("who", "theirs"),
    [
        ((ADA,), ["acme-ml-pricing", "acme-ml-vision"]),
        ((("x-forwarded-email", "grace@acme.net"),), ["acme-ml-vision"]),
        ((("x-forwarded-email", "ada@acme.net.evil"),), []),
        ((ADA, ("x-forwarded-email", "grace@acme.net")), []),
        ((), []),
    ],
)
def test_a_person_chooses_among_the_namespaces_of_their_teams(
    door: Door, who: tuple[tuple[str, str], ...], theirs: list[str]
) -> None:
    answer = door.ask("/katib/fetch_namespaces", *who)
    assert (answer.status, json.loads(answer.body)) == (200, theirs)
    assert answer.headers["content-type"] == "application/json"
    assert door.seen == []  # the server would list every namespace of the cluster, or its own


def test_the_form_has_no_templates(door: Door) -> None:
    assert json.loads(door.ask("/katib/fetch_trial_templates/", ADA).body) == {"Data": []}
    assert door.seen == []


def test_the_server_asks_about_everybody_and_listens_inside_its_pod_alone(planned: Plan) -> None:
    pod = found(planned, "Deployment")["acme-ml", "katib-ui"]["spec"]["template"]["spec"]
    by_name = {each["name"]: each for each in pod["containers"]}
    settings = {each["name"]: each.get("value") for each in by_name["server"]["env"]}
    assert settings["APP_DISABLE_AUTH"] == "false"  # its own default is that anybody may do anything
    assert settings["USERID_HEADER"] == "x-forwarded-email"
    # Without a value it is empty; left out, `:` is cut out of names.
    assert "USERID_PREFIX" in settings
    assert not settings["USERID_PREFIX"]
    assert "--host=127.0.0.1" in by_name["server"]["args"]
    assert "ports" not in by_name["server"]


def test_the_account_of_the_page_may_nothing_outside_of_the_teams(planned: Plan) -> None:
    roles = {name: each["rules"] for (_, name), each in found(planned, "ClusterRole").items()}
    everywhere = [
        each["roleRef"]["name"]
        for each in found(planned, "ClusterRoleBinding").values()
        if each["subjects"][0]["name"] == "katib-ui"
    ]
    assert everywhere == ["acme-ml-katib-ui"]
    assert roles["acme-ml-katib-ui"] == [
        {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]}
    ]
    resources = {name for rule in roles["acme-ml-katib-ui-teams"] for name in rule["resources"]}
    assert resources == {"experiments", "suggestions", "trials", "pods", "pods/log"}


def test_members_are_bound_by_name_in_their_own_namespace(planned: Plan) -> None:
    bound = {
        namespace: [each["name"] for each in manifest["subjects"]]
        for (namespace, _), manifest in found(planned, "RoleBinding").items()
        if manifest["roleRef"]["name"] == "acme-ml-katib-ui-members"
    }
    assert bound == {
        "acme-ml-vision": ["ada@acme.net", "grace@acme.net"],
        "acme-ml-pricing": ["ada@acme.net"],
    }


def test_the_login_proxy_alone_reaches_the_page(planned: Plan) -> None:
    policy = found(planned, "NetworkPolicy")["acme-ml", "katib-ui"]
    (way,) = policy["spec"]["ingress"]
    (peer,) = way["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "oauth2-proxy-tuning"
    assert way["ports"] == [{"protocol": "TCP", "port": tuning_page.PAGE}]


def test_a_team_without_members_is_told_that_nobody_enters() -> None:
    text = VARIANT.read_text().replace("members: [ada@acme.net]", "")
    told = [str(each) for each in loads(text, "b.yaml").warnings]
    assert any("teams.pricing: has nobody who may use tuning in a browser" in each for each in told)
    without = VARIANT.read_text().replace(", host: katib.acme.net", "")
    told = [str(each) for each in loads(without, "b.yaml").warnings]
    assert sum("members: have no effect" in each for each in told) == 2
