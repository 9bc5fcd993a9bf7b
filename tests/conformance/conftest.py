"""The plugins under test, and a cluster of their own.

The stand-in is always tested. `ZIGGURAT_CONFORMANCE_PULUMI_HOME` names a PULUMI_HOME with Pulumi's own
plugin: then every case runs against that too, and the two are compared.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pytest
from conformance_harness import Engine, Kubernetes, Plugin

from standin.install import install
from ziggurat import sandbox
from ziggurat.progress import silent
from ziggurat.settings import Settings

NAME = "pulumi-resource-kubernetes"
OFFICIAL_HOME = os.environ.get("ZIGGURAT_CONFORMANCE_PULUMI_HOME", "")
PLUGINS = ["stand-in", *(["official"] if OFFICIAL_HOME else [])]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.sandbox)


@dataclass(frozen=True)
class Candidate:
    """A plugin under test."""

    name: str
    home: Path

    @property
    def executable(self) -> Path:
        found = sorted(self.home.glob(f"plugins/resource-kubernetes-v*/{NAME}"))
        assert found, f"{self.home} holds no Kubernetes plugin"
        return found[-1]

    @property
    def is_official(self) -> bool:
        return self.name == "official"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Candidate]:
    mine = tmp_path_factory.mktemp("pulumi-home")
    install(mine / "plugins", version("pulumi-kubernetes"), Path(sys.executable))
    candidates = {"stand-in": Candidate("stand-in", mine)}
    if OFFICIAL_HOME:
        candidates["official"] = Candidate("official", Path(OFFICIAL_HOME))
    return candidates


@pytest.fixture(params=PLUGINS, scope="module")
def candidate(request: pytest.FixtureRequest, homes: dict[str, Candidate]) -> Candidate:
    return homes[request.param]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given = Settings.from_environment()
    settings = replace(given, state=tmp_path_factory.mktemp("state"))
    yield sandbox.up(settings, silent(), name="conformance").kubeconfig
    sandbox.reset(settings, silent(), name="conformance")


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Kubernetes:
    return Kubernetes(kubeconfig)


@pytest.fixture
def start(candidate: Candidate) -> Iterator:
    """Starts a plugin, not configured yet."""
    running: list[tuple[Plugin, Engine]] = []

    def starter(**environment: str) -> Plugin:
        engine = Engine()
        plugin = Plugin(candidate.executable, engine, environment)
        running.append((plugin, engine))
        return plugin

    yield starter
    for plugin, engine in running:
        plugin.stop()
        engine.stop()


@pytest.fixture(scope="module")
def plugin(candidate: Candidate, kubeconfig: Path) -> Iterator[Plugin]:
    """One for the cases of a file that need no options."""
    engine = Engine()
    running = Plugin(candidate.executable, engine)
    yield running.configure(kubeconfig=str(kubeconfig))
    running.stop()
    engine.stop()


@pytest.fixture
def namespace(cluster: Kubernetes) -> str:
    """A namespace of the case's own; the whole cluster goes at the end."""
    name = f"case-{uuid.uuid4().hex[:8]}"
    cluster.new_namespace(name)
    return name
