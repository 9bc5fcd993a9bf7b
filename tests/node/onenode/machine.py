"""What of this machine a node could touch, to be compared before it starts and after it is taken down."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onenode.network import run

State = dict[str, set[str]]
_FOLDERS = ("/etc", "/opt", "/run", "/var/lib", "/var/lib/cni", "/var/log", "/var/run/netns")
_MOVES_BY_ITSELF = (
    *("kernel/random/", "kernel/ns_last_pid", "kernel/pty/nr", "kernel/perf_event_max_sample_rate"),
    *("fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/aio-nr", "fs/quota/"),
    *("net/netfilter/nf_conntrack_count", "net/ipv4/route/flush", "net/ipv6/route/flush"),
)
"""Settings that are counters, or answers, and not settings."""
_OWN = "users-own"


def state(*, without: Path) -> State:
    """Interfaces, routes, namespaces, firewall rules, mounts, cgroups, kernel settings, the system's files.

    What lies below the folder `without` is the node's own.
    """
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    links = run("ip", "-o", "link").stdout.splitlines()
    return {
        "interfaces": {line.split(":")[1].strip().partition("@")[0] for line in links},
        "routes": {line.strip() for line in run("ip", "route").stdout.splitlines()},
        "network namespaces": {line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines()},
        "firewall rules": set(_rules(run("nft", "--stateless", "list", "ruleset").stdout)),
        "mounts": {each for each in mounts if not each.startswith(f"{without}/")},
        "cgroups": {str(each) for each in _groups() if each.is_dir()},
        "kernel settings": set(_settings()),
        "files": {str(file) for folder in _FOLDERS for file in Path(folder).glob("*")},
    }


def difference(before: State, after: State) -> dict[str, dict[str, list[str]]]:
    """What is gone, and what is new."""
    found = {
        kind: {"gone": sorted(before[kind] - after[kind]), "new": sorted(after[kind] - before[kind])}
        for kind in before
    }
    return {kind: both for kind, both in found.items() if both["gone"] or both["new"]}


@contextmanager
def of_the_user(folder: Path) -> Iterator[None]:
    """Things of the kinds that the node makes, which are a user's own: `state` has each of them."""
    groups = [each / _OWN for each in _hierarchies()]
    folder.mkdir(parents=True, exist_ok=True)
    begin = (
        ("ip", "netns", "add", _OWN),
        ("ip", "link", "add", _OWN, "type", "bridge"),
        ("nft", "add", "table", "inet", _OWN),
        ("nft", "add", "chain", "inet", _OWN, "rules"),
        ("nft", "add", "rule", "inet", _OWN, "rules", "tcp", "dport", "9", "drop"),
        ("iptables", "-w", "-N", _OWN),
        ("iptables", "-w", "-A", _OWN, "-p", "tcp", "--dport", "9", "-j", "RETURN"),
        ("mount", "-t", "tmpfs", "-o", "size=1m", _OWN, str(folder)),
        ("mkdir", "-p", *map(str, groups)),
    )
    end = (
        ("rmdir", *map(str, groups)),
        ("umount", str(folder)),
        ("iptables", "-w", "-F", _OWN),
        ("iptables", "-w", "-X", _OWN),
        ("nft", "delete", "table", "inet", _OWN),
        ("ip", "link", "delete", _OWN),
        ("ip", "netns", "delete", _OWN),
    )
    try:
        for command in begin:
            run(*command, check=True)
        yield
    finally:
        for command in end:
            subprocess.run(command, capture_output=True, check=False)


def _hierarchies() -> list[Path]:
    """The roots of cgroup v1's hierarchies, or the one of v2."""
    root = Path("/sys/fs/cgroup")
    return [root] if (root / "cgroup.procs").exists() else [each for each in root.iterdir() if each.is_dir()]


def _groups() -> Iterator[Path]:
    for root in _hierarchies():
        yield from root.iterdir()


def _rules(ruleset: str) -> Iterator[str]:
    """Each rule with its table and chain. Tables and chains without a rule say nothing."""
    table = chain = ""
    for line in map(str.strip, ruleset.splitlines()):
        match line.split():
            case ["table", *name, "{"]:
                table = " ".join(name)
            case ["chain" | "set" | "map" as kind, name, "{"]:
                chain = f"{kind} {name}"
            case ["}"] | [] | ["type", *_]:
                continue
            case _:
                yield f"{table}: {chain}: {line}"


def _settings() -> Iterator[str]:
    root = Path("/proc/sys")
    for file in root.rglob("*"):
        name = str(file.relative_to(root))
        if name.startswith(_MOVES_BY_ITSELF) or not file.is_file():
            continue
        try:
            yield f"{name} = {file.read_text().strip()}"
        except (OSError, UnicodeDecodeError):
            continue
