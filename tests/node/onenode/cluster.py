"""Starting and stopping the node: exactly what was started is stopped, and a crashed one is cleaned up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onenode import configuration, images, network, pki, preflight, processes, tools
from onenode.layout import Layout
from ziggurat.progress import Progress
from ziggurat.settings import Settings

_STATE = ("pki", "conf", "cni", "etcd", "containerd", "volumes", "kubelet", "pod-logs", "log", "pids", "bin")
_BEFORE_CONTAINERS = (
    *("provisioner", "coredns", "kubelet", "kube-proxy", "network-policies"),
    *("kube-scheduler", "kube-controller-manager"),
)


def is_up(layout: Layout) -> bool:
    """Whether every program of the node runs."""
    return layout.kubeconfig.exists() and all(
        processes.find(layout.root, name) for name in configuration.commands(layout)
    )


def up(layout: Layout, settings: Settings, progress: Progress) -> None:
    """Starts what does not run yet and waits until pods can be scheduled.

    Raises NodeError (before anything is changed), ToolError, ZigguratError where a program does not come up.
    """
    progress.note(preflight.explain(layout))
    preflight.require(layout)
    for folder in _STATE:
        (layout.root / folder).mkdir(parents=True, exist_ok=True)
    (layout.root / "kubelet" / "plugins").mkdir(exist_ok=True)
    if not _any_runs(layout):
        _sweep(layout)  # what a crashed one left: mounts, interfaces, namespaces
    oci = build(layout, settings, progress)
    pki.write_all(layout)
    for path, text in configuration.files(layout).items():
        if (
            not path.exists() or path.read_text() != text
        ):  # kube-proxy ends itself when its file is written anew
            path.write_text(text)
    with progress.step("starting the node", 15):
        _start(layout, oci, progress)


def build(layout: Layout, settings: Settings, progress: Progress) -> Path:
    """Programs and images, side by side: Go keeps the processor busy, images mostly the network. Returns the
    folder of images. Raises ToolError."""
    with ThreadPoolExecutor(1) as beside:
        made = beside.submit(images.ensure, layout, progress)
        tools.ensure(layout, settings, progress)
        return made.result()


def _any_runs(layout: Layout) -> bool:
    return any(processes.find(layout.root, name) for name in configuration.commands(layout))


def _start(layout: Layout, oci: Path, progress: Progress) -> None:
    commands = configuration.commands(layout)

    def serve(name: str, seconds: float = 0, ready: Callable[[], bool] | None = None) -> None:
        path = layout.bin if name == "containerd" else None
        processes.serve(layout.root, name, commands[name], path)
        if ready:
            processes.wait_for(layout.root, name, seconds, ready, process=name)

    serve("etcd")
    serve("kube-apiserver", 120, lambda: _kubectl(layout, "get", "--raw", "/readyz"))
    serve("kube-controller-manager")
    serve("kube-scheduler")
    network.set_sysctl(layout)
    serve("containerd", 60, lambda: _ctr(layout, "version").returncode == 0)
    images.import_all(layout, oci, progress)
    _kubectl(layout, "apply", "-f", "-", stdin=json.dumps(configuration.objects(layout)))
    serve("network-policies", 30, lambda: _queue_open(layout))
    network.guard(layout)
    serve("kubelet")
    serve("kube-proxy", 30, lambda: _answers(layout.proxy_ports[0], "/healthz"))
    serve("coredns", 30, lambda: _answers(layout.dns_port + 1, "/ready"))
    serve("provisioner")
    ready = ("wait", "--for=condition=Ready", f"node/{layout.name}", "--timeout=1s")
    processes.wait_for(layout.root, "the node", 120, lambda: _kubectl(layout, *ready), process="kubelet")
    account = ("get", "serviceaccount", "default")
    processes.wait_for(layout.root, "the default service account", 60, lambda: _kubectl(layout, *account))
    network.restore_sysctl(layout, ("kernel.panic", "kernel.panic_on_oops"))


def down(layout: Layout, progress: Progress, *, delete: bool = False) -> None:
    """Stops what `up` started and puts this machine's settings back; `delete` removes the state, too."""
    with progress.step("taking the node down", 20):
        for name in _BEFORE_CONTAINERS:
            processes.end(layout.root, name)
        _end_containers(layout)
        for name in ("containerd", "kube-apiserver", "etcd"):
            processes.end(layout.root, name)
        _sweep(layout)
        network.restore_sysctl(layout)
        if delete:
            forget(layout)


def forget(layout: Layout) -> None:
    """Removes the state of a node that is down, and of the platforms on it, which knew of objects that were.

    By name: the folder may be one that holds other things of the user's, too (NODE_DIR).
    """
    for folder in (*(layout.root / name for name in _STATE), *layout.platforms.values()):
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("kubeconfig", "netns", "imported"):
        (layout.root / name).unlink(missing_ok=True)


def restart(layout: Layout, progress: Progress) -> None:
    """Ends every program of the node and starts it again; containers run on, below their shims."""
    for name in (*_BEFORE_CONTAINERS, "containerd", "kube-apiserver", "etcd"):
        processes.end(layout.root, name)
    _start(layout, images.ensure(layout, progress), progress)


def crash(layout: Layout) -> None:
    """Kills all of the node at once, with its containers, and cleans nothing up."""
    programs = (processes.find(layout.root, name) for name in configuration.commands(layout))
    for pid in (*filter(None, programs), *_shims(layout)):
        os.kill(pid, signal.SIGKILL)
    for file in Path("/sys/fs/cgroup").rglob("kubepods/**/cgroup.procs"):
        for pid in map(int, file.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def leftovers(layout: Layout) -> list[str]:
    """What of a node is still on this machine: processes, mounts, interfaces, namespaces, rules, cgroups."""
    found = [
        f"process {name}" for name in configuration.commands(layout) if processes.find(layout.root, name)
    ]
    found += [f"shim {pid}" for pid in _shims(layout)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [f"mount {line.split()[4]}" for line in mounts if line.split()[4].startswith(f"{layout.root}/")]
    if Path("/sys/class/net", layout.bridge).exists():
        found.append(f"bridge {layout.bridge}")
    recorded = (layout.root / "netns").read_text().split() if (layout.root / "netns").exists() else []
    found += [f"network namespace {each}" for each in set(recorded) & network.ours()]
    ruleset = network.run("nft", "list", "ruleset").stdout
    words = (layout.chain, "kube-proxy", "cni_hostport", "cni_plugins_masquerade", "KUBE-")
    found += [f"rules with {word}" for word in words if word in ruleset]
    groups = (*Path("/sys/fs/cgroup").glob("*/kubepods"), Path("/sys/fs/cgroup/kubepods"))
    return found + [f"cgroup {each}" for each in groups if each.exists()]


def _end_containers(layout: Layout) -> None:
    """Containers outlive kubelet and containerd, so they are ended first: asked for 5 s, then by force."""
    if not processes.find(layout.root, "containerd"):
        return
    _remember_namespaces(layout)
    for name in ("SIGTERM", "SIGKILL"):
        for task in _ctr(layout, "tasks", "ls", "-q").stdout.split():
            _ctr(layout, "tasks", "kill", "-s", name, task)
        deadline = time.monotonic() + 5
        while "RUNNING" in _ctr(layout, "tasks", "ls").stdout and time.monotonic() < deadline:
            time.sleep(0.1)
    for task in _ctr(layout, "tasks", "ls", "-q").stdout.split():
        _ctr(layout, "tasks", "delete", "-f", task)
    for container in _ctr(layout, "containers", "ls", "-q").stdout.split():
        _ctr(layout, "containers", "delete", container)


def _remember_namespaces(layout: Layout) -> None:
    """Which of the machine's network namespaces are ours: those that our containers' specifications name."""
    names: set[str] = set()
    for container in _ctr(layout, "containers", "ls", "-q").stdout.split():
        shown = _ctr(layout, "containers", "info", container).stdout
        names |= {
            word.rpartition("/")[2] for word in shown.replace('"', " ").split() if "/netns/cni-" in word
        }
    (layout.root / "netns").write_text("\n".join(sorted(names)))


def _shims(layout: Layout) -> list[int]:
    """Shims name their containerd by its socket."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("containerd-shim-runc-v2") and str(layout.socket) in words:
            found.append(int(process.name))
    return found


def _sweep(layout: Layout) -> None:
    """Takes away what outlives the processes. Finds nothing on a machine where no node ran."""
    for pid in _shims(layout):
        subprocess.run(["kill", "-9", str(pid)], check=False)
    network.unguard(layout)
    network.unmount(layout.root)
    if any((layout.root / "bin").glob("kube-proxy")):
        network.clean(layout, layout.bin)


def _queue_open(layout: Layout) -> bool:
    table = Path("/proc/net/netfilter/nfnetlink_queue")
    return any(line.split()[0] == str(layout.queue) for line in table.read_text().splitlines())


def _answers(port: int, path: str) -> bool:
    from onenode.platform import ask

    return ask(f"http://127.0.0.1:{port}{path}", timeout=2).status == 200


def _kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> bool:
    command = ["kubectl", "--kubeconfig", str(layout.kubeconfig), *arguments]
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False).returncode == 0


def _ctr(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(layout.bin / "ctr"), "--address", str(layout.socket), "-n", "k8s.io", *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=False)
