"""What of a node's state goes with it. The node itself is tested in tests/node."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "node"))  # the node's own modules

from onenode import cluster
from onenode.layout import Layout


def test_a_node_that_is_deleted_takes_the_platforms_on_it_along(tmp_path: Path) -> None:
    """Else the next node begins with a platform whose state knows of objects that are no more."""
    where = Layout(tmp_path / "node", tmp_path / "cache", "127.0.0.1")
    for folder in (*where.platforms.values(), where.root / "etcd", where.root / "of-the-user"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    where.kubeconfig.touch()

    cluster.forget(where)

    assert [each.name for each in where.root.iterdir()] == ["of-the-user"]
