"""GPU software: on which nodes it runs, what it tolerates, and how GPUs are shared."""

from __future__ import annotations

import json

import pytest

from blueprints.model.pools import GpuPool, Nodes
from blueprints.pools import capacity, total
from components import queues
from components.manifests.metadata import App
from components.pools import charts, operator_values, plugin_values
from components.versions import KUEUE, NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR, ImageSource

TAINTS = [
    {"key": "nvidia.com/gpu", "value": value, "effect": "NoSchedule"} for value in ("present", "true", "")
]
"""As clouds and people write the taint of GPU nodes."""
PLUGIN = GpuPool(node_selector={"gpu": "t4"}, device_plugin="devicePlugin", time_slicing=4)
OPERATOR = GpuPool(node_selector={"gpu": "a"}, device_plugin="operator", mig="1g.10gb")
CHARTS = {
    KUEUE.name: queues.values(App("acme", "acme", "kueue", "queues"), ImageSource("mirror", "login")),
    NVIDIA_DEVICE_PLUGIN.name: plugin_values("t4", PLUGIN, ImageSource("mirror", "login")),
    NVIDIA_GPU_OPERATOR.name: operator_values(
        {"a": OPERATOR.model_copy(update={"time_slicing": 2})}, ImageSource("mirror", "login")
    ),
}


def tolerates(tolerations, taint):
    """Kubernetes' own rule."""
    return any(
        each.get("key") in (None, taint["key"])
        and each.get("effect") in (None, taint["effect"])
        and (each.get("operator") == "Exists" or each.get("value", "") == taint["value"])
        for each in tolerations
    )


@pytest.mark.parametrize("taint", TAINTS, ids=lambda taint: taint["value"] or "none")
def test_every_daemon_set_of_the_gpu_chain_tolerates_every_pools_taint(taint):
    operator, plugin = CHARTS[NVIDIA_GPU_OPERATOR.name], CHARTS[NVIDIA_DEVICE_PLUGIN.name]
    for tolerations in (
        plugin["tolerations"],
        operator["daemonsets"]["tolerations"],
        operator["node-feature-discovery"]["worker"]["tolerations"],
    ):
        assert tolerates(tolerations, taint)


def test_the_device_plugin_runs_on_the_nodes_of_its_pool_alone_and_shares_as_told():
    made = plugin_values("t4", PLUGIN, ImageSource())
    required = made["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["t4"]}]}
    ]
    config = json.loads(made["config"]["map"][made["config"]["default"]])
    assert config["sharing"]["timeSlicing"]["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    whole = PLUGIN.model_copy(update={"time_slicing": None})
    assert "config" not in plugin_values("t4", whole, ImageSource())


def test_the_operator_divides_gpus_as_told():
    made = operator_values({"a": OPERATOR}, ImageSource())
    assert made["migManager"]["config"]["default"] == "all-1g.10gb"
    whole = operator_values({"a": OPERATOR.model_copy(update={"mig": None})}, ImageSource())
    assert whole["migManager"]["config"]["default"] == "all-disabled"


def test_nothing_is_installed_unless_it_is_asked_for():
    assert charts({"t4": GpuPool(node_selector={"gpu": "t4"})}) == ()
    assert charts({"t4": PLUGIN}) == (NVIDIA_DEVICE_PLUGIN,)
    assert charts({"a": OPERATOR}) == (NVIDIA_GPU_OPERATOR,)


def test_every_image_that_values_name_is_listed():
    for chart in (KUEUE, NVIDIA_DEVICE_PLUGIN, NVIDIA_GPU_OPERATOR):
        listed = {f"mirror/{image.repository}:{image.tag}" for image in chart.images}
        assert set(_images(CHARTS[chart.name])) == listed


def _images(value):
    """References that a chart puts together of the parts that its values give."""
    if not isinstance(value, dict):
        return
    if "version" in value and "image" in value:
        yield f"{value['repository']}/{value['image']}:{value['version']}"
    elif "tag" in value:
        yield f"{value['repository']}:{value['tag']}"
    for item in value.values():
        yield from _images(item)


def test_what_a_pool_can_have():
    assert capacity(GpuPool(gpus_per_node=4, nodes=Nodes(max=2))) == 8
    assert capacity(PLUGIN.model_copy(update={"nodes": Nodes(max=2)})) == 8
    assert capacity(OPERATOR.model_copy(update={"nodes": Nodes(max=2)})) is None
    assert total({"a": GpuPool(nodes=Nodes(max=2)), "b": PLUGIN}) is None
