"""Every chart of the shipped blueprints, rendered by Helm with the values that Ziggurat gives it.

What is rendered is not installed: no pod runs here. ZIGGURAT_TEST_CHARTS names a folder of charts, and `helm`
has to be on PATH; without them the tests skip.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import (
    BLUEPRINTS,
    MIRROR,
    Pod,
    Rendered,
    insecure,
    opened,
    planned,
    published,
    references,
    releases,
    render,
    selects,
    unknown,
)

from blueprints import load
from components import versions
from components.apps import Apps
from components.connections import edges
from components.manifests.metadata import App
from components.manifests.pools import every_toleration
from components.monitoring.targets import targets
from components.versions import ImageSource
from ziggurat.plan.footprint import containers

CHARTS = {chart.name: chart for chart in versions.CHARTS}
API_SERVER = 6443
"""Where API servers listen, behind the port 443 of their Service."""
UNLISTED = {
    "gpu-operator": {"operator.version", "validator.version", "dcgmExporter.imagePullSecrets"},
    "kube-prometheus-stack": {"grafana.fullnameOverride", "grafana.podAnnotations"},
}
"""What a chart's templates read, and its published values mention in comments alone or not at all."""
NOT_RUN: set[str] = {
    "nvcr.io/nvidia/cloud-native/k8s-driver-manager:v0.12.0",  # the operator's drivers are off
    "docker.io/envoyproxy/ratelimit:17b1956c",  # no limit of requests is shared by Envoy's pods
    "quay.io/thanos/thanos:v0.42.4",  # neither Thanos' sidecar nor its ruler is asked for
}
"""Images that a chart names for what the platform does not use."""
ASKS_FOR_NOTHING = {
    ("Job gpu-operator-cleanup-gpucluster", "cleanup-gpucluster"),
    ("Job gpu-operator-upgrade-crd", "upgrade-crd"),
}
"""Containers, by pods and name, whose resources no value of their chart sets: hooks that run for seconds."""
OPERATED = {"prometheus", "alertmanager", "dcgm-exporter"}
"""Apps of a release whose pods its operator makes, so that no rendering has them."""


@pytest.fixture(scope="session")
def charts() -> Path:
    folder = os.environ.get("ZIGGURAT_TEST_CHARTS")
    if not folder:
        pytest.skip("no charts: set ZIGGURAT_TEST_CHARTS to a folder of charts")
    if shutil.which("helm") is None:
        pytest.skip("no helm on PATH")
    return Path(folder)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blueprints")


@pytest.fixture(params=BLUEPRINTS, ids=[file.stem for file in BLUEPRINTS])
def blueprint(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def rendered(charts: Path, scratch: Path, blueprint: Path) -> list[Rendered]:
    return _rendered(charts, scratch, blueprint)


def _rendered(charts: Path, scratch: Path, blueprint: Path, *, mirrored: bool = False) -> list[Rendered]:
    found = planned(blueprint, mirrored, scratch)
    wanted = [each for each in releases(found) if (charts / each["chart"].rpartition("/")[2]).is_dir()]
    return [render(charts, found, each) for each in wanted]


def every_pod(rendered: list[Rendered]) -> Iterator[tuple[Rendered, Pod]]:
    return ((each, pod) for each in rendered for pod in each.pods())


def test_every_chart_is_given_in_its_version(charts: Path) -> None:
    """A chart made from its maker's sources may say so; one of another version would prove nothing."""
    for name, chart in CHARTS.items():
        about = yaml.safe_load((charts / name / "Chart.yaml").read_text(encoding="utf-8"))
        assert about["version"].lstrip("v") == chart.version.lstrip("v"), name


def test_values_are_those_that_the_chart_publishes(charts: Path, scratch: Path, blueprint: Path) -> None:
    """Helm itself drops keys that nothing reads, unless the chart has a schema."""
    for each in releases(planned(blueprint, False, scratch)):
        name = each["chart"].rpartition("/")[2]
        assert set(unknown(each["values"], published(charts / name))) <= UNLISTED.get(name, set()), name


def test_a_key_that_a_chart_does_not_have_is_found() -> None:
    assert list(unknown({"a": {"b": 1, "c": 2}}, {"a": {"b": 0}})) == ["a.c"]


def test_images_are_those_that_are_listed(rendered: list[Rendered], blueprint: Path) -> None:
    source = ImageSource(load(blueprint).blueprint.images.registry)
    for each in rendered:
        listed = {source.reference(image) for image in CHARTS[each.chart].images}
        pulled = {container["image"] for pod in each.pods() for container in containers(pod.spec)}
        named = {found for item in each.objects for found in references(item)}
        assert pulled | named <= listed | NOT_RUN, each.chart


def test_a_mirror_has_all_images(charts: Path, scratch: Path, blueprint: Path) -> None:
    for each in _rendered(charts, scratch, blueprint, mirrored=True):
        named = {found for item in each.objects for found in references(item)}
        named |= {container["image"] for pod in each.pods() for container in containers(pod.spec)}
        listed = {ImageSource(MIRROR).reference(image) for image in CHARTS[each.chart].images}
        assert named <= listed | NOT_RUN, each.chart


def test_every_container_asks_for_what_it_needs(rendered: list[Rendered]) -> None:
    for each, pod in every_pod(rendered):
        for container in containers(pod.spec):
            resources = container.get("resources") or {}
            where = f"{each.chart}: {pod.label}: {container['name']}"
            if (pod.label, container["name"]) in ASKS_FOR_NOTHING:
                continue
            assert {"cpu", "memory"} <= (resources.get("requests") or {}).keys(), where
            assert "memory" in (resources.get("limits") or {}), where


def test_pods_pass_the_pod_security_of_their_namespace(rendered: list[Rendered]) -> None:
    for each, pod in every_pod(rendered):
        (namespace,) = [
            item.manifest
            for item in each.plan.objects
            if item.kind == "Namespace" and item.object_name == pod.namespace
        ]
        level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        assert insecure(pod.spec, level) == [], f"{each.chart}: {pod.label}"


def test_pods_may_call_the_api_server(rendered: list[Rendered]) -> None:
    """All is shut, and each of these is a controller, a watcher or a hook."""
    for each, pod in every_pod(rendered):
        assert API_SERVER in opened(each.plan, pod, "egress"), f"{each.chart}: {pod.label}"


def test_the_api_server_reaches_what_it_calls(rendered: list[Rendered]) -> None:
    for each in rendered:
        for label, service, port in called(each):
            (found,) = [item for item in each.of("Service") if item["metadata"]["name"] == service["name"]]
            assert each.namespace(found) == service["namespace"], f"{each.chart}: {label}"
            (entry,) = [item for item in found["spec"]["ports"] if item["port"] == port]
            pods = [pod for pod in each.pods() if found["spec"]["selector"].items() <= pod.labels.items()]
            assert pods, f"{each.chart}: {label}"
            for pod in pods:
                number = pod.port(entry.get("targetPort", port))
                assert number in opened(each.plan, pod, "ingress"), f"{each.chart}: {label}: {number}"


def called(each: Rendered) -> Iterator[tuple[str, dict[str, Any], int]]:
    """The Services that the API server is told to call: webhooks, conversions, parts of its API."""
    for item in each.objects:
        label = f"{item['kind']} {item['metadata']['name']}"
        configs = [hook["clientConfig"] for hook in item.get("webhooks") or ()]
        if item["kind"] == "CustomResourceDefinition":
            conversion = item["spec"].get("conversion") or {}
            configs += [conversion["webhook"]["clientConfig"]] if "webhook" in conversion else []
        if item["kind"] == "APIService" and "service" in item["spec"]:
            configs.append(item["spec"])
        for config in configs:
            yield label, config["service"], config["service"].get("port", 443)


def test_services_and_budgets_pick_pods(rendered: list[Rendered]) -> None:
    for each in rendered:
        for item in each.of("Service"):
            selector = item["spec"].get("selector") or {}
            name = item["metadata"]["name"]
            if name.removeprefix(f"{each.release['name']}-") not in OPERATED:
                assert any(selector.items() <= pod.labels.items() for pod in each.pods()), name
        for item in each.of("PodDisruptionBudget"):
            assert any(selects(item["spec"]["selector"], pod.labels) for pod in each.pods()), item["metadata"]


def test_parts_in_the_table_of_connections_are_pods(rendered: list[Rendered], blueprint: Path) -> None:
    """By their labels; ports of webhooks and metrics are checked where they are used."""
    loaded = load(blueprint).blueprint
    table = edges(loaded, Apps.of(loaded.name))
    parts = {end for edge in table for end in (edge.source, edge.target) if isinstance(end, App)}
    pods = [pod for _, pod in every_pod(rendered)]
    for app in parts:
        if app.release and app.name not in OPERATED:
            assert any(
                pod.namespace == app.namespace and app.selector.items() <= pod.labels.items() for pod in pods
            ), app


def test_what_is_measured_has_the_port(rendered: list[Rendered], blueprint: Path) -> None:
    loaded = load(blueprint).blueprint
    for target in targets(loaded):
        if not (target.app.release and target.app.name not in OPERATED):
            continue
        pods = [
            pod
            for _, pod in every_pod(rendered)
            if pod.namespace == target.app.namespace and target.app.selector.items() <= pod.labels.items()
        ]
        assert pods, target.name
        port: int | str = target.port_name
        if target.service is not None:
            (service,) = [
                item
                for each in rendered
                for item in each.of("Service")
                if target.service.items() <= (item["metadata"].get("labels") or {}).items()
            ]
            (entry,) = [item for item in service["spec"]["ports"] if item.get("name") == target.port_name]
            port = entry.get("targetPort", entry["port"])
        assert [pod.port(port) for pod in pods] == [target.port] * len(pods), target.name


def test_gpu_software_tolerates_the_taints_of_its_pools(rendered: list[Rendered], blueprint: Path) -> None:
    loaded = load(blueprint).blueprint
    wanted = every_toleration(loaded.gpu_pools)
    for each in rendered:
        if each.chart == "gpu-operator":
            (policy,) = each.of("ClusterPolicy")
            assert all(one in policy["spec"]["daemonsets"]["tolerations"] for one in wanted)
        if each.chart in ("gpu-operator", "nvidia-device-plugin"):
            on_nodes = list(each.of("DaemonSet"))
            assert on_nodes, each.chart
            for item in on_nodes:
                held = item["spec"]["template"]["spec"].get("tolerations") or []
                names = [each.release["name"].removeprefix("nvidia-device-plugin-")]
                own = {name: pool for name, pool in loaded.gpu_pools.items() if name in names}
                assert all(one in held for one in every_toleration(own or loaded.gpu_pools)), item["metadata"]


def test_definitions_are_those_that_are_listed(rendered: list[Rendered], charts: Path) -> None:
    """Their versions, scope, and whether Helm leaves them when the release goes."""
    for each in rendered:
        brought = {
            (item["spec"]["group"], item["spec"]["names"]["kind"]): item
            for item in each.of("CustomResourceDefinition")
        }
        for listed in CHARTS[each.chart].definitions:
            where = f"{each.chart}: {listed.kind}"
            assert (listed.group, listed.kind) in brought, where
            item = brought[listed.group, listed.kind]
            served = {version["name"] for version in item["spec"]["versions"] if version["served"]}
            (stored,) = [version["name"] for version in item["spec"]["versions"] if version["storage"]]
            assert set(listed.versions) <= served, where
            assert listed.versions[-1] == stored, where
            assert listed.plural == item["spec"]["names"]["plural"], where
            assert listed.namespaced == (item["spec"]["scope"] == "Namespaced"), where
            assert listed.kept == stays(charts / each.chart, item), where


def stays(chart: Path, item: dict[str, Any]) -> bool:
    """Whether Helm leaves a definition: it says so, or lies in a folder `crds` of the chart or a subchart."""
    annotations = item["metadata"].get("annotations") or {}
    if annotations.get("helm.sh/resource-policy") == "keep":
        return True
    name = f"name: {item['metadata']['name']}"
    return any(
        name in file.read_text(encoding="utf-8")
        for folder in (chart / "crds", *chart.glob("charts/*/crds"))
        for file in folder.rglob("*.yaml")
    )
