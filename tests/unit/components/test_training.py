"""What TrainJobs are made from: whose credentials, which nodes, and who may speak to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blueprints import load
from blueprints.model.teams import Team
from components.manifests import network
from components.training import jobset_values, runtime_names, trainer_values, training_app
from components.versions import ImageSource
from ziggurat.plan import plan
from ziggurat.plan.model import Plan

VARIANTS = Path(__file__).parents[2] / "program" / "variants"


@pytest.fixture(scope="module")
def planned() -> Plan:
    return plan(load(VARIANTS / "training.yaml"))


def runtimes(planned: Plan) -> dict[tuple[str | None, str], dict[str, Any]]:
    """The pod template of each runtime."""
    return {
        (each.namespace, each.object_name): template
        for each, template in planned.pod_templates()
        if each.kind == "TrainingRuntime"
    }


def test_every_team_has_a_runtime_without_gpus_and_one_for_each_pool(planned: Plan) -> None:
    names = {"torch-distributed", "torch-distributed-a100", "torch-distributed-t4"}
    assert set(runtimes(planned)) == {
        (f"acme-ml-{team}", name) for team in ("vision", "pricing") for name in names
    }


def test_a_runtime_of_a_pool_goes_to_its_nodes_and_no_other_does(planned: Plan) -> None:
    found = runtimes(planned)
    pool = found["acme-ml-vision", "torch-distributed-t4"]["spec"]
    assert pool["nodeSelector"] == {"acme.example/gpu": "t4"}
    assert [toleration["key"] for toleration in pool["tolerations"]] == ["nvidia.com/gpu"]
    assert pool["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    plain = found["acme-ml-vision", "torch-distributed"]["spec"]
    assert not {"nodeSelector", "tolerations"} & plain.keys()


def test_training_logs_to_mlflow_as_an_account_of_its_own_team(planned: Plan) -> None:
    for (namespace, _), template in runtimes(planned).items():
        env = {each["name"]: each for each in template["spec"]["containers"][0]["env"]}
        secret = {"acme-ml-vision": "mlflow-grace", "acme-ml-pricing": "mlflow-pricing"}[namespace or ""]
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_WORKSPACE"):
            assert env[name]["valueFrom"]["secretKeyRef"] == {"name": secret, "key": name}


def test_a_team_without_users_works_as_the_account_of_its_own_name() -> None:
    assert Team().account("pricing") == "pricing"


def test_the_nodes_of_a_trainjob_reach_one_another_and_nothing_else_more() -> None:
    app = training_app("acme", "vision")
    policy = network.among(app)["spec"]
    mine = {"podSelector": {"matchLabels": app.selector}}
    assert (policy["podSelector"], policy["ingress"]) == (mine["podSelector"], [{"from": [mine]}])
    assert policy["egress"] == [{"to": [mine]}]


def test_members_make_trainjobs_and_may_not_change_runtimes(planned: Plan) -> None:
    (role,) = [each for each in planned.objects if (each.kind, each.object_name) == ("Role", "training")]
    assert role.namespace == "acme-ml-vision"  # the other team has no groups
    verbs = {rule["resources"][0]: rule["verbs"] for rule in role.manifest["rules"]}
    assert "create" in verbs["trainjobs"]
    assert verbs["trainingruntimes"] == ["get", "list", "watch"]


def test_a_jobset_that_is_there_is_not_installed_again() -> None:
    outputs = plan(load(VARIANTS / "training-brought.yaml")).outputs
    assert outputs["charts"] == ["kubeflow-trainer 2.3.0"]
    assert "registry.acme.example/train:1.4" in outputs["images"]
    assert not [image for image in outputs["images"] if "jobset" in image or "pytorch" in image]


def test_a_mirror_moves_the_images_of_both_charts() -> None:
    source = ImageSource("mirror.acme/ml", "login")
    trainer, jobset = trainer_values(source), jobset_values(source)
    assert (trainer["image"]["registry"], trainer["image"]["repository"]) == (
        "mirror.acme/ml",
        "kubeflow/trainer/trainer-controller-manager",
    )
    assert jobset["image"]["repository"] == "mirror.acme/ml/jobset/jobset"
    assert trainer["image"]["pullSecrets"] == jobset["image"]["pullSecrets"] == [{"name": "login"}]
    assert trainer["jobset"] == {"install": False}


def test_runtimes_are_named_after_pools() -> None:
    assert runtime_names({}) == {"torch-distributed": None}
