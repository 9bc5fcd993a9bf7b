"""The kwok runtime: a real API server, scheduler and controllers; simulated nodes and pods.

kwokctl does the work, in a working folder of the sandbox's own. What it does not do is here: stale pid
files, taken ports, a creation that was interrupted, and tools that moved since.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ziggurat.errors import ClusterError
from ziggurat.progress import Progress
from ziggurat.sandbox import objects, processes
from ziggurat.sandbox.definitions import definitions
from ziggurat.sandbox.model import GpuNodes, Place, Record, State, read_record, write_record
from ziggurat.settings import Settings
from ziggurat.toolchain import SANDBOX, Located, ensure

_READY_SECONDS = 90
_PORTS = (
    "kubeApiserverPort",
    "etcdPort",
    "etcdPeerPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)
"""kwokctl's options for the ports of the cluster's programs."""
_NEEDED = 400e6
"""Bytes of disk without which etcd will not start: it lays out two log files of 64 MB, and a margin."""

VOLUMES = Path("/tmp/hostpath_pv")  # noqa: S108 - Kubernetes' own choice, not ours
"""Where the controller-manager makes the (empty) folders of volumes."""


def context(place: Place) -> str:
    """The context in the kubeconfig, as kwokctl names it."""
    return f"kwok-{place.name}"


def state(place: Place) -> State:
    """Whether there is a cluster, and whether all of it runs and answers."""
    if read_record(place) is None:
        return "absent"
    return "running" if _complete(place) else "stopped"


def server(place: Place) -> str:
    """The API server's URL; empty where there is no kubeconfig."""
    import yaml

    try:
        config: dict[str, Any] = yaml.safe_load(place.kubeconfig.read_text())
        return str(config["clusters"][0]["cluster"]["server"])
    except (OSError, KeyError, TypeError, IndexError, yaml.YAMLError):
        return ""


def up(place: Place, settings: Settings, progress: Progress, pools: Mapping[str, GpuNodes]) -> None:
    """Makes or starts the cluster, with its nodes and StorageClass; whatever is there already is kept."""
    tools = ensure(SANDBOX, settings, progress)
    _require_room(place)
    record = read_record(place)
    wanted = Record("kwok", {**(record.pools if record else {}), **pools})
    if record is None:
        _create(place, tools, progress)
    elif state(place) != "running":
        _start(place, tools, progress)
    _equip(place, tools, wanted.pools, progress)
    write_record(place, wanted)


def down(place: Place, progress: Progress) -> None:
    """Stops the cluster; its state stays."""
    cluster = _cluster(place)
    with progress.step(f"stopping sandbox {place.name}"):
        _end(cluster)


def reset(place: Place, progress: Progress) -> None:
    """Stops the cluster and deletes everything of it."""
    with progress.step(f"deleting sandbox {place.name}"):
        folders = _volume_folders(place) if "kube-apiserver" in processes.running(_cluster(place)) else []
        _end(_cluster(place))
        shutil.rmtree(place.folder, ignore_errors=True)
        for folder in folders:
            with suppress(OSError):  # gone already, or not empty: then somebody else's doing
                folder.rmdir()


def _cluster(place: Place) -> Path:
    return place.folder / "kwok" / "clusters" / place.name


def _end(cluster: Path) -> None:
    """Ends the processes gently, from the one that the others do not need to the one that they do."""
    alive = processes.running(cluster)
    for name in reversed(processes.COMPONENTS):
        if name in alive:
            os.kill(alive[name], 15)
            processes.wait_ended({name: alive[name]}, cluster)
    processes.forget_stale(cluster)


def _create(place: Place, tools: Mapping[str, Located], progress: Progress) -> None:
    with progress.step(f"creating sandbox {place.name}", 5):
        _end(_cluster(place))  # of a creation that was interrupted: nothing has been put into it yet
        shutil.rmtree(place.folder, ignore_errors=True)
        place.folder.mkdir(parents=True, mode=0o700)
        _link(place, tools)
        config = place.folder / "kwokctl.json"
        config.write_text(json.dumps(_configuration(place)))
        _kwokctl(
            place,
            [
                "create",
                "cluster",
                "--config",
                str(config),
                "--kubeconfig",
                str(place.kubeconfig),
                "--wait",
                f"{_READY_SECONDS}s",
            ],
        )
        place.kubeconfig.chmod(0o600)
        if not _complete(place):  # another program took one of its ports before it did
            _restart(place, progress)
        _require_answer(place)


def _start(place: Place, tools: Mapping[str, Located], progress: Progress) -> None:
    cluster = _cluster(place)
    with progress.step(f"starting sandbox {place.name}", 5):
        _link(place, tools)
        processes.forget_stale(cluster)
        if not processes.running(cluster):
            _move_ports(place, progress)
        _kwokctl(place, ["start", "cluster", "--wait", f"{_READY_SECONDS}s"])
        if state(place) != "running":  # half of it ran, and the other half cannot join: from the start
            _restart(place, progress)
        _require_answer(place)


def _restart(place: Place, progress: Progress) -> None:
    _end(_cluster(place))
    _move_ports(place, progress)
    _kwokctl(place, ["start", "cluster", "--wait", f"{_READY_SECONDS}s"])


def _move_ports(place: Place, progress: Progress) -> None:
    for old, new in processes.move_taken_ports(_cluster(place), (place.kubeconfig,)).items():
        progress.note(f"port {old} is taken by another program; the sandbox uses {new} instead")


def _link(place: Place, tools: Mapping[str, Located]) -> None:
    """Points the cluster's programs at today's tools, which may have moved since it was made."""
    folder = place.folder / "tools"
    folder.mkdir(exist_ok=True)
    for name, tool in tools.items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(tool.path)


def _configuration(place: Place) -> dict[str, Any]:
    tools = place.folder / "tools"
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            # kwokctl's default is every address, and etcd asks nobody for a password.
            "bindAddress": "127.0.0.1",
            "kubeAuthorization": True,
            "kubeAdmission": True,
            # A restarted kwok leaves the nodes alone until the leases of the one before have run out. Times
            # the heartbeat factor, which is 5; kwokctl's default is 40, so pods stood still for four minutes.
            "nodeLeaseDurationSeconds": 2,
            # kwokctl takes the first free ones below 32768: two clusters made at once would take the same.
            **dict(zip(_PORTS, processes.free_ports(len(_PORTS)), strict=True)),
            "etcdBinary": str(tools / "etcd"),
            "kubeApiserverBinary": str(tools / "kube-apiserver"),
            "kubeControllerManagerBinary": str(tools / "kube-controller-manager"),
            "kubeSchedulerBinary": str(tools / "kube-scheduler"),
            "kwokControllerBinary": str(tools / "kwok"),
            "kubectlBinary": str(tools / "kubectl"),
        },
        "componentsPatches": [
            {
                "name": "kube-controller-manager",
                "extraArgs": [{"key": "enable-hostpath-provisioner", "value": "true"}],
            }
        ],
    }


def _environment(place: Place) -> dict[str, str]:
    """The user's environment without what would lead to the user's own clusters."""
    unwanted = ("KUBECONFIG", "KWOK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    # kwokctl looks for kubectl on PATH before it considers its configuration.
    path = os.pathsep.join([str(place.folder / "tools"), kept.get("PATH", os.defpath)])
    return {
        **kept,
        "PATH": path,
        "KWOK_WORKDIR": str(place.folder / "kwok"),
        "KUBECACHEDIR": str(place.folder / "cache"),
    }


def _kwokctl(place: Place, arguments: list[str]) -> None:
    done = subprocess.run(
        [str(place.folder / "tools" / "kwokctl"), "--name", place.name, *arguments],
        env=_environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise _failed(place, "\n".join(done.stdout.strip().splitlines()[-5:]))


def _require_answer(place: Place) -> None:
    """Raises ClusterError unless the whole cluster runs and answers: kwokctl only warns when it does not."""
    if not _complete(place):
        raise _failed(place, "")


def _complete(place: Place) -> bool:
    """Whether all of the cluster's processes run and the API server answers."""
    return len(processes.running(_cluster(place))) == len(processes.COMPONENTS) and _answers(place)


def _failed(place: Place, said: str) -> ClusterError:
    words = "\n".join(part for part in (said, processes.last_words(_cluster(place))) if part)
    full = "no space left on device" in words
    return ClusterError(
        "the sandbox does not start: the disk is full" if full else f"the sandbox does not start:\n{words}",
        where=str(_cluster(place) / "logs"),
        remedy="free some space there, or name another place in ZIGGURAT_STATE_DIR"
        if full
        else f"run it again; if that does not help: ziggurat sandbox reset --name {place.name}",
    )


def _answers(place: Place) -> bool:
    """Whether the API server says that it is ready (which it says to anybody)."""
    try:
        trust = ssl.create_default_context(cafile=str(_cluster(place) / "pki" / "ca.crt"))
        with urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        ).open(f"{server(place)}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _require_room(place: Place) -> None:
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.folder.parent).free
    if free < _NEEDED:
        raise ClusterError(
            f"the disk is full: the sandbox needs {_NEEDED / 1e6:.0f} MB and {free / 1e6:.0f} MB are free",
            where=str(place.folder.parent),
            remedy="free some space there, or name another place in ZIGGURAT_STATE_DIR",
        )
    if VOLUMES.exists() and not os.access(VOLUMES, os.W_OK | os.X_OK):
        raise ClusterError(
            "volumes of the sandbox cannot be made: their folder belongs to another user",
            where=str(VOLUMES),
            remedy=f"let everybody write there (its owner: chmod 1777 {VOLUMES}), or delete it",
        )


def _equip(
    place: Place, tools: Mapping[str, Located], pools: Mapping[str, GpuNodes], progress: Progress
) -> None:
    """Brings nodes, StorageClass and the kinds of who would make nodes in line with what should be there."""
    _define(place, pools)
    wanted = {
        node["metadata"]["name"]: node for node in objects.nodes(pools, tools["kube-apiserver"].version)
    }
    present = _present_nodes(place)
    stale = [name for name, digest in present.items() if digest and digest != _digest_of(wanted.get(name))]
    missing = [node for name, node in wanted.items() if name in stale or name not in present]
    if stale:
        _kubectl(place, ["delete", "node", *stale])
    if missing:
        with progress.step(f"making {len(missing)} nodes"):
            items = {"apiVersion": "v1", "kind": "List", "items": [objects.storage_class(), *missing]}
            _kubectl(place, ["apply", "-f", "-"], json.dumps(items))
            names = [f"node/{node['metadata']['name']}" for node in missing]
            _kubectl(place, ["wait", "--for=condition=Ready", "--timeout=60s", *names])


def _define(place: Place, pools: Mapping[str, GpuNodes]) -> None:
    """The kinds that a real cluster has with what makes its nodes; what is there already is left alone."""
    wanted = {
        each["metadata"]["name"]: each for each in definitions(pool.provider for pool in pools.values())
    }
    if not wanted:
        return
    there = json.loads(_kubectl(place, ["get", "crd", "--ignore-not-found", "-o", "json", *wanted]) or "{}")
    listed = there.get("items", [there] if there else [])
    missing = [each for name, each in wanted.items() if name not in {it["metadata"]["name"] for it in listed}]
    if missing:
        items = {"apiVersion": "v1", "kind": "List", "items": missing}
        _kubectl(place, ["apply", "--server-side", "-f", "-"], json.dumps(items))
        names = [f"crd/{each['metadata']['name']}" for each in missing]
        _kubectl(place, ["wait", "--for=condition=Established", "--timeout=30s", *names])


def _digest_of(node: Mapping[str, Any] | None) -> str:
    return node["metadata"]["annotations"][objects.DIGEST] if node else ""


def _present_nodes(place: Place) -> dict[str, str]:
    """The nodes that there are, with what each was made of; empty for one that is not ours."""
    listed = json.loads(_kubectl(place, ["get", "nodes", "-o", "json"]))
    return {
        node["metadata"]["name"]: node["metadata"].get("annotations", {}).get(objects.DIGEST, "")
        for node in listed["items"]
    }


def _volume_folders(place: Place) -> list[Path]:
    """The (empty) folders that were made for volumes, outside of the sandbox's own."""
    with suppress(ClusterError, OSError):  # its kubectl may be gone from the cache
        listed = json.loads(_kubectl(place, ["get", "persistentvolumes", "-o", "json"]))
        paths = [Path(volume["spec"].get("hostPath", {}).get("path", "")) for volume in listed["items"]]
        return [path for path in paths if path.parent == VOLUMES]
    return []


def _kubectl(place: Place, arguments: list[str], given: str = "") -> str:
    done = subprocess.run(
        [str(place.folder / "tools" / "kubectl"), "--kubeconfig", str(place.kubeconfig), *arguments],
        env=_environment(place),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(
            f"the sandbox cannot be equipped: {done.stderr.strip()}",
            where=server(place),
            remedy=f"run it again; if that does not help: ziggurat sandbox reset --name {place.name}",
        )
    return done.stdout
