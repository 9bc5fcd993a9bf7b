"""Pods of a sandbox's Deployments as processes of this machine, where the sandbox only simulates them.

A process gets what its container would: command, arguments, variables, files, tokens of its ServiceAccount,
its user, a root file system that it cannot write to, and the network address of its pod, by which others find
it under the name of its Service, and the API server by the Service's own address. It is no container runtime:
no limits, no NetworkPolicies, no seccomp. It needs root and iproute2. One test at a time has pods.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pod_network
import tokens

from ziggurat.cluster import Cluster

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_KUBERNETES = "kubernetes.default.svc"
_OF_IMAGE = 65532
"""Who a container runs as where only its image says so."""
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
    """A running process: a pod, or one container of it."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    log: Path
    container: Mapping[str, Any]
    files: Path
    """Its root file system."""

    @property
    def said(self) -> str:
        """All that it has printed, in earlier lives, too."""
        return self.log.read_text(errors="replace")

    def answers(self, probe: str) -> bool:
        """Whether the container's probe of that name succeeds now (all but commands)."""
        asked = self.container[probe]
        try:
            if "grpc" in asked:
                return _serving(f"{self.address}:{asked['grpc']['port']}")
            if http := asked.get("httpGet"):
                url = f"http://{self.address}:{self.port(http['port'])}{http['path']}"
                with urllib.request.urlopen(url, timeout=5) as answer:  # our own
                    return 200 <= answer.status < 400
            port = self.port(asked["tcpSocket"]["port"])
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

    def port(self, port: int | str) -> int:
        """The number of a port that may be a name."""
        if isinstance(port, int):
            return port
        return next(each["containerPort"] for each in self.container["ports"] if each["name"] == port)


@dataclass
class Pods:
    """The pods of one namespace that run here."""

    cluster: Cluster
    namespace: str
    folder: Path
    hosts: dict[tuple[str, str], str] = field(
        default_factory=lambda: {("kubernetes", "default"): pod_network.address(1)}
    )
    """The address of each Service, by its name and its namespace."""
    running: list[Pod] = field(default_factory=list[Pod])
    listening: list[socket.socket] = field(default_factory=list[socket.socket])

    def elsewhere(self, namespace: str) -> Pods:
        """The pods of another namespace, on the same network."""
        return replace(self, namespace=namespace)

    def address(self, service: str) -> str:
        """The address of a Service, whether it runs yet or not; every pod knows it by its name."""
        key = (service, self.namespace)
        if key not in self.hosts:
            self.hosts[key] = pod_network.address(len(self.hosts) + 1)
            for pod in self.running:
                file = pod.files / "etc/hosts"
                file.write_text(file.read_text() + self._host(*key))
        return self.hosts[key]

    def serve(self, service: str, port: int, target: int) -> None:
        """Makes a server on this machine's loopback a Service's."""
        address = self.address(service)
        pod_network.own(address, 24)
        self.listening.append(pod_network.forward((address, port), ("127.0.0.1", target)))

    def expose(self, service: str, pod: Pod) -> None:
        """Leads a Service's own address to a pod, as kube-proxy does: by it the API server calls webhooks."""
        found = self.cluster.find("v1", "Service", self.namespace, service)
        assert found is not None, service
        address = found["spec"]["clusterIP"]
        pod_network.own(address, 32)
        for each in found["spec"]["ports"]:
            target = (pod.address, pod.port(each["targetPort"]))
            self.listening.append(pod_network.forward((address, each["port"]), target))

    def start(
        self,
        name: str,
        programs: Mapping[str, Path],
        env: Mapping[str, str] | None = None,
        command: list[str] | None = None,
        kind: tuple[str, str] = ("apps/v1", "Deployment"),
        container: str = "",
    ) -> Pod:
        """Runs the container of a Deployment, or the one of that name; `programs`: which files and folders of
        this machine are where in its image. `command`, where it is given, stands for the image's own."""
        found = self.cluster.find(*kind, self.namespace, name)
        assert found is not None, name
        spec = found["spec"]["template"]["spec"]
        (chosen,) = [each for each in spec["containers"] if container in ("", each["name"])]
        label = f"{name}.{container}" if container else name
        root = self.folder / label
        shutil.rmtree(root, ignore_errors=True)
        address = self.address(name)
        script = self.folder / f"{label}.sh"
        script.write_text(self._script(root, spec, chosen, programs))
        if not any(each.name == name for each in self.running):
            pod_network.join(name, address)
        told = {**self.variables(name, address, spec, chosen), **(env or {})}
        inside = ["env", "-i", *(f"{key}={value}" for key, value in told.items())]
        inside += command or [*chosen.get("command", ()), *chosen.get("args", ())]
        log = self.folder / f"{label}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                [
                    "ip",
                    "netns",
                    "exec",
                    pod_network.namespace(name),
                    "unshare",
                    "--mount",
                    "sh",
                    str(script),
                    *inside,
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        pod = Pod(name, address, process, log, chosen, root)
        self.running.append(pod)
        return pod

    def stop(self, pod: Pod) -> int:
        """Ends a process as Kubernetes would; its exit code."""
        pod.process.terminate()
        try:
            return pod.process.wait(30)
        finally:
            pod.process.kill()
            self.running.remove(pod)
            if not any(each.name == pod.name for each in self.running):
                pod_network.leave(pod.name)

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
        for link, target in _LINKS.items():
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(target)
        context = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        user = context.get("runAsUser", _OF_IMAGE)
        group = context.get("runAsGroup", user)
        for inside, text in {**files, **self._system_files(user, group)}.items():
            _write(root / inside.lstrip("/"), text)
        for mount in container.get("volumeMounts", ()):
            if "subPath" not in mount:  # a Secret may have nothing in it yet
                (root / mount["mountPath"].lstrip("/")).mkdir(parents=True, exist_ok=True)
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

    def _system_files(self, user: int, group: int) -> dict[str, str]:
        return {
            "/etc/hosts": self.hosts_file(),
            "/etc/nsswitch.conf": "hosts: files\npasswd: files\n",
            "/etc/passwd": f"root:x:0:0::/:/bin/sh\nimage:x:{user}:{group}::/:/bin/sh\n",
        }

    def hosts_file(self) -> str:
        """The names that a pod of this namespace knows."""
        return "127.0.0.1 localhost\n" + "".join(self._host(*key) for key in self.hosts)

    def _host(self, service: str, namespace: str) -> str:
        full = f"{service}.{namespace}"
        names = [full, f"{full}.svc", f"{full}.svc.cluster.local"]
        if namespace == self.namespace:
            names.insert(0, service)
        return f"{self.hosts[service, namespace]} {' '.join(names)}\n"

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
                found = self.data("ConfigMap", volume["configMap"]["name"])
            elif "secret" in volume:
                found = self.data("Secret", volume["secret"]["secretName"])
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
        if self._speaks(spec):
            authority = Path(self.cluster._configuration.ssl_ca_cert).read_text()
            files[f"{_ACCOUNT}/token"] = self.token(account)
            files[f"{_ACCOUNT}/ca.crt"] = authority
            files[f"{_ACCOUNT}/namespace"] = self.namespace
        return files, empty

    def _speaks(self, spec: Mapping[str, Any]) -> bool:
        """Whether a pod has a token: it says so, or its ServiceAccount does, or nobody speaks against it."""
        account = self.cluster.find("v1", "ServiceAccount", self.namespace, spec["serviceAccountName"]) or {}
        said = (each.get("automountServiceAccountToken") for each in (spec, account))
        return next((each for each in said if each is not None), True)

    def data(self, kind: str, name: str) -> dict[str, str]:
        found = self.cluster.find("v1", kind, self.namespace, name)
        assert found is not None, name
        if kind == "ConfigMap":
            return found["data"]
        return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}

    def variables(
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
                    found[each["name"]] = self.data("Secret", secret["name"])[secret["key"]]
                else:
                    found[each["name"]] = fields[source["fieldRef"]["fieldPath"]]
            else:
                found[each["name"]] = each.get("value", "")
        return found


@contextmanager
def opened(cluster: Cluster, namespace: str, folder: Path) -> Iterator[Pods]:
    """A network for pods, with Kubernetes' API server in it; at the end all of them are ended."""
    pods = Pods(cluster, namespace, folder)
    with pod_network.opened():
        try:
            kubernetes = ("127.0.0.1", int(cluster.server.rpartition(":")[2]))
            pods.listening.append(pod_network.forward((pod_network.address(1), 443), kubernetes))
            yield pods
        finally:
            for pod in [*pods.running]:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pods.stop(pod)
            for each in pods.listening:
                each.shutdown(socket.SHUT_RDWR)


def _serving(address: str) -> bool:
    """What gRPC's own service of health says of the server as a whole."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        asked = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return asked(b"", timeout=5) == b"\x08\x01"
        except grpc.RpcError:
            return False


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
