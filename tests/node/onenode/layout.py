"""Where the node keeps its things, and which addresses and ports it takes."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ziggurat.settings import Settings


@dataclass(frozen=True)
class Layout:
    """Folders, addresses and ports of one node."""

    root: Path
    """State: everything that goes with `down --delete`."""
    cache: Path
    """What can be made again: programs and layers of images."""
    address: str
    name: str = "node0"
    bridge: str = "node0br"
    pods: str = "10.88.0.0/16"
    services: str = "10.96.0.0/16"
    api_service: str = "10.96.0.1"
    dns_service: str = "10.96.0.10"
    api_port: int = 16443
    etcd_port: int = 12379
    kubelet_port: int = 10250
    kubelet_health_port: int = 10248
    dns_port: int = 10053
    proxy_ports: tuple[int, int] = (10256, 10249)
    queue: int = 4100
    """Netfilter queue of the policies' engine."""

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def platforms(self) -> dict[str, Path]:
        """The folders of the platforms that tests provision on the node, with their projects and states."""
        return {name: self.root / name for name in ("platform", "second", "available")}

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def socket(self) -> Path:
        return self.root / "containerd" / "containerd.sock"

    @property
    def images(self) -> Path:
        return self.cache / "images"

    @property
    def chain(self) -> str:
        """The iptables chain that hands packets to the policies' engine."""
        return f"POLICIES-{self.bridge}".upper()

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the node listens on."""
        return {
            "etcd": self.etcd_port,
            "etcd's peers": self.etcd_port + 1,
            "kube-apiserver": self.api_port,
            "kube-controller-manager": self.api_port + 1,
            "kube-scheduler": self.api_port + 2,
            "kubelet": self.kubelet_port,
            "kubelet's health": self.kubelet_health_port,
            "kube-proxy's health": self.proxy_ports[0],
            "kube-proxy's metrics": self.proxy_ports[1],
            "coredns": self.dns_port,
            "coredns's health": self.dns_port + 1,
        }


def from_environment(settings: Settings, environment: Mapping[str, str] | None = None) -> Layout:
    """`NODE_DIR` (default: `node` in Ziggurat's state folder), `NODE_IP` (default: this machine's own)."""
    env = os.environ if environment is None else environment
    root = Path(env.get("NODE_DIR") or settings.state / "node").absolute()
    return Layout(root, settings.cache / "node", env.get("NODE_IP") or _own_address())


def _own_address() -> str:
    """The address that this machine would send from. Nothing is sent: a UDP socket only chooses a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        try:
            chosen.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(chosen.getsockname()[0])
