"""The sandbox on a real API server: what it promises holds."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ziggurat import sandbox
from ziggurat.progress import silent
from ziggurat.sandbox import GpuNodes, SandboxStatus, kwok, processes
from ziggurat.sandbox.model import place
from ziggurat.settings import Settings
from ziggurat.toolchain import ensure

pytestmark = pytest.mark.sandbox

NAME = "tests"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The user's tools, and a state folder of these tests' own."""
    return replace(Settings.from_environment(), state=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def cluster(settings: Settings) -> Iterator[SandboxStatus]:
    yield sandbox.up(settings, silent(), name=NAME, pools={"t4": GpuNodes(count=1, gpus=2)})
    sandbox.reset(settings, silent(), name=NAME)


@pytest.fixture
def up(settings: Settings, cluster: SandboxStatus) -> SandboxStatus:
    """The cluster, running whatever the last test did to it."""
    return sandbox.up(settings, silent(), name=NAME)


def folder_of(settings: Settings) -> Path:
    return kwok._cluster(place(settings, NAME))


def kubectl(
    settings: Settings, *arguments: str, given: Any = None, check: bool = True, name: str = NAME
) -> str:
    program = ensure(("kubectl",), settings, silent())["kubectl"].path
    done = subprocess.run(
        [program, "--kubeconfig", settings.state / "sandbox" / name / "kubeconfig", *arguments],
        input=json.dumps(given) if given else None,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + done.stderr


def until(settings: Settings, wanted: str, *arguments: str, seconds: float = 30) -> None:
    """Waits until a question to the cluster has the wanted answer."""
    deadline = time.monotonic() + seconds
    while (answer := kubectl(settings, *arguments, check=False)) != wanted:
        assert time.monotonic() < deadline, f"{answer!r} is not {wanted!r}"
        time.sleep(0.3)


def pod(name: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "example.com/none", **spec.pop("container", {})}]
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": containers, **spec},
    }


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def test_it_says_what_it_is(settings: Settings, up: SandboxStatus) -> None:
    assert (up.state, up.simulated, up.context) == ("running", True, f"kwok-{NAME}")
    assert up.nodes == {"cpu": 2, "t4": 1}
    assert up.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert settings.state in up.kubeconfig.parents
    assert kubectl(settings, "get", "nodes", "-o", "name").split() == [
        "node/cpu-0",
        "node/cpu-1",
        "node/t4-0",
    ]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's list of open ports")
def test_it_listens_on_this_machine_only(settings: Settings, up: SandboxStatus) -> None:
    config = (folder_of(settings) / "kwok.yaml").read_text()
    ports = {int(line.split("port:")[1]) for line in config.splitlines() if "    port: " in line}
    assert ports
    everywhere: set[int] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if line.split()[3] == "0A" and not address.strip("0"):
                everywhere.add(int(port, 16))
    assert not ports & everywhere


def test_pod_security_is_enforced(settings: Settings, up: SandboxStatus) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": labels},
    }
    kubectl(settings, "apply", "-f", "-", given=namespace)
    privileged = pod("bad", "restricted", container={"securityContext": {"privileged": True}})
    answer = kubectl(settings, "apply", "-f", "-", given=privileged, check=False)
    assert 'violates PodSecurity "restricted:latest": privileged' in answer


def test_rbac_is_real(settings: Settings, up: SandboxStatus) -> None:
    who = "--as=system:serviceaccount:default:default"
    assert kubectl(settings, "auth", "can-i", "list", "secrets", who, check=False).strip() == "no"
    assert kubectl(settings, "auth", "can-i", "list", "secrets").strip() == "yes"


def test_claims_bind_and_volumes_come_and_go(settings: Settings, up: SandboxStatus) -> None:
    mounted = pod(
        "writer",
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    )
    for _ in range(2):  # deleted and made again, as by `destroy --with-data` and `up`
        kubectl(settings, "apply", "-f", "-", given=claim("data"))
        kubectl(settings, "apply", "-f", "-", given=mounted)
        until(settings, "Bound", "get", "pvc", "data", "-o", "jsonpath={.status.phase}")
        until(settings, "Running", "get", "pod", "writer", "-o", "jsonpath={.status.phase}")
        kubectl(settings, "delete", "pod/writer", "pvc/data")
        until(settings, "", "get", "pv", "-o", "name")


def test_jobs_complete(settings: Settings, up: SandboxStatus) -> None:
    template = {"spec": {**pod("x")["spec"], "restartPolicy": "Never"}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": template},
    }
    kubectl(settings, "apply", "-f", "-", given=job)
    kubectl(settings, "wait", "--for=condition=Complete", "job/once", "--timeout=30s")


def test_gpu_pods_go_to_gpu_nodes(settings: Settings, up: SandboxStatus) -> None:
    resources = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    kubectl(settings, "apply", "-f", "-", given=pod("gpu", container=resources, tolerations=[toleration]))
    kubectl(settings, "apply", "-f", "-", given=pod("shut-out", container=resources))
    until(settings, "t4-0", "get", "pod", "gpu", "-o", "jsonpath={.spec.nodeName}")
    reason = "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}"
    until(settings, "Unschedulable", "get", "pod", "shut-out", "-o", reason)


def test_a_pool_of_another_shape_is_made_anew(settings: Settings, up: SandboxStatus) -> None:
    gpus = (
        "get",
        "nodes",
        "-l",
        "ziggurat.dev/pool=a10",
        "-o",
        r"jsonpath={.items[*].status.capacity.nvidia\.com/gpu}",
    )
    status = sandbox.up(settings, silent(), name=NAME, pools={"a10": GpuNodes(count=2, gpus=1)})
    assert status.nodes["a10"] == 2
    assert kubectl(settings, *gpus) == "1 1"
    sandbox.up(settings, silent(), name=NAME, pools={"a10": GpuNodes(count=1, gpus=4)})
    assert kubectl(settings, *gpus) == "4"


def test_down_keeps_everything_and_up_is_quick(settings: Settings, up: SandboxStatus) -> None:
    kubectl(settings, "create", "configmap", "kept", "--from-literal=a=b")
    assert sandbox.down(settings, silent(), name=NAME).state == "stopped"
    assert processes.running(folder_of(settings)) == {}
    started = time.monotonic()
    assert sandbox.up(settings, silent(), name=NAME).state == "running"
    assert time.monotonic() - started < 20  # 4 s on a machine that does nothing else
    assert kubectl(settings, "get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"


@pytest.mark.parametrize("victims", [("kube-scheduler",), ("etcd",), processes.COMPONENTS])
def test_up_heals_what_crashed(victims: tuple[str, ...], settings: Settings, up: SandboxStatus) -> None:
    alive = processes.running(folder_of(settings))
    for name in victims:
        os.kill(alive[name], signal.SIGKILL)
    until_gone = time.monotonic() + 10
    while any(name in processes.running(folder_of(settings)) for name in victims):
        assert time.monotonic() < until_gone
        time.sleep(0.1)
    assert sandbox.status(settings, name=NAME).state == "stopped"
    assert sandbox.up(settings, silent(), name=NAME).state == "running"
    kubectl(settings, "get", "nodes")


def test_a_port_that_was_taken_meanwhile(settings: Settings, up: SandboxStatus) -> None:
    sandbox.down(settings, silent(), name=NAME)
    port = int(up.server.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = sandbox.up(settings, silent(), name=NAME)
        assert moved.state == "running"
        assert moved.server != up.server
        kubectl(settings, "get", "nodes")


UP = """
import sys
from dataclasses import replace
from pathlib import Path
from ziggurat import sandbox
from ziggurat.progress import silent
from ziggurat.settings import Settings
settings = replace(Settings.from_environment(), state=Path(sys.argv[1]))
print(sandbox.up(settings, silent(), name=sys.argv[2]).state)
"""


def run_up(settings: Settings, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", UP, str(settings.state), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_at_once_make_one_and_reset_leaves_nothing(settings: Settings) -> None:
    try:
        both = [run_up(settings, "twice") for _ in range(2)]
        assert [run.communicate(timeout=120)[0].strip() for run in both] == ["running", "running"]
        assert len(processes.running(kwok._cluster(place(settings, "twice")))) == len(processes.COMPONENTS)
        kubectl(settings, "apply", "-f", "-", given=claim("data"), name="twice")
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        kubectl(settings, "apply", "-f", "-", given=pod("user", volumes=[volume]), name="twice")
        kubectl(settings, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", name="twice")
        path = kubectl(settings, "get", "pv", "-o", "jsonpath={.items[*].spec.hostPath.path}", name="twice")
        assert Path(path).is_dir()
        sandbox.reset(settings, silent(), name="twice")
        assert not Path(path).exists()
    finally:
        sandbox.reset(settings, silent(), name="twice")


def test_killed_in_the_middle_and_run_again(settings: Settings) -> None:
    try:
        first = run_up(settings, "killed")
        cluster = kwok._cluster(place(settings, "killed"))
        deadline = time.monotonic() + 60
        while "kube-apiserver" not in processes.running(cluster):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first.kill()
        first.communicate()
        assert sandbox.status(settings, name="killed").state == "absent"
        assert sandbox.up(settings, silent(), name="killed").state == "running"
    finally:
        assert sandbox.reset(settings, silent(), name="killed").state == "absent"
        assert processes.running(kwok._cluster(place(settings, "killed"))) == {}
