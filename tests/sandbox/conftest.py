"""A machine to run the command on: a sandbox of the tests' own, and `ziggurat` as a user runs it.

One sandbox serves the tests of one file, which may leave in it what they like: files run in any order, and
beside each other. Each platform of a file has a name of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ziggurat import sandbox, toolchain
from ziggurat.cluster import Cluster
from ziggurat.errors import ToolError
from ziggurat.progress import silent
from ziggurat.settings import Settings

BLUEPRINT = """\
apiVersion: ziggurat/v1
name: {name}
phase: starter
teams:
  vision:
    users: {{ada: {{role: admin}}}}
"""
"""The smallest blueprint but for the account's name."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as data."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """All that it said."""
        return self.out + self.err


@dataclass
class Machine:
    """Runs `ziggurat` with state of its own; keeps all that was ever said, for the search for secrets."""

    settings: Settings
    folder: Path
    said: list[str]
    checkpoints: bool = True
    """Whether the engine writes the state after each step, or at the end alone."""

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees: nothing of the developer's own Pulumi."""
        mine = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return mine | {
            "ZIGGURAT_CACHE_DIR": str(self.settings.cache),
            "ZIGGURAT_STATE_DIR": str(self.settings.state),
            "ZIGGURAT_DOWNLOADS": "on" if self.settings.downloads else "off",
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            **({} if self.checkpoints else {"PULUMI_SKIP_CHECKPOINTS": "true"}),
        }

    def start(self, *arguments: object, **variables: str) -> subprocess.Popen[str]:
        """Starts `ziggurat ARGUMENTS`."""
        return subprocess.Popen(
            [sys.executable, "-m", "ziggurat", *map(str, arguments)],
            env=self.environment | variables,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], seconds: float = 300) -> Ran:
        """Waits for a command that was started."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end in {seconds} s:\n{out}\n{err}") from None
        self.said += [out, err]
        return Ran(process.returncode, out, err)

    def run(self, *arguments: object, code: int | None = 0, **variables: str) -> Ran:
        """Runs `ziggurat ARGUMENTS`, which must end with `code` (None: with any)."""
        ran = self.finish(self.start(*arguments, **variables))
        assert code is None or ran.code == code, f"exit code {ran.code}, wanted {code}:\n{ran.text}"
        assert "Traceback" not in ran.text
        return ran

    def blueprint(self, name: str, more: str = "", folder: Path | None = None) -> Path:
        """Writes a blueprint of that name."""
        path = (folder or self.folder) / f"{name}.yaml"
        path.write_text(BLUEPRINT.format(name=name) + more)
        return path

    def config(self, name: str) -> Path:
        """The configuration file of a sandboxed platform's stack."""
        return self.settings.state / "stacks" / name / f"Pulumi.{name}.yaml"

    def locks(self, name: str) -> Path:
        """The folder of the locks on a sandboxed platform's stack."""
        return self.settings.state / "pulumi" / ".pulumi" / "locks" / "organization" / "ziggurat" / name

    def state(self, name: str) -> dict[str, Any]:
        """The state of a sandboxed platform, as its file has it."""
        path = self.settings.state / "pulumi" / ".pulumi" / "stacks" / "ziggurat" / f"{name}.json"
        deployment: dict[str, Any] = json.loads(path.read_text())["checkpoint"]["latest"]
        return deployment

    @property
    def cluster(self) -> Cluster:
        """The sandbox's cluster."""
        status = sandbox.status(self.settings)
        return Cluster(status.kubeconfig, status.context)

    def kubectl(self) -> Path:
        """The folder of a kubectl; skips the test where there is none."""
        own = shutil.which("kubectl")
        if own:
            return Path(own).parent
        try:
            return toolchain.ensure(("kubectl",), self.settings, silent())["kubectl"].path.parent
        except (ToolError, KeyError) as error:
            pytest.skip(f"there is no kubectl: {error}")


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine, with a sandbox that runs.

    A module may do without CHECKPOINTS: writing a large state hundreds of times is most of the engine's work.
    Not where a run is killed, or where what is written on the way is the matter.
    """
    found = Settings.from_environment()
    wanted = (*toolchain.ENGINE, *toolchain.SANDBOX)
    missing = [name for name in wanted if toolchain.locate(name, found) is None]
    if missing:
        pytest.skip(f"tools are missing: {', '.join(missing)} (ziggurat tools ensure)")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # Of a shell's background job; the commands that we start would inherit it and never be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = tmp_path_factory.mktemp("machine")
    settings = replace(found, state=folder / "state")
    sandbox.up(settings, silent())
    yield Machine(settings, folder, [], getattr(request.module, "CHECKPOINTS", True))
    sandbox.reset(settings, silent())


@pytest.fixture(scope="module")
def blueprint(request: pytest.FixtureRequest, machine: Machine) -> Path:
    """The BLUEPRINT of a module, as a file that is called by its NAME."""
    path = machine.folder / f"{request.module.NAME}.yaml"
    path.write_text(request.module.BLUEPRINT)
    return path


@pytest.fixture(scope="module")
def up(request: pytest.FixtureRequest, machine: Machine, blueprint: Path) -> dict[str, Any]:
    """The platform, provisioned from a cold start; what `up` printed.

    It may take as many seconds as the module says to be LONG.
    """
    seconds = getattr(request.module, "LONG", 300)
    ran = machine.finish(machine.start("up", blueprint, "--yes", "--json"), seconds)
    assert ran.code == 0, ran.text
    return ran.json


def wait_for(what: Callable[[], Any], seconds: float = 180) -> Any:
    """Waits until `what()` is true, and returns it; by default as long as a loaded machine may take."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """`wait_for`, for tests."""
    return wait_for
