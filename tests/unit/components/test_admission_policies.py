"""Which admission policies a blueprint has, what they do, and whose namespaces they are for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from blueprints.model import Blueprint
from components.admission import policies
from components.apps import Apps
from components.capabilities import admission_args
from components.manifests.admission import gpu_queue, policy
from components.queues import configuration
from ziggurat.plan import plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "admission.yaml"


def made(**more: Any) -> Blueprint:
    given = {"apiVersion": "ziggurat/v1", "name": "acme", "phase": "enterprise", "teams": {"vision": {}}}
    return Blueprint.model_validate({**given, "admission": {}, **more})


def actions(blueprint: Blueprint) -> dict[str, str]:
    assert blueprint.admission
    args = admission_args(blueprint, Apps.of(blueprint.name), blueprint.admission)
    return {rule.name: action for rule, action in policies(args)}


def allowed(blueprint: Blueprint) -> str:
    assert blueprint.admission
    args = admission_args(blueprint, Apps.of(blueprint.name), blueprint.admission)
    return policies(args)[0][0].variables["allowed"]


def test_every_rule_refuses_unless_the_blueprint_says_otherwise() -> None:
    assert actions(made()) == {"registries": "Deny", "tags": "Deny", "requests": "Deny"}
    chosen = {"tags": "Warn", "requests": "Audit"}
    assert actions(made(admission=chosen)) == {"registries": "Deny", "tags": "Warn", "requests": "Audit"}


def test_queues_bring_the_rule_of_queues() -> None:
    assert actions(made(queues={}))["gpu-queue"] == "Deny"
    assert actions(made(queues={}, admission={"gpuQueue": "Warn"}))["gpu-queue"] == "Warn"


def test_kinds_whose_controllers_make_pods_are_looked_at_where_they_are_installed() -> None:
    pools = {"a100": {"accelerator": "nvidia-a100-80gb", "gpusPerNode": 8, "nodes": {"min": 0, "max": 2}}}
    blueprint = made(
        queues={}, certificates={}, training={}, serving={}, gpuPools=pools, admission={"gpuQueue": "Warn"}
    )
    assert blueprint.admission
    args = admission_args(blueprint, Apps.of("acme"), blueprint.admission)
    (owners,) = [rule for rule, _ in policies(args) if rule.name == "gpu-queue-owners"]

    assert actions(blueprint)["gpu-queue-owners"] == "Warn"
    assert owners.owners == ["TrainJob", "InferenceService"]
    assert owners.variables["runtimes"] == '["torch-distributed-a100", "mlflow-a100"]'
    matched = policy(args.app, owners)["spec"]["matchConstraints"]["resourceRules"]
    assert [(rule["apiGroups"], rule["apiVersions"], rule["resources"]) for rule in matched] == [
        (["trainer.kubeflow.org"], ["v1alpha1"], ["trainjobs"]),
        (["serving.kserve.io"], ["v1beta1"], ["inferenceservices"]),
    ]
    assert "gpu-queue-owners" not in actions(made(queues={}))
    assert "gpu-queue-owners" not in actions(made(certificates={}, training={}))


def test_notebooks_are_looked_at_as_deployments_are_but_once_for_gpus() -> None:
    blueprint = made(queues={}, notebooks={})
    assert blueprint.admission
    args = admission_args(blueprint, Apps.of("acme"), blueprint.admission)
    found = {
        rule.name
        for rule, _ in policies(args)
        for each in policy(args.app, rule)["spec"]["matchConstraints"]["resourceRules"]
        if "notebooks" in each["resources"]
    }
    assert found == {"registries", "tags", "requests", "gpu-queue-owners"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, '["docker.io", "ghcr.io"]'),
        ({"images": {"registry": "registry.acme.net/mirror"}}, '["registry.acme.net/mirror"]'),
        ({"admission": {"allowedRegistries": ["quay.io/acme"]}}, '["quay.io/acme"]'),
    ],
)
def test_registries_are_the_platforms_the_mirror_or_those_named(more: Any, expected: str) -> None:
    assert allowed(made(**more)) == expected


def test_bindings_pick_the_platforms_own_team_namespaces_alone() -> None:
    from blueprints import load

    planned = plan(load(VARIANT))
    bindings = [each for each in planned.objects if each.kind == "ValidatingAdmissionPolicyBinding"]
    spaces = {each.object_name: each for each in planned.objects if each.kind == "Namespace"}

    assert len(bindings) == 3
    for each in bindings:
        selector = each.manifest["spec"]["matchResources"]["namespaceSelector"]
        (team,) = selector["matchExpressions"]
        assert team == {"key": "ziggurat.dev/team", "operator": "Exists"}
        chosen = {
            name
            for name, space in spaces.items()
            if selector["matchLabels"].items() <= space.manifest["metadata"]["labels"].items()
            and team["key"] in space.manifest["metadata"]["labels"]
        }
        assert chosen == {"acme-ml-vision", "acme-ml-pricing"}
        assert selector["matchLabels"]["app.kubernetes.io/instance"] == "acme-ml"


def test_every_policy_has_a_binding_that_comes_after_it_and_both_carry_the_platforms_name() -> None:
    from blueprints import load

    planned = plan(load(VARIANT))
    rules = {each.object_name: each for each in planned.objects if each.kind == "ValidatingAdmissionPolicy"}
    bound = {
        each.manifest["spec"]["policyName"]: each
        for each in planned.objects
        if each.kind == "ValidatingAdmissionPolicyBinding"
    }

    assert rules.keys() == bound.keys()
    for name, rule in rules.items():
        assert name.startswith("acme-ml-")
        assert rule.urn in bound[name].dependencies
    found = {name: each.manifest["spec"]["validationActions"] for name, each in bound.items()}
    assert found == {
        "acme-ml-registries": ["Deny", "Audit"],
        "acme-ml-tags": ["Warn", "Audit"],
        "acme-ml-requests": ["Audit"],
    }
    assert all(re.search("-(deny|warn|audit)$", each.object_name) for each in bound.values())


def test_of_kinds_that_kueue_does_not_know_the_pods_own_label_counts() -> None:
    labels = gpu_queue().variables["labels"]

    kinds = '["DaemonSet", "ReplicaSet", "ReplicationController"]'
    assert f"in {kinds} ? dyn(object).spec.template :" in labels
    known = set(json.loads(configuration(Apps.of("acme").kueue))["integrations"]["frameworks"])
    assert {"deployment", "statefulset", "batch/job", "pod"} <= known  # whose own label it looks at
