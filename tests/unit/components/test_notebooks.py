"""Notebooks: what the controller may do and where, and that nothing leads to a server without a login."""

from __future__ import annotations

from pathlib import Path

from plans import found

from blueprints import load
from components.connections import edges
from components.notebooks import controller_app
from ziggurat.plan.model import Plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "notebooks.yaml"


def test_the_controller_makes_things_in_the_namespaces_of_teams_alone(planned: Plan) -> None:
    roles = {name: each["rules"] for (_, name), each in found(planned, "ClusterRole").items()}
    assert {verb for rule in roles["acme-ml-notebooks"] for verb in rule["verbs"]} == {
        "get", "list", "watch",
    }  # fmt: skip
    (bound,) = found(planned, "ClusterRoleBinding").values()
    assert bound["roleRef"]["name"] == "acme-ml-notebooks"
    bindings = found(planned, "RoleBinding")
    assert {namespace for namespace, name in bindings if name == "notebook-controller"} == {
        "acme-ml-vision", "acme-ml-pricing",
    }  # fmt: skip
    assert not any("secrets" in rule["resources"] for rules in roles.values() for rule in rules)


def test_the_kind_is_stored_as_people_write_it_and_served_as_the_controller_reads_it(planned: Plan) -> None:
    (kind,) = found(planned, "CustomResourceDefinition").values()
    versions = {each["name"]: (each["served"], each["storage"]) for each in kind["spec"]["versions"]}
    assert versions == {"v1beta1": (True, False), "v1": (True, True)}


def test_no_policy_lets_anything_into_a_teams_namespace(planned: Plan) -> None:
    for (namespace, _), policy in found(planned, "NetworkPolicy").items():
        if namespace == "acme-ml-vision":
            assert not policy["spec"].get("ingress")


def test_the_controller_reaches_the_api_server_and_no_notebook() -> None:
    blueprint = load(VARIANT).blueprint
    from components.apps import Apps

    apps = Apps.of(blueprint.name)
    app = controller_app(apps.platform)
    mine = [edge for edge in edges(blueprint, apps) if app in (edge.source, edge.target)]
    assert {(edge.source, edge.port) for edge in mine} == {(app, 443), (app, 6443)}


def test_members_make_notebooks(planned: Plan) -> None:
    role = found(planned, "Role")["acme-ml-vision", "notebooks"]
    assert role["rules"][0]["resources"] == ["notebooks"]
    assert "create" in role["rules"][0]["verbs"]
