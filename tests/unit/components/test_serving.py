"""Models by their registry URI: fetched as whom, served how, and reached by whom."""

from __future__ import annotations

from pathlib import Path

from plans import found

from components.serving import values
from components.versions import ImageSource
from ziggurat.plan.model import Plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "serving.yaml"


def test_models_are_fetched_by_their_registry_uri(planned: Plan) -> None:
    (spec,) = (each["spec"] for each in found(planned, "ClusterStorageContainer").values())
    assert spec["supportedUriFormats"] == [{"prefix": "models:/"}]
    container = spec["container"]
    # KServe appends the URI and the folder: the shell has them as $1 and $2, for $0 is given.
    assert container["command"][:2] == ["sh", "-c"]
    assert len(container["command"]) == 4
    assert "args" not in container


def test_models_are_fetched_as_an_account_of_the_team_in_whose_namespace_they_are(planned: Plan) -> None:
    (spec,) = (each["spec"] for each in found(planned, "ClusterStorageContainer").values())
    secrets = found(planned, "Secret")
    named = {
        each["valueFrom"]["secretKeyRef"]["name"] for each in spec["container"]["env"] if "valueFrom" in each
    }
    assert named == {"kserve-mlflow"}
    users = {
        team: secrets[f"acme-ml-{team}", "kserve-mlflow"]["stringData"]["MLFLOW_TRACKING_USERNAME"]
        for team in ("vision", "pricing")
    }
    assert users == {"vision": "grace", "pricing": "pricing"}


def test_what_serves_and_fetches_passes_restricted_by_its_containers_alone(planned: Plan) -> None:
    """KServe's kinds have no security context of the pod."""
    containers = [
        *(each["spec"]["container"] for each in found(planned, "ClusterStorageContainer").values()),
        *(each["spec"]["containers"][0] for each in found(planned, "ServingRuntime").values()),
    ]
    assert len(containers) == 5
    for container in containers:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert container["image"].startswith("registry.acme.example/mirror/")


def test_a_runtime_without_gpus_is_taken_where_none_is_named(planned: Plan) -> None:
    runtimes = found(planned, "ServingRuntime")
    chosen = {
        name: each["spec"]["supportedModelFormats"][0]["autoSelect"] for (_, name), each in runtimes.items()
    }
    assert chosen == {"mlflow": True, "mlflow-t4": False}
    spec = runtimes["acme-ml-vision", "mlflow-t4"]["spec"]
    assert spec["nodeSelector"] == {"acme.example/gpu": "t4"}
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_models_answer_the_teams_own_pods_and_no_others(planned: Plan) -> None:
    policies = found(planned, "NetworkPolicy")
    spec = policies["acme-ml-vision", "serving"]["spec"]
    assert spec["ingress"] == [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8080}]}]
    labels = found(planned, "ServingRuntime")["acme-ml-vision", "mlflow"]["spec"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    out = policies["acme-ml-vision", "serving-clients"]["spec"]
    assert out["egress"][0]["to"] == [{"podSelector": spec["podSelector"]}]


def test_nothing_leads_to_a_model_from_outside() -> None:
    gateway = values(ImageSource())["kserve"]["controller"]["gateway"]
    assert gateway["disableIngressCreation"] is True


def test_a_mirror_moves_every_image_of_the_chart() -> None:
    told = values(ImageSource("mirror.acme/ml", "login"))["kserve"]
    controller = told["controller"]
    named = [controller["image"], controller["rbacProxyImage"]]
    named += [told[part]["image"] for part in ("agent", "router", "storage")]
    assert all(name.startswith("mirror.acme/ml/") for name in named)
    assert controller["imagePullSecrets"] == [{"name": "login"}]
    assert controller["deploymentMode"] == "Standard"
