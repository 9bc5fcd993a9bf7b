"""What the node needs and what it will change, said before anything is changed; and clear refusals."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping

from onenode import images, processes
from onenode.layout import Layout
from ziggurat.errors import ZigguratError
from ziggurat.toolchain.gobuild import go_version
from ziggurat.toolchain.model import this_machine

PACKAGES = "libseccomp-dev iptables nftables conntrack iproute2 debootstrap gcc pkg-config"
_PROGRAMS = ("ip", "nft", "iptables", "ip6tables", "conntrack", "debootstrap", "unshare", "kubectl")
_PATIENCE = 10
"""Seconds that ports may still be in use."""
_FREE_GB = 12
"""Programs 0.5, images 2.6, containerd 4.8, and room for volumes."""


class NodeError(ZigguratError):
    """The node cannot run on this machine as it is."""


def explain(layout: Layout) -> str:
    """What will happen, for people to read first."""
    ports = ", ".join(map(str, sorted(layout.ports.values())))
    return f"""\
A real one-node Kubernetes runs on this machine until it is taken down (make node-down). It
  needs    Linux on amd64, root, {_FREE_GB} GB of disk, and of apt:
           {PACKAGES}
  keeps    its state in {layout.root},
           programs and images in {layout.cache}
  listens  on {layout.address} and 127.0.0.1, ports {ports}
  adds     the bridge {layout.bridge} ({layout.pods}) and a network namespace for each pod;
           rules of kube-proxy and CNI (nftables) and the iptables chain {layout.chain};
           cgroups below /kubepods; mounts below {layout.root}
  sets     net.ipv4.ip_forward, net.bridge.bridge-nf-call-iptables, fs.inotify.max_user_instances,
           and what the kubelet sets (vm.overcommit_memory, kernel.panic*)
All of this is put back when it is taken down. No other container runtime or cluster is touched."""


def problems(layout: Layout, *, building: bool = True) -> Iterator[tuple[str, str]]:
    """What stands in the way, each with its remedy. What this node itself has left or runs does not."""
    machine = this_machine()
    if machine.os != "linux" or machine.arch != "amd64":
        yield (
            f"the node runs on Linux on amd64, and this is {machine.os} on {machine.arch}",
            "use such a machine",
        )
    if os.geteuid() != 0:
        yield "only root may make network namespaces, mounts and cgroups", "run it as root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        yield f"not on PATH: {', '.join(missing)}", _install(missing)
    if building and go_version() is None and not os.environ.get("NODE_BIN"):
        yield "its programs are built by Go, and there is no `go` on PATH", "install Go 1.26 or newer"
    if building and images.python311() is None and not os.environ.get("NODE_IMAGES"):
        yield "MLflow's image is made with Python 3.11, which is not on PATH", "set PYTHON311 to one"
    free = shutil.disk_usage(_existing(layout)).free / 1e9
    if building and free < _FREE_GB:
        yield (
            f"{free:.0f} GB are free at {layout.root}, and it takes {_FREE_GB}",
            "free some, or set NODE_DIR",
        )
    others = {
        name: port
        for name, port in layout.ports.items()
        if not any(processes.find(layout.root, own) for own in _owners(name))
    }
    for name, port in _taken(layout, others).items():
        yield (
            f"port {port}, for {name}, is in use",
            f"end what listens there (ss -ltnp 'sport = :{port}')",
        )


def _install(missing: list[str]) -> str:
    by_apt = [name for name in missing if name != "kubectl"]
    words = [f"make node-packages (apt-get install {PACKAGES})"] if by_apt else []
    return " and ".join([*words, *(["install kubectl"] if "kubectl" in missing else [])])


def require(layout: Layout) -> None:
    """NodeError with everything that stands in the way."""
    found = list(problems(layout))
    if found:
        raise NodeError(
            "the node cannot run here: " + "; ".join(text for text, _ in found),
            where=f"NODE_DIR={layout.root}",
            remedy="; ".join(dict.fromkeys(remedy for _, remedy in found)),
        )


def _owners(name: str) -> tuple[str, ...]:
    return (name.split("'")[0],)


def _existing(layout: Layout) -> str:
    folder = layout.root
    while not folder.exists():
        folder = folder.parent
    return str(folder)


def _taken(layout: Layout, ports: Mapping[str, int]) -> dict[str, int]:
    """Where something listens and goes on to: what was killed listens until all of it is gone."""
    deadline = time.monotonic() + _PATIENCE
    while taken := {name: port for name, port in ports.items() if _listened(layout, port)}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return taken


def _listened(layout: Layout, port: int) -> bool:
    for address in {"127.0.0.1", layout.address}:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return True
    return False
