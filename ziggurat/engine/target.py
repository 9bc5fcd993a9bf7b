"""Where a platform's stack lives, and the cluster that it is for.

A platform for the sandbox has everything of its own under Ziggurat's state folder: project, state files,
passphrase, Pulumi home. A platform for a cluster lives where `pulumi up` would keep it: the Pulumi.yaml
above its blueprint, and the user's own backend, passphrase and Pulumi home.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from blueprints import Loaded
from ziggurat.errors import ClusterError, ZigguratError
from ziggurat.progress import Progress
from ziggurat.settings import Settings

PROJECT = "ziggurat"
"""The name of the Pulumi project, and the namespace of its configuration."""


@dataclass(frozen=True)
class Target:
    """A platform's stack and its cluster, with what it takes to run the engine on them."""

    platform: str
    stack: str
    sandbox: bool
    blueprint: Path
    work_dir: Path
    """The folder of Pulumi.yaml."""
    project: str
    """The name in Pulumi.yaml."""
    config: Path
    """The stack's configuration file; it need not exist yet."""
    kubeconfig: Path | None
    context: str
    pulumi: Path
    version: str
    variables: Mapping[str, str]
    """What the engine's environment has beyond our own."""
    backend: Path | None = None
    """The folder of state files, where we know it: in the sandbox."""
    asked: tuple[str, ...] = ()
    """Options that name this target, beside the blueprint: `--stack`, `--sandbox`."""

    @property
    def description(self) -> str:
        """Where the platform runs, in words."""
        return "the sandbox (pods are simulated)" if self.sandbox else f"context {self.context}"

    def arguments(self) -> str:
        """What follows a verb of `ziggurat` to mean this platform, for a shell."""
        return shlex.join([str(self.blueprint), *self.asked])

    def kubectl(self) -> str:
        """`kubectl` with the options that make it talk to this cluster, for a shell."""
        file = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return shlex.join(["kubectl", *file, "--context", self.context])

    def settings(self) -> dict[str, str]:
        """The configuration that the program needs, besides the root secret."""
        base = self.work_dir
        inside = self.blueprint.is_relative_to(base)
        path = str(self.blueprint.relative_to(base) if inside else self.blueprint)
        values = {f"{PROJECT}:blueprint": path}
        if self.sandbox:
            values |= {f"{PROJECT}:kubeconfig": str(self.kubeconfig), f"{PROJECT}:context": self.context}
        return values


def resolve(
    loaded: Loaded,
    settings: Settings,
    progress: Progress,
    *,
    stack: str | None = None,
    sandbox: bool = False,
    stand_in: bool = False,
    runs_engine: bool = True,
) -> Target:
    """The target of a blueprint.

    `stack` defaults to the platform's name; `sandbox` sends a blueprint with a `cluster` to the sandbox;
    `stand_in` allows the bundled stand-in for the Kubernetes plugin on a real cluster; without
    `runs_engine` the stack is only read, which needs no plugin. Raises ToolError, ClusterError (no
    sandbox), ZigguratError (no project).
    """
    from ziggurat import toolchain

    blueprint = loaded.blueprint
    inside = sandbox or blueprint.cluster is None
    tools = toolchain.engine_environment(
        settings, sandbox=inside, progress=progress, stand_in=stand_in, needs_plugin=runs_engine
    )
    asked = (
        *(["--stack", stack] if stack and stack != blueprint.name else []),
        *(["--sandbox"] if sandbox and blueprint.cluster else []),
    )
    common: dict[str, Any] = {
        "platform": blueprint.name,
        "stack": stack or blueprint.name,
        "sandbox": inside,
        "blueprint": loaded.path.absolute(),
        "asked": asked,
        "pulumi": tools.pulumi,
        "version": located.version if (located := toolchain.locate("pulumi", settings)) else "0.0.0",
    }
    variables = {**tools.variables, **_python()}
    return (_sandbox if inside else _cluster)(loaded, settings, common, variables)


def _python() -> dict[str, str]:
    """Makes the language host run the program with the Python that runs us."""
    found = {"PULUMI_PYTHON_CMD": sys.executable, "PYTHONDONTWRITEBYTECODE": "", "GRPC_VERBOSITY": "NONE"}
    return found | ({"VIRTUAL_ENV": sys.prefix} if sys.prefix != sys.base_prefix else {})


def _sandbox(loaded: Loaded, settings: Settings, common: dict[str, Any], variables: dict[str, str]) -> Target:
    from ziggurat import sandbox

    status = sandbox.status(settings)
    if status.state != "running":
        raise ClusterError(
            f"the sandbox is {status.state}",
            where="this blueprint names no cluster, so it is for the sandbox",
            remedy="start it: ziggurat sandbox up",
        )
    work_dir = settings.state / "stacks" / str(common["platform"])
    backend = settings.state / "pulumi"
    for folder in (work_dir, backend):
        folder.mkdir(parents=True, exist_ok=True)
    _write_project(work_dir)
    passphrase = _passphrase(settings.state / "passphrase")
    own = {
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
    }
    return Target(
        **common,
        work_dir=work_dir,
        project=PROJECT,
        config=work_dir / f"Pulumi.{common['stack']}.yaml",
        kubeconfig=status.kubeconfig,
        context=status.context,
        variables={**variables, **own},
        backend=backend,
    )


def _cluster(loaded: Loaded, settings: Settings, common: dict[str, Any], variables: dict[str, str]) -> Target:
    del settings
    cluster = loaded.blueprint.cluster
    assert cluster is not None  # the caller chose this branch by it  # noqa: S101
    work_dir = find_project(loaded.path.absolute().parent, Path.cwd())
    project = cast("dict[str, Any]", yaml.safe_load((work_dir / "Pulumi.yaml").read_text()) or {})
    folder = work_dir / str(project.get("stackConfigDir") or ".")
    kubeconfig = Path(cluster.kubeconfig).expanduser() if cluster.kubeconfig else None
    return Target(
        **common,
        work_dir=work_dir,
        project=str(project.get("name", PROJECT)),
        config=folder / f"Pulumi.{common['stack']}.yaml",
        kubeconfig=(loaded.path.absolute().parent / kubeconfig) if kubeconfig else None,
        context=cluster.context,
        variables=variables,
    )


def find_project(*starts: Path) -> Path:
    """The folder of the Pulumi.yaml at or above one of `starts`, the first that has one."""
    for start in starts:
        for folder in (start, *start.parents):
            if (folder / "Pulumi.yaml").is_file():
                return folder
    raise ZigguratError(
        "there is no Pulumi.yaml, which says where the platform's program and state are",
        where=f"looked in {starts[0]} and above",
        remedy="make a project (ziggurat init DIR) and put the blueprint into it",
    )


PROGRAM = '''"""The platform program: see stacks/program.py of Ziggurat."""

import runpy

runpy.run_module("stacks", run_name="__main__")
'''


def _write_project(folder: Path) -> None:
    """Writes the Pulumi project of a sandboxed platform, where it is not there as it should be."""
    options = {"virtualenv": sys.prefix} if sys.prefix != sys.base_prefix else {}
    project = {
        "name": PROJECT,
        "description": "A platform in Ziggurat's sandbox",
        "runtime": {"name": "python", "options": {"toolchain": "pip", **options}},
    }
    _write(folder / "Pulumi.yaml", yaml.safe_dump(project, sort_keys=False))
    _write(folder / "__main__.py", PROGRAM)


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all; leaves it alone where it holds the text already."""
    if path.is_file() and path.read_text() == text:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def _passphrase(path: Path) -> Path:
    """The file of the passphrase that the sandbox's stacks are encrypted with; made at the first call."""
    if path.exists():
        return path
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32))
    try:
        os.link(draft, path)  # fails if another run was faster: its passphrase stays
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path
