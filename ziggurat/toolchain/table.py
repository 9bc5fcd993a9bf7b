"""Every external program: its version, where its maker publishes it, and what it is built from.

A new version is a change of this table and of the go.mod beside it, and nothing else. Build times are those
of docs/toolchain.md: two cores, cold caches.
"""

from __future__ import annotations

from ziggurat.toolchain.model import Download, Family, GoProgram, ModuleFile, Tool

_PULUMI = "3.259.0"
_KUBERNETES = "1.36.3"
_ETCD = "3.6.14"
_KWOK = "0.8.0"

_SDK = "github.com/pulumi/pulumi/sdk/v3"
_PULUMI_RELEASES = "https://get.pulumi.com/releases"
_KUBERNETES_RELEASES = f"https://dl.k8s.io/release/v{_KUBERNETES}/bin/{{os}}/{{arch}}"
_ETCD_RELEASES = f"https://github.com/etcd-io/etcd/releases/download/v{_ETCD}"
_KWOK_RELEASES = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{_KWOK}"


def _kubernetes_ldflags() -> str:
    """Version stamps of both packages that clients read; without them the API server is version 0."""
    major, minor, _ = _KUBERNETES.split(".")
    return "".join(
        f" -X {package}.gitVersion=v{_KUBERNETES} -X {package}.gitMajor={major}"
        f" -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    ).strip()


def _kubernetes(name: str, seconds: float, purpose: str, ask: tuple[str, ...] = ("--version",)) -> Tool:
    program = GoProgram(
        "kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        seconds,
        tags="grpcnotrace",
        ldflags=_kubernetes_ldflags(),
    )
    return Tool(name, purpose, ask, program)


def _kubernetes_download(name: str, systems: tuple[str, ...] = ("linux",)) -> Download:
    url = f"{_KUBERNETES_RELEASES}/{name}"
    return Download(url, {"": name}, f"{url}.sha256", systems)


def _kwok(name: str, seconds: float, purpose: str) -> Tool:
    program = GoProgram(
        "kwok",
        f"sigs.k8s.io/kwok/cmd/{name}",
        seconds,
        ldflags=f"-X sigs.k8s.io/kwok/pkg/consts.Version=v{_KWOK}",
    )
    return Tool(name, purpose, ("--version",), program)


def plugin_download(version: str) -> Download:
    """Pulumi's own Kubernetes plugin. Pulumi publishes no sums beside it and checks none itself."""
    name = f"pulumi-resource-kubernetes-v{version}"
    return Download(
        f"{_PULUMI_RELEASES}/plugins/{name}-{{os}}-{{arch}}.tar.gz",
        {"pulumi-resource-kubernetes": "pulumi-resource-kubernetes"},
    )


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "pulumi",
            version=_PULUMI,
            minimum="3.250.0",
            tools=(
                Tool(
                    "pulumi",
                    "the engine",
                    ("version",),
                    GoProgram(
                        "pulumi",
                        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
                        seconds=235,
                        tags="osusergo,grpcnotrace",
                        # Without it the Automation API cannot read the version.
                        ldflags=f"-X {_SDK}/go/common/version.Version=v{_PULUMI}",
                    ),
                ),
                Tool(
                    "pulumi-language-python",
                    "starts Python programs for the engine",
                    (),
                    GoProgram("language-host", f"{_SDK}/python/cmd/pulumi-language-python", seconds=20),
                ),
            ),
            downloads=(
                Download(
                    f"{_PULUMI_RELEASES}/sdk/pulumi-v{_PULUMI}-{{os}}-{{pulumi_arch}}.tar.gz",
                    {
                        f"pulumi/{name}": name
                        for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
                    },
                    f"{_PULUMI_RELEASES}/sdk/pulumi-{_PULUMI}-checksums.txt",
                ),
            ),
            # The script of the CLI's version: the language host's own module is of an older one.
            files={
                "pulumi-language-python-exec": ModuleFile(
                    "pulumi", _SDK, "python/cmd/pulumi-language-python-exec"
                )
            },
            in_pulumi_home=True,
        ),
        Family(
            "etcd",
            version=_ETCD,
            minimum="3.5.0",
            tools=(
                Tool(
                    "etcd",
                    "the sandbox's store",
                    ("--version",),
                    GoProgram("etcd", "go.etcd.io/etcd/server/v3", seconds=30),
                ),
            ),
            downloads=(
                Download(
                    f"{_ETCD_RELEASES}/etcd-v{_ETCD}-{{os}}-{{arch}}.tar.gz",
                    {f"etcd-v{_ETCD}-{{os}}-{{arch}}/etcd": "etcd"},
                    f"{_ETCD_RELEASES}/SHA256SUMS",
                    systems=("linux",),
                ),
            ),
        ),
        Family(
            "kubernetes",
            version=_KUBERNETES,
            minimum="1.34.0",
            tools=(
                _kubernetes("kube-apiserver", 270, "the sandbox's API server"),
                _kubernetes("kube-controller-manager", 60, "the sandbox's controllers"),
                _kubernetes("kube-scheduler", 5, "the sandbox's scheduler"),
            ),
            downloads=tuple(
                _kubernetes_download(name)
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
            ),
        ),
        Family(
            "kwok",
            version=_KWOK,
            minimum="0.7.0",
            tools=(
                _kwok("kwok", 70, "simulates the sandbox's nodes"),
                _kwok("kwokctl", 20, "runs the sandbox"),
            ),
            downloads=tuple(
                Download(f"{_KWOK_RELEASES}/{name}-{{os}}-{{arch}}", {"": name})
                for name in ("kwok", "kwokctl")
            ),
        ),
        Family(
            "kubectl",
            version=_KUBERNETES,
            minimum="1.28.0",
            # kwokctl asks the API server through it, and downloads one where it finds none.
            tools=(_kubernetes("kubectl", 45, "looks into a cluster", ("version", "--client")),),
            downloads=(_kubernetes_download("kubectl", ("linux", "darwin")),),
        ),
    )
}

FAMILY_OF: dict[str, str] = {tool.name: family.name for family in FAMILIES.values() for tool in family.tools}
"""Tool -> its family."""

ENGINE = ("pulumi", "pulumi-language-python")
"""What running a Pulumi program takes."""

SANDBOX = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "kwokctl",
    "kubectl",
)
"""What the sandbox takes."""
