"""Runs a pod of a trial: its containers as processes that see each other, as Katib's collector needs them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pod_network
from local_pods import Pods

COLLECTOR = "metrics-logger-and-collector"
TRIAL = "katib.kubeflow.org/trial"


def run(pods: Pods, pod: dict[str, Any], collector: Path) -> str:
    """Runs the trial's own container and the collector of its measurements to their end; what both said.

    They share their processes, network and the folder of measurements, and see this machine's files.
    """
    containers = {each["name"]: each for each in pod["spec"]["containers"]}
    collecting = containers.pop(COLLECTOR)
    (training,) = containers.values()
    with _sandbox(pods, pod["metadata"]["labels"][TRIAL], _shared(training, collecting)) as enter:
        running = [
            subprocess.Popen(
                [*enter, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for command in (
                # Kubernetes makes one of two dollars.
                [each.replace("$$", "$") for each in (*training["command"], *training["args"])],
                [str(collector), *collecting["args"]],
            )
        ]
        said = [each.communicate(timeout=120)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    return "".join(said)


def _shared(*containers: dict[str, Any]) -> str:
    """Where all of them have the folder of measurements."""
    (found,) = {
        mount["mountPath"]
        for each in containers
        for mount in each["volumeMounts"]
        if mount["name"] == "metrics-volume"
    }
    return found


@contextmanager
def _sandbox(pods: Pods, name: str, folder: str) -> Iterator[list[str]]:
    """What a pod's containers are in; the command that starts another one there.

    Such a process has no parent that it sees, as a container's first one, by which the collector knows it.
    """
    hosts = pods.folder / f"{name}.hosts"
    address = pods.address(name)
    hosts.write_text(pods.hosts_file())
    pod_network.join(name, address)
    lines = [
        *("set -eu", f"mount --bind {hosts} /etc/hosts"),
        *(f"mount -t tmpfs trial {Path(folder).parent}", f"mkdir {folder}", "echo ready"),
        "exec sleep infinity",
    ]
    command = ["ip", "netns", "exec", pod_network.namespace(name), "unshare", "--mount", "--pid", "--fork"]
    command += ["--mount-proc", "--kill-child", "sh", "-c", "\n".join(lines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pause:
        try:
            assert pause.stdout is not None
            assert pause.stdout.readline() == "ready\n"
            first = Path(f"/proc/{pause.pid}/task/{pause.pid}/children").read_text().split()[0]
            yield ["nsenter", f"--target={first}", "--mount", "--pid", "--net"]
        finally:
            pause.kill()
            pod_network.leave(name)
