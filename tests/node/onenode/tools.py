"""The programs of the node: the control plane by Ziggurat's toolchain, the rest built from tests/node/tools.

A program is built once for all that it is made of (pins, flags, version of Go) and kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onenode.layout import Layout
from ziggurat import toolchain
from ziggurat.errors import ToolError
from ziggurat.progress import Progress
from ziggurat.settings import Settings
from ziggurat.toolchain.gobuild import go_version
from ziggurat.toolchain.lock import exclusive

FAMILIES = Path(__file__).parent.parent / "tools"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

_KUBERNETES, _CONTAINERD, _CNI = "1.36.3", "2.3.4", "1.9.1"
_CONTAINERD_COMMANDS = "github.com/containerd/containerd/v2/cmd"
_PLUGINS = "github.com/containernetworking/plugins"


@dataclass(frozen=True)
class Program:
    """What `go build` is told."""

    family: str
    package: str
    seconds: float
    """About how long it takes with cold caches on two cores."""
    tags: str = ""
    ldflags: str = ""
    cgo: bool = False


def _kubernetes(name: str, seconds: float) -> Program:
    major, minor, _ = _KUBERNETES.split(".")
    stamps = {"gitVersion": f"v{_KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    ldflags = " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items())
    return Program("kubernetes", f"k8s.io/kubernetes/cmd/{name}", seconds, "grpcnotrace", ldflags)


def _containerd(name: str, seconds: float, tags: str = "") -> Program:
    tags = f"urfave_cli_no_docs,osusergo,netgo,static_build{tags}"
    ldflags = f"-X github.com/containerd/containerd/v2/version.Version=v{_CONTAINERD}"
    return Program("containerd", f"{_CONTAINERD_COMMANDS}/{name}", seconds, tags, ldflags)


def _cni(path: str) -> Program:
    ldflags = f"-X {_PLUGINS}/pkg/utils/buildversion.BuildVersion=v{_CNI}"
    return Program("cni", f"{_PLUGINS}/plugins/{path}", 2, ldflags=ldflags)


PROGRAMS = {
    "containerd": _containerd("containerd", 94),
    "containerd-shim-runc-v2": _containerd("containerd-shim-runc-v2", 2, ",no_grpc"),
    "ctr": _containerd("ctr", 4),
    "runc": Program("runc", "github.com/opencontainers/runc", 16, "seccomp", cgo=True),
    "cni/host-local": _cni("ipam/host-local"),
    "cni/bridge": _cni("main/bridge"),
    "cni/loopback": _cni("main/loopback"),
    "cni/portmap": _cni("meta/portmap"),
    "kubelet": _kubernetes("kubelet", 123),
    "kube-proxy": _kubernetes("kube-proxy", 15),
    "coredns": Program("coredns", ".", 93),
    "network-policies": Program("network-policies", ".", 60),
}
HELM = Program("helm", "helm.sh/helm/v4/cmd/helm", 60)
"""Renders charts; of the node's own programs it is none."""


def ensure(layout: Layout, settings: Settings, progress: Progress) -> None:
    """Every program in the node's own `bin`; builds what is missing. Raises ToolError.

    `NODE_BIN` names a folder of programs that were built elsewhere: then nothing is built.
    """
    ready = os.environ.get("NODE_BIN")
    if ready:
        found = {name: Path(ready, name) for name in (*CONTROL_PLANE, *PROGRAMS)}
        missing = sorted(name for name, path in found.items() if not os.access(path, os.X_OK))
        if missing:
            raise ToolError("programs are missing", where=f"NODE_BIN={ready}: {', '.join(missing)}")
    else:
        found = {
            name: each.path for name, each in toolchain.ensure(CONTROL_PLANE, settings, progress).items()
        }
        found |= {name: _build(name, program, layout, progress) for name, program in PROGRAMS.items()}
    for name, path in found.items():
        link = layout.bin / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != path:
            link.unlink(missing_ok=True)
            link.symlink_to(path)


def helm(layout: Layout, progress: Progress) -> Path:
    """The `helm` on PATH, or else one of our own, which is built where it is missing. Raises ToolError."""
    there = shutil.which("helm")
    return Path(there) if there else _build("helm", HELM, layout, progress)


def _digest(program: Program, version: str) -> str:
    found = hashlib.sha256(repr((program, version)).encode())
    for file in sorted((FAMILIES / program.family).iterdir()):
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()[:12]


def _build(name: str, program: Program, layout: Layout, progress: Progress) -> Path:
    version = go_version()
    if version is None:
        raise ToolError("building needs Go, and there is no `go` on PATH", remedy="install Go 1.26 or newer")
    short = name.rpartition("/")[2]
    folder = layout.cache / "tools" / f"{short}-{_digest(program, version)}"
    target = folder / short
    with exclusive(layout.cache / "tools" / f"{short}.lock", progress, f"building {short}"):
        if not target.exists():
            _compile(program, folder / f"{short}.new", progress)
            (folder / f"{short}.new").rename(target)
    return target


def _compile(program: Program, target: Path, progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", program.tags]
    command += ["-ldflags", f"-s -w {program.ldflags}", "-o", str(target), program.package]
    env = {"GOGC": "400", **os.environ, "CGO_ENABLED": str(int(program.cgo)), "GOWORK": "off"}
    with progress.step(f"building {program.package}", program.seconds):
        done = subprocess.run(
            command, cwd=FAMILIES / program.family, env=env, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-12:])
        raise ToolError(f"{program.package} could not be built; Go says:\n{tail}", where=program.family)
