"""The last test: a node that is taken down leaves the machine as it was."""

from __future__ import annotations

import os

import pytest
from onenode import cluster, machine

from ziggurat.progress import Progress


@pytest.fixture(scope="module", autouse=True)
def for_good(machine_before):
    """Where the node ran before the tests, or is kept, there is nothing to be compared with."""
    if machine_before is None:
        pytest.skip("the node ran before these tests: make node-down, then make test-node")
    if os.environ.get("NODE_KEEP"):
        pytest.skip("NODE_KEEP: the node is to be kept")


def test_what_the_node_changed_is_put_back(node, machine_before):
    """Whatever it could touch, and things of the kinds that it makes which are somebody else's."""
    assert machine.difference(machine_before, machine.state(without=node.root))
    cluster.down(node, Progress())
    assert cluster.leftovers(node) == []
    assert machine.difference(machine_before, machine.state(without=node.root)) == {}
