"""The sandbox without a cluster: its nodes, its names, its processes, and the wiring of kind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from blueprints.model.pools import GpuPool, Nodes
from ziggurat import sandbox
from ziggurat.commands import sandbox as verb
from ziggurat.errors import ClusterError, ToolError
from ziggurat.exit_codes import ExitCode
from ziggurat.progress import silent
from ziggurat.sandbox import kwok, objects, processes
from ziggurat.sandbox.model import GpuNodes, Place, Record, SandboxNameError, place, read_record, write_record
from ziggurat.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "cache", tmp_path / "state", False, tmp_path / "pulumi")


def test_gpu_nodes_carry_labels_taint_and_capacity() -> None:
    nodes = objects.nodes({"t4": GpuNodes(count=2, gpus=4, labels={"acme.example/gpu": "t4"})}, "1.36.3")
    assert [node["metadata"]["name"] for node in nodes] == ["cpu-0", "cpu-1", "t4-0", "t4-1"]
    gpu = nodes[2]
    assert gpu["status"]["capacity"]["nvidia.com/gpu"] == "4"
    assert gpu["spec"]["taints"] == [objects.GPU_TAINT]
    assert gpu["metadata"]["labels"]["acme.example/gpu"] == "t4"
    assert gpu["metadata"]["labels"][objects.POOL_LABEL] == "t4"
    assert "nvidia.com/gpu" not in nodes[0]["status"]["capacity"]
    assert nodes[0]["spec"] == {}


def test_a_node_of_another_shape_has_another_digest() -> None:
    one, two = (objects.nodes({"t4": GpuNodes(gpus=gpus)}, "1.36.3")[-1]["metadata"] for gpus in (1, 2))
    assert one["annotations"][objects.DIGEST] != two["annotations"][objects.DIGEST]


def test_a_blueprints_pools_become_nodes() -> None:
    pools = {
        "a100": GpuPool(accelerator="nvidia-a100", gpus_per_node=8, nodes=Nodes(min=0, max=4)),
        "t4": GpuPool(node_selector={"acme.example/gpu": "t4"}, nodes=Nodes(min=3, max=9)),
    }
    assert sandbox.gpu_nodes("acme", pools) == {
        "a100": GpuNodes(1, 8, {"nvidia.com/gpu.product": "nvidia-a100"}),
        "t4": GpuNodes(3, 1, {"acme.example/gpu": "t4"}),
    }


@pytest.mark.parametrize("name", ["", "Upper", "../up", "a" * 31, "dash-", "-dash", "with space"])
def test_names_that_cannot_be(name: str, settings: Settings) -> None:
    with pytest.raises(SandboxNameError):
        sandbox.status(settings, name=name)


def test_absent(settings: Settings) -> None:
    status = sandbox.status(settings)
    assert (status.state, status.nodes, status.server) == ("absent", {}, "")
    assert sandbox.down(settings, silent()).state == "absent"
    assert sandbox.reset(settings, silent()).state == "absent"


def test_a_damaged_record_is_said_and_reset_mends_it(settings: Settings) -> None:
    here = place(settings, "ziggurat")
    here.folder.mkdir(parents=True)
    here.record.write_text("{")
    with pytest.raises(ClusterError, match="damaged") as caught:
        sandbox.status(settings)
    assert "sandbox reset" in caught.value.remedy
    assert sandbox.reset(settings, silent()).state == "absent"
    assert not here.folder.exists()


def test_the_record_survives(settings: Settings) -> None:
    here = place(settings, "ziggurat")
    here.folder.mkdir(parents=True)
    record = Record("kwok", {"t4": GpuNodes(2, 1, {"a": "b"})})
    write_record(here, record)
    assert read_record(here) == record


def cluster_with(tmp_path: Path, pid: int) -> Path:
    for name in ("bin", "pids", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "pids" / "etcd.pid").write_text(str(pid))
    return tmp_path


def test_a_reused_process_id_is_not_taken_for_ours(tmp_path: Path) -> None:
    cluster = cluster_with(tmp_path, os.getpid())
    assert processes.running(cluster) == {}
    processes.forget_stale(cluster)
    assert not (cluster / "pids" / "etcd.pid").exists()


def test_our_own_process_is_known(tmp_path: Path) -> None:
    cluster = cluster_with(tmp_path, 0)
    (cluster / "bin" / "etcd").symlink_to("/bin/sleep")
    process = subprocess.Popen([cluster / "bin" / "etcd", "30"])
    try:
        (cluster / "pids" / "etcd.pid").write_text(str(process.pid))
        deadline = time.monotonic() + 5
        while not processes.running(cluster) and time.monotonic() < deadline:
            time.sleep(0.01)  # a process that was started this instant has no command line yet
        assert processes.running(cluster) == {"etcd": process.pid}
        processes.forget_stale(cluster)
        assert (cluster / "pids" / "etcd.pid").exists()
    finally:
        process.kill()
        process.wait()


def test_taken_ports_are_moved_everywhere(tmp_path: Path) -> None:
    with socket.socket() as other, socket.socket() as free:
        other.bind(("127.0.0.1", 0))
        other.listen()
        free.bind(("127.0.0.1", 0))
        taken, kept = other.getsockname()[1], free.getsockname()[1]
        free.close()
        (tmp_path / "kwok.yaml").write_text(
            f"components:\n- name: etcd\n  args: [--port={taken}]\n"
            f"  ports: [{{port: {taken}}}, {{port: {kept}}}]\n"
            f"---\nkind: Stage\n"
        )
        for name in ("kubeconfig.yaml", "mine"):
            (tmp_path / name).write_text(f"server: https://127.0.0.1:{taken}\nother: {kept}\n")
        moved = processes.move_taken_ports(tmp_path, (tmp_path / "mine",))
    assert list(moved) == [taken]
    for name in ("kwok.yaml", "kubeconfig.yaml", "mine"):
        text = (tmp_path / name).read_text()
        assert str(taken) not in text
        assert str(moved[taken]) in text
        assert str(kept) in text


def test_two_clusters_that_are_made_at_once_have_ports_of_their_own(settings: Settings) -> None:
    """kwokctl would give both the first free ones below 32768; the second then waits in vain."""
    options = [kwok._configuration(place(settings, name))["options"] for name in ("one", "two")]
    ports = [port for each in options for name, port in each.items() if name.endswith("Port")]
    assert len(ports) == len(set(ports)) == 2 * len(kwok._PORTS)


def test_a_full_disk_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 5_000_000})
    monkeypatch.setattr(kwok.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(kwok, "ensure", lambda *_: {})
    with pytest.raises(ClusterError, match="the disk is full: the sandbox needs 400 MB and 5 MB are free"):
        sandbox.up(settings, silent())


KIND = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
program = pathlib.Path(sys.argv[0]).name
arguments = sys.argv[1:]
with (here / "calls").open("a") as log:
    log.write(json.dumps([program, *arguments]) + "\\n")
if program == "kind" and "--kubeconfig" in arguments and "delete" not in arguments:
    text = "clusters: [{{cluster: {{server: 'https://127.0.0.1:6443'}}}}]"
    pathlib.Path(arguments[arguments.index("--kubeconfig") + 1]).write_text(text)
state = here / "state"
if program == "kind" and "create" in arguments: state.write_text("running")
if program == "kind" and "delete" in arguments: state.unlink()
if program == "docker":
    if arguments[0] == "stop": state.write_text("exited")
    if arguments[0] == "start": state.write_text("running")
    if arguments[0] == "ps" and state.exists():
        if "status=running" not in arguments or state.read_text() == "running":
            print("c0ffee")
"""


@pytest.fixture
def fake_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`kind` and `docker` that only note how they are called: this proves our wiring, and nothing of kind."""
    folder = tmp_path / "kind"
    folder.mkdir()
    for name in ("kind", "docker"):
        (folder / name).write_text(KIND)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def calls(folder: Path, program: str) -> list[list[str]]:
    lines = [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
    return [line[1:] for line in lines if line[0] == program and line[1] not in ("ps", "info")]


def test_kind_is_called_with_a_kubeconfig_of_its_own(settings: Settings, fake_kind: Path) -> None:
    status = sandbox.up(settings, silent(), name="real", runtime="kind")
    kubeconfig = str(settings.state / "sandbox" / "real" / "kubeconfig")
    create = ["create", "cluster", "--name", "real", "--kubeconfig", kubeconfig, "--wait", "180s"]
    assert calls(fake_kind, "kind") == [create]
    assert (status.state, status.runtime, status.simulated) == ("running", "kind", False)
    assert (status.context, status.server) == ("kind-real", "https://127.0.0.1:6443")
    assert Path(kubeconfig).stat().st_mode & 0o777 == 0o600
    assert sandbox.down(settings, silent(), name="real").state == "stopped"
    assert sandbox.up(settings, silent(), name="real", runtime="kind").state == "running"
    assert calls(fake_kind, "docker") == [["stop", "c0ffee"], ["start", "c0ffee"]]
    assert sandbox.reset(settings, silent(), name="real").state == "absent"
    assert calls(fake_kind, "kind")[-1][:4] == ["delete", "cluster", "--name", "real"]


def test_a_sandbox_does_not_change_its_runtime(settings: Settings, fake_kind: Path) -> None:
    sandbox.up(settings, silent(), runtime="kind")
    with pytest.raises(ClusterError, match="is one of kind, not of kwok"):
        sandbox.up(settings, silent())


def test_kind_without_kind_or_docker(
    settings: Settings, fake_kind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fake_kind / "docker").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ToolError, match="none answers"):
        sandbox.up(settings, silent(), runtime="kind")
    (fake_kind / "kind").unlink()
    with pytest.raises(ToolError, match="no `kind` on PATH"):
        sandbox.up(settings, silent(), runtime="kind")


@pytest.mark.parametrize("text", ["t4", "t4=x1", "t4=0x1", "t4=1x17", "cpu=1x1", "T4=1x1"])
def test_gpu_pools_on_the_command_line_are_checked(text: str) -> None:
    result = CliRunner().invoke(verb.command, ["up", "--gpu-pool", text])
    assert result.exit_code == ExitCode.USAGE
    assert "NAME=NODESxGPUS" in result.stderr


def test_status_for_a_machine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIGGURAT_STATE_DIR", str(settings.state))
    shown = json.loads(CliRunner().invoke(verb.command, ["status", "--json"]).stdout)
    assert shown["state"] == "absent"
    assert shown["simulated"] is True


def test_a_place_is_the_users_alone() -> None:
    here = Place("a", Path("/x/a"))
    assert (here.kubeconfig, here.lock) == (Path("/x/a/kubeconfig"), Path("/x/.a.lock"))
