"""A real one-node cluster with the starter platform on it, for the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from onenode import cluster, layout, machine, preflight
from onenode.platform import Platform, client_python
from onenode.report import Table

from ziggurat.progress import Progress
from ziggurat.settings import Settings

BLUEPRINT = """\
apiVersion: ziggurat/v1
name: acme-ml
phase: starter
cluster: {{context: node, kubeconfig: {kubeconfig}}}
teams:
  vision:
    quota: {{cpu: 8, memory: 32Gi}}
  pricing: {{}}
backup: {{scratch: 5Gi}}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.node)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.from_environment()


@pytest.fixture(scope="session")
def machine_before(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[machine.State | None]:
    """What the machine was before the node started; None where it ran already."""
    where = layout.from_environment(settings)
    if cluster.is_up(where):
        yield None
        return
    preflight.require(where)
    with machine.of_the_user(tmp_path_factory.mktemp("users-own")):
        yield machine.state(without=where.root)


@pytest.fixture(scope="session")
def node(settings: Settings, machine_before: machine.State | None) -> Iterator[layout.Layout]:
    """The node; one that runs already is left running, for the next test run to be quick."""
    where = layout.from_environment(settings)
    running = machine_before is None
    cluster.up(where, settings, Progress())
    yield where
    if not running and not os.environ.get("NODE_KEEP"):
        cluster.down(where, Progress())


@pytest.fixture(scope="session")
def platform(node: layout.Layout, settings: Settings) -> Platform:
    """The starter blueprint, provisioned by the project's own command."""
    made = Platform("acme-ml", node.platforms["platform"], node.kubeconfig, settings.cache)
    made.write(BLUEPRINT.format(kubeconfig=node.kubeconfig))
    made.up()
    return made


@pytest.fixture(scope="session")
def uri(platform: Platform) -> Iterator[str]:
    with platform.forwarded() as address:
        yield address


@pytest.fixture(scope="session")
def python(settings: Settings) -> Path:
    """A data scientist's Python, outside the cluster."""
    return client_python(settings.cache)


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """What a module's tests found, printed when they are done."""
    found = Table(str(request.module.TABLE))
    yield found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        found.show()
