"""The highly available database: CloudNativePG's own operator, and a primary killed while a client writes."""

from __future__ import annotations

import time

import pytest
from onenode import modules
from onenode.gates import asked_for
from onenode.platform import Platform
from onenode.writing import writing

pytestmark = asked_for("NODE_FAILOVER", "builds CloudNativePG's operator and an image of PostgreSQL first")
TABLE = "The primary of the highly available database killed, while a client writes five times a second"
NAME, PORT = "acme-ha", 5002
OPERATOR = "cnpg-system"
INSTANCES = 3
_BLUEPRINT = """\
apiVersion: ziggurat/v1
name: acme-ha
phase: orchestration
cluster: {{context: node, kubeconfig: {kubeconfig}}}
teams: {{vision: {{}}}}
tracking: {{replicas: 2, resources: {{cpu: 100m, memory: 768Mi, memoryLimit: 1536Mi}}}}
database:
  mode: highlyAvailable
  operator: existing
  instances: {instances}
  storage: 2Gi
  resources: {{cpu: 50m, memory: 256Mi, memoryLimit: 512Mi}}
"""


@pytest.fixture(scope="module")
def operator(platform):
    """The operator as its makers publish it, in a namespace of its own; its image is ours."""
    source = modules.folder("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg")
    manifest = (source / "releases" / "cnpg-1.30.0.yaml").read_text()
    mine = manifest.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    platform.kubectl("apply", "--server-side", "-f", "-", stdin=mine)
    deployment = "deployment/cnpg-controller-manager"
    platform.kubectl("rollout", "status", deployment, "-n", OPERATOR, "--timeout=180s")
    yield
    platform.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=mine)


@pytest.fixture(scope="module")
def available(node, platform, operator, table):
    """A platform with two MLflow servers on three PostgreSQL servers."""
    made = Platform(NAME, node.platforms["available"], platform.kubeconfig, platform.cache)
    made.write(_BLUEPRINT.format(kubeconfig=platform.kubeconfig, instances=INSTANCES))
    start = time.monotonic()
    try:
        made.up()
        table.add(fault=f"(up: {time.monotonic() - start:.0f} s)", **dict.fromkeys(_COLUMNS, "-"))
        yield made
    finally:
        made.ziggurat("destroy", str(made.blueprint), "--with-data", "--stand-in", "--confirm", NAME)


_COLUMNS = ("acknowledged", "lost", "refused_and_tried_again", "longest_downtime")


def cluster(platform):
    (found,) = platform.objects("clusters.postgresql.cnpg.io", NAME)
    return found


def primary(platform):
    return cluster(platform)["status"]["currentPrimary"]


def wait_whole(platform, seconds=240):
    deadline = time.monotonic() + seconds
    while cluster(platform)["status"].get("readyInstances") != INSTANCES:
        assert time.monotonic() < deadline, cluster(platform)["status"]
        time.sleep(0.5)


def test_each_server_has_what_was_committed(available):
    """Real PostgreSQL servers, of which standbys confirm each commit."""
    wait_whole(available)
    rows = sql(available, primary(available), "SELECT sync_state FROM pg_stat_replication")
    assert rows == ["quorum"] * (INSTANCES - 1)


@pytest.mark.parametrize("grace", ["1", "0"], ids=["killed after a second", "gone at once, by force"])
def test_a_killed_primary_loses_nothing(available, python, table, tmp_path, grace):
    wait_whole(available)
    before = primary(available)
    with available.forwarded(PORT) as uri:
        fault = f"primary {grace} s after the word"
        with writing(available, python, tmp_path, fault, table, uri):
            options = ("--grace-period", grace, *(["--force"] if grace == "0" else []))
            available.kubectl("delete", "pod", before, "-n", NAME, *options, "--wait=false")
            deadline = time.monotonic() + 120
            while primary(available) == before:
                assert time.monotonic() < deadline, cluster(available)["status"]
                time.sleep(0.2)
    wait_whole(available)
    assert sql(available, before, "SELECT pg_is_in_recovery()") == ["t"]  # what was primary follows now


def sql(platform, pod, statement):
    where = ("exec", "-n", NAME, pod, "-c", "postgres", "--", "psql", "-U", "postgres", "-tAc")
    return platform.kubectl(*where, statement).strip().splitlines()
