"""What the node changes in this machine's network and kernel settings, and putting it back."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from onenode.layout import Layout

SYSCTL = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",  # else answers on the bridge miss the Service
    "fs.inotify.max_user_instances": "8192",
}
SET_BY_KUBELET = ("vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops")
_CNI_TABLES = ("cni_plugins_masquerade", "cni_hostport")
_KUBELET_CHAINS = ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT")


def run(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """A command whose failure is no news, unless `check`."""
    return subprocess.run(command, text=True, capture_output=True, check=check)


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def set_sysctl(layout: Layout) -> None:
    """Sets what pods need. What was there before is remembered, by the first run only."""
    kept = layout.root / "sysctl.json"
    if not kept.exists():
        names = [name for name in (*SYSCTL, *SET_BY_KUBELET) if _sysctl(name).exists()]
        kept.write_text(json.dumps({name: _sysctl(name).read_text().strip() for name in names}))
    for name, value in SYSCTL.items():
        _sysctl(name).write_text(value)


def restore_sysctl(layout: Layout, names: Iterable[str] | None = None) -> None:
    """Puts back what was there before the node: all of it (and forgets it), or some."""
    kept = layout.root / "sysctl.json"
    if not kept.exists():
        return
    for name, value in json.loads(kept.read_text()).items():
        if (names is None or name in names) and _sysctl(name).exists():
            _sysctl(name).write_text(value)
    if names is None:
        kept.unlink()


def guard(layout: Layout) -> None:
    """Hands the first packet of each connection from or to a pod to the policies' engine.

    The engine's own rules use nftables' `queue`, which not every kernel has (CONFIG_NFT_QUEUE); iptables'
    NFQUEUE does the same. Where the engine does not answer, packets are dropped. What the node's own root
    sends passes: the kubelet's probes, port forwards, and the tests' clients outside of the cluster.
    """
    chain = layout.chain
    if run("iptables", "-w", "-t", "mangle", "-N", chain).returncode == 0:
        queue = ("-j", "NFQUEUE", "--queue-num", str(layout.queue))
        for rule in (
            ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"),
            ("-m", "owner", "--uid-owner", "0", "-j", "RETURN"),
            ("-s", layout.pods, *queue),
            ("-d", layout.pods, *queue),
        ):
            run("iptables", "-w", "-t", "mangle", "-A", chain, *rule, check=True)
    if run("iptables", "-w", "-t", "mangle", "-C", "POSTROUTING", "-j", chain).returncode != 0:
        run("iptables", "-w", "-t", "mangle", "-A", "POSTROUTING", "-j", chain, check=True)


def unguard(layout: Layout) -> None:
    """Takes the rules of `guard` away, and the table that the engine makes where the kernel lets it."""
    run("iptables", "-w", "-t", "mangle", "-D", "POSTROUTING", "-j", layout.chain)
    for verb in ("-F", "-X"):
        run("iptables", "-w", "-t", "mangle", verb, layout.chain)
    run("nft", "delete", "table", "inet", layout.chain.lower())


def unmount(root: Path) -> None:
    """Every mount below the state folder, innermost first."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{root}/")), reverse=True):
        run("umount", "-l", mount)


def clean(layout: Layout, bin_folder: Path) -> None:
    """Takes away the bridge, the pods' interfaces and namespaces, the rules and the control groups."""
    _remove_interfaces(layout)
    run(str(bin_folder / "kube-proxy"), "--cleanup")
    for table, family in product(_CNI_TABLES, ("ip", "ip6", "inet")):
        run("nft", "delete", "table", family, table)
    for tool in ("iptables", "ip6tables"):
        for chain in ("INPUT", "OUTPUT"):
            run(tool, "-w", "-D", chain, "-j", "KUBE-FIREWALL")
        for table, chain in product(("filter", "nat", "mangle"), _KUBELET_CHAINS):
            run(tool, "-w", "-t", table, "-F", chain)
            run(tool, "-w", "-t", table, "-X", chain)
    for tree in (*Path("/sys/fs/cgroup").glob("*/kubepods"), Path("/sys/fs/cgroup/kubepods")):
        _remove_groups(tree)


def _remove_interfaces(layout: Layout) -> None:
    bridge = Path("/sys/class/net", layout.bridge)
    if bridge.exists():
        for peer in (bridge / "brif").iterdir():
            run("ip", "link", "delete", peer.name)
        run("ip", "link", "delete", layout.bridge)
    recorded = layout.root / "netns"
    for space in recorded.read_text().split() if recorded.exists() else []:
        run("ip", "netns", "delete", space)
    for file in Path("/var/lib/cni/results").glob(f"{layout.bridge}-*"):
        file.unlink(missing_ok=True)
    shutil.rmtree(layout.root / "cni" / "state", ignore_errors=True)


def _remove_groups(tree: Path) -> None:
    if tree.is_dir():
        for each in tree.iterdir():
            if each.is_dir():
                _remove_groups(each)
        with contextlib.suppress(OSError):  # a group of somebody's still running process stays
            tree.rmdir()


def ours(prefix: str = "cni-") -> set[str]:
    """Network namespaces that CNI made."""
    return {
        line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.startswith(prefix)
    }
