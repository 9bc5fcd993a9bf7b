"""Pods of a sandbox's Deployments as processes of this machine, where the sandbox only simulates them.

A process gets what its container would: command, arguments, variables, files, tokens of its ServiceAccount,
its user, a root file system that it cannot write to, and a network address of its own, by which others find
it under the name of its Service. It is no container runtime: no limits, no NetworkPolicies, no seccomp. It
needs root and iproute2.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tokens

from ziggurat.cluster import Cluster

_BRIDGE = "zigpods"
_NET = "10.254.83"
"""Addresses that nothing else here should use: .1 is this machine, and pods follow."""
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_KUBERNETES = "kubernetes.default.svc"
_LINKS = {"lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin", "bin/sh": "/usr/bin/sh"}
_SEEN = ("usr", "etc/ssl", "etc/alternatives", "dev", "proc")
"""What every pod sees of this machine."""
_TOOLS = ("ip", "unshare", "chroot", "setpriv")


def why_not() -> str:
    """Why pods cannot run here; empty where they can."""
    if os.geteuid() != 0:
        return "processes with networks of their own need root"
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    return f"not on PATH: {', '.join(missing)}" if missing else ""


@dataclass
class Pod:
    """A running process."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    log: Path
    container: Mapping[str, Any]

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace")

    def answers(self, probe: str) -> bool:
        """Whether the container's probe of that name succeeds now (HTTP and TCP)."""
        asked = self.container[probe]
        try:
            if http := asked.get("httpGet"):
                url = f"http://{self.address}:{self._port(http['port'])}{http['path']}"
                with urllib.request.urlopen(url, timeout=5) as answer:  # our own
                    return 200 <= answer.status < 400
            port = self._port(asked["tcpSocket"]["port"])
            with socket.create_connection((self.address, port), 5):
                return True
        except OSError:
            return False

    def ready(self, probe: str = "readinessProbe", seconds: float = 240) -> Pod:
        """Waits until the probe succeeds; fails with the process's last words when that ends before."""
        deadline = time.monotonic() + seconds
        while not self.answers(probe):
            assert self.process.poll() is None, f"{self.name} ended:\n{self.said[-4000:]}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.said[-4000:]}"
            time.sleep(0.2)
        return self

    def _port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        return next(each["containerPort"] for each in self.container["ports"] if each["name"] == port)


@dataclass
class Pods:
    """The pods of one namespace that run here."""

    cluster: Cluster
    namespace: str
    folder: Path
    hosts: dict[str, str] = field(default_factory=lambda: {_KUBERNETES: f"{_NET}.1"})
    running: list[Pod] = field(default_factory=list[Pod])

    def address(self, service: str) -> str:
        """The address of a Service, whether it runs yet or not."""
        return self.hosts.setdefault(service, f"{_NET}.{len(self.hosts) + 1}")

    def serve(self, service: str, port: int, target: int) -> None:
        """Makes a server on this machine's loopback a Service's."""
        address = self.address(service)
        _run("ip", "address", "add", f"{address}/24", "dev", _BRIDGE)
        _forward((address, port), ("127.0.0.1", target))

    def start(
        self,
        name: str,
        programs: Mapping[str, Path],
        env: Mapping[str, str] | None = None,
        command: list[str] | None = None,
        kind: tuple[str, str] = ("apps/v1", "Deployment"),
    ) -> Pod:
        """Runs the container of a Deployment; `programs`: which files and folders of this machine are where
        in its image. `command`, where it is given, stands for the image's own."""
        found = self.cluster.find(*kind, self.namespace, name)
        assert found is not None, name
        spec = found["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        address = self.address(name)
        script = self.folder / f"{name}.sh"
        script.write_text(self._script(root, spec, container, programs))
        _network(name, address)
        told = {**self._variables(name, address, spec, container), **(env or {})}
        inside = ["env", "-i", *(f"{key}={value}" for key, value in told.items())]
        inside += command or [*container.get("command", ()), *container.get("args", ())]
        log = self.folder / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["ip", "netns", "exec", _netns(name), "unshare", "--mount", "sh", str(script), *inside],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        pod = Pod(name, address, process, log, container)
        self.running.append(pod)
        return pod

    def stop(self, pod: Pod) -> int:
        """Ends a process as Kubernetes would; its exit code."""
        pod.process.terminate()
        try:
            return pod.process.wait(30)
        finally:
            pod.process.kill()
            _run("ip", "netns", "delete", _netns(pod.name), check=False)
            self.running.remove(pod)

    def token(self, account: str, *audiences: str) -> str:
        """A token of a ServiceAccount."""
        return tokens.of_account(self.cluster, self.namespace, account, *audiences)

    def _script(
        self, root: Path, spec: Mapping[str, Any], container: Mapping[str, Any], programs: Mapping[str, Path]
    ) -> str:
        """What mounts the container's file system, and runs in it what it is told."""
        shown = {each: Path("/", each) for each in _SEEN}
        shown |= {inside.lstrip("/"): path.resolve() for inside, path in programs.items()}
        scratch = root.with_name(f"{root.name}.scratch")
        files, empty = self._files(spec, container)
        for inside, text in {**files, **self._system_files()}.items():
            _write(root / inside.lstrip("/"), text)
        for link, target in _LINKS.items():
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(target)
        user, group = (spec["securityContext"][key] for key in ("runAsUser", "runAsGroup"))
        for inside in empty:
            shown[inside.lstrip("/")] = place = scratch / inside.strip("/").replace("/", "-")
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            os.chown(place, user, group)
        for inside, path in shown.items():
            if path.is_dir():
                (root / inside).mkdir(parents=True, exist_ok=True)
            else:
                _write(root / inside, "")
        lines = ["set -eu", f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}"]
        lines += [f"mount --rbind {path} {root}/{inside}" for inside, path in shown.items()]
        lines.append(
            f'exec chroot {root} setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs "$@"'
        )
        return "\n".join([*lines, ""])

    def _system_files(self) -> dict[str, str]:
        names = [
            f"{address} {name} {name}.{self.namespace} {name}.{self.namespace}.svc.cluster.local"
            for name, address in self.hosts.items()
        ]
        return {
            "/etc/hosts": "\n".join(["127.0.0.1 localhost", *names, ""]),
            "/etc/nsswitch.conf": "hosts: files\npasswd: files\n",
            "/etc/passwd": "root:x:0:0::/:/bin/sh\n",
        }

    def _files(
        self, spec: Mapping[str, Any], container: Mapping[str, Any]
    ) -> tuple[dict[str, str], list[str]]:
        """The files of a container's volumes, and where it has empty folders."""
        volumes = {each["name"]: each for each in spec.get("volumes", ())}
        account = spec["serviceAccountName"]
        files: dict[str, str] = {}
        empty: list[str] = []
        for mount in container.get("volumeMounts", ()):
            volume, at = volumes[mount["name"]], mount["mountPath"]
            if "configMap" in volume:
                found = self._data("ConfigMap", volume["configMap"]["name"])
            elif "secret" in volume:
                found = self._data("Secret", volume["secret"]["secretName"])
            elif "projected" in volume:
                asked = [each["serviceAccountToken"] for each in volume["projected"]["sources"]]
                found = {each["path"]: self.token(account, each["audience"]) for each in asked}
            else:
                empty.append(at)
                continue
            if key := mount.get("subPath"):
                files[at] = found[key]
            else:
                files |= {f"{at}/{name}": text for name, text in found.items()}
        if spec.get("automountServiceAccountToken"):
            authority = Path(self.cluster._configuration.ssl_ca_cert).read_text()
            files[f"{_ACCOUNT}/token"] = self.token(account)
            files[f"{_ACCOUNT}/ca.crt"] = authority
            files[f"{_ACCOUNT}/namespace"] = self.namespace
        return files, empty

    def _data(self, kind: str, name: str) -> dict[str, str]:
        found = self.cluster.find("v1", kind, self.namespace, name)
        assert found is not None, name
        if kind == "ConfigMap":
            return found["data"]
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def _variables(
        self, name: str, address: str, spec: Mapping[str, Any], container: Mapping[str, Any]
    ) -> dict[str, str]:
        fields = {"metadata.name": f"{name}-0", "metadata.namespace": self.namespace, "status.podIP": address}
        found = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": f"{name}-0",
            "KUBERNETES_SERVICE_HOST": _KUBERNETES,
            "KUBERNETES_SERVICE_PORT": "443",
        }
        for each in container.get("env", ()):
            if source := each.get("valueFrom"):
                if secret := source.get("secretKeyRef"):
                    found[each["name"]] = self._data("Secret", secret["name"])[secret["key"]]
                else:
                    found[each["name"]] = fields[source["fieldRef"]["fieldPath"]]
            else:
                found[each["name"]] = each.get("value", "")
        return found


@contextmanager
def opened(cluster: Cluster, namespace: str, folder: Path) -> Iterator[Pods]:
    """A network for pods, with Kubernetes' API server in it; at the end all of them are ended."""
    _clear()
    pods = Pods(cluster, namespace, folder)
    _run("ip", "link", "add", _BRIDGE, "type", "bridge")
    try:
        _run("ip", "address", "add", f"{_NET}.1/24", "dev", _BRIDGE)
        _run("ip", "link", "set", _BRIDGE, "up")
        _forward((f"{_NET}.1", 443), ("127.0.0.1", int(cluster.server.rpartition(":")[2])))
        yield pods
    finally:
        for pod in [*pods.running]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                pods.stop(pod)
        _clear()


def _clear() -> None:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        if line.startswith(f"{_BRIDGE}-"):
            _run("ip", "netns", "delete", line.split()[0])
    _run("ip", "link", "delete", _BRIDGE, check=False)


def _netns(name: str) -> str:
    return f"{_BRIDGE}-{name}"


def _network(name: str, address: str) -> None:
    space, outside = _netns(name), f"zp{address.rpartition('.')[2]}"
    _run("ip", "netns", "add", space)
    _run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
    _run("ip", "link", "set", outside, "master", _BRIDGE, "up")
    for words in (["address", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
        _run("ip", "-n", space, *words)
    _run("ip", "-n", space, "link", "set", "lo", "up")


def _run(*command: str, check: bool = True) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _forward(listen: tuple[str, int], target: tuple[str, int]) -> None:
    """Passes connections on, for as long as this process lives."""
    server = socket.create_server(listen)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            caller, _ = server.accept()
            called = socket.create_connection(target)
            for pair in ((caller, called), (called, caller)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
