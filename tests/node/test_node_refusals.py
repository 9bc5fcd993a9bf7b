"""What the node says, before it changes anything, on a machine where it cannot run."""

from __future__ import annotations

import os
import shutil
import socket
from collections import namedtuple
from dataclasses import replace

import pytest
from onenode import layout, preflight
from onenode.preflight import NodeError

from ziggurat.toolchain.model import Machine


@pytest.fixture
def elsewhere(settings, tmp_path) -> layout.Layout:
    """A node of its own: nothing of it runs, and its ports are not those of the one that does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return replace(
        layout.from_environment(settings),
        root=tmp_path / "node",
        api_port=26443,
        etcd_port=22379,
        kubelet_port=20250,
        kubelet_health_port=20248,
        dns_port=20053,
        proxy_ports=(20256, port),
    )


def refusal(where: layout.Layout) -> str:
    with pytest.raises(NodeError) as caught:
        preflight.require(where)
    assert not where.root.exists()
    return caught.value.format_message()


def test_without_root(elsewhere, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = refusal(elsewhere)
    assert "only root may make network namespaces, mounts and cgroups" in said
    assert "run it as root" in said


def test_on_another_processor(elsewhere, monkeypatch):
    monkeypatch.setattr(preflight, "this_machine", lambda: Machine("linux", "arm64"))
    assert "the node runs on Linux on amd64, and this is linux on arm64" in refusal(elsewhere)


def test_without_its_programs(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    said = refusal(elsewhere)
    assert "not on PATH: ip, nft, iptables" in said
    assert f"make node-packages (apt-get install {preflight.PACKAGES}) and install kubectl" in said
    assert "there is no `go` on PATH" in said


def test_with_a_full_disk(elsewhere, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**11, 97 * 10**9, 3 * 10**9))
    assert f"3 GB are free at {elsewhere.root}, and it takes 12" in refusal(elsewhere)


def test_with_a_port_in_use(elsewhere):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", elsewhere.dns_port))
        taken.listen()
        assert f"port {elsewhere.dns_port}, for coredns, is in use" in refusal(elsewhere)


def test_beside_a_live_node_of_another_folder(node, tmp_path):
    """A second node would take the ports of the first, and is told so; the first is not touched."""
    said = refusal(replace(node, root=tmp_path / "second"))
    assert f"port {node.api_port}, for kube-apiserver, is in use" in said


def test_what_it_will_change_is_said(elsewhere):
    text = preflight.explain(elsewhere)
    for word in (
        "root",
        preflight.PACKAGES,
        elsewhere.bridge,
        elsewhere.chain,
        "cgroups",
        "mounts",
        "ip_forward",
    ):
        assert word in text
