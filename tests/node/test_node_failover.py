"""The highly available database: CloudNativePG's own operator, and a primary killed while a client writes."""

from __future__ import annotations

import time

import pytest
from onenode import cnpg
from onenode.gates import asked_for
from onenode.writing import note, writing

pytestmark = asked_for("NODE_FAILOVER", "builds CloudNativePG's operator and an image of PostgreSQL first")
TABLE = "The primary of the highly available database killed, while a client writes five times a second"
NAME, PORT = "acme-ha", 5002
INSTANCES = 3


@pytest.fixture(scope="module")
def available(node, platform, table):
    """A platform with two MLflow servers on three PostgreSQL servers."""
    start = time.monotonic()
    with cnpg.operator(platform), cnpg.provisioned(node, platform, "available", NAME, INSTANCES) as servers:
        note(table, f"(up: {time.monotonic() - start:.0f} s)")
        yield servers


def test_each_server_has_what_was_committed(available):
    """Real PostgreSQL servers, of which standbys confirm each commit."""
    available.wait_whole()
    rows = available.sql(available.primary(), "SELECT sync_state FROM pg_stat_replication")
    assert rows == ["quorum"] * (INSTANCES - 1)


@pytest.mark.parametrize("grace", ["1", "0"], ids=["killed after a second", "gone at once, by force"])
def test_a_killed_primary_loses_nothing(available, python, table, tmp_path, grace):
    available.wait_whole()
    before, platform = available.primary(), available.platform
    with platform.forwarded(PORT) as uri:
        fault = f"primary {grace} s after the word"
        with writing(platform, python, tmp_path, fault, table, uri):
            options = ("--grace-period", grace, *(["--force"] if grace == "0" else []))
            platform.kubectl("delete", "pod", before, "-n", NAME, *options, "--wait=false")
            deadline = time.monotonic() + 120
            while available.primary() == before:
                assert time.monotonic() < deadline, available.cluster()["status"]
                time.sleep(0.2)
    available.wait_whole()
    # What was primary follows now.
    assert available.sql(before, "SELECT pg_is_in_recovery()") == ["t"]
