"""A platform's stack, through Pulumi's Automation API: the program is run exactly as `pulumi up` runs it.

What is added to the API: nothing here ever asks for the value of a secret or puts one on a command line;
opening a stack does not change which one the user's own `pulumi` has selected; a preview writes nothing,
neither configuration nor state; every failure comes out as one of Ziggurat's errors.
"""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

import yaml
from pulumi.automation import (
    CommandError,
    LocalWorkspace,
    OutputMap,
    OutputValue,
    Stack,
    StackNotFoundError,
    UpdateSummary,
)
from pulumi.automation.events import EngineEvent
from semver import VersionInfo

from components.credentials import checked_rotations
from ziggurat.engine import locks, sidecars
from ziggurat.engine.changes import Change, Outcome, Recorder, change_of
from ziggurat.engine.command import EngineCommand
from ziggurat.engine.failures import exit_code, failure
from ziggurat.engine.state import Managed, State, read
from ziggurat.engine.target import PROJECT, Target
from ziggurat.errors import InterruptedRunError, LockedError, SecretsError, ZigguratError
from ziggurat.progress import Progress, Step

ROOT_SECRET = f"{PROJECT}:rootSecret"
CLUSTER_ID = f"{PROJECT}:cluster"
"""The configuration key under which the first `up` writes down which cluster the platform is on."""

ROTATIONS = f"{PROJECT}:rotations"
"""The configuration key of the rotation numbers: a JSON object, {label: number}."""

_DISABLED = "pulumi:disable-default-providers"
_ROOT_BYTES = 32
_IGNORE_PROTECT_SINCE = VersionInfo(3, 256, 0)
_PARALLEL = 16
"""Steps at once. Most wait for the cluster; the engine's own default is 4 for each core."""


T = TypeVar("T")


class _Operation(Protocol):
    def __call__(self, *, on_event: Callable[[EngineEvent], Any], color: str, parallel: int) -> object: ...


class Workspace(LocalWorkspace):
    """The Automation API's workspace, less what it does with secrets and with the user's selected stack."""

    def __init__(self, target: Target, command: EngineCommand) -> None:
        super().__init__(
            work_dir=str(target.work_dir), env_vars=dict(target.variables), pulumi_command=command
        )
        self._once: list[str] = []

    def arguments_once(self, *arguments: str) -> None:
        """Adds arguments to the next operation, for options that the Automation API has no parameter for."""
        self._once = list(arguments)

    def serialize_args_for_op(self, stack_name: str) -> list[str]:
        """The API's own hook for more arguments."""
        del stack_name
        once, self._once = self._once, []
        return once

    def select_stack(self, stack_name: str) -> None:
        """Does nothing: each command names its stack. Selecting it would change what the user's own is on."""
        del stack_name

    def stack_outputs(self, stack_name: str) -> OutputMap:
        """The outputs, secrets masked; the API's own way asks for their values too."""
        text = self.run("stack", "output", "--json", "--stack", stack_name)
        shown: dict[str, Any] = json.loads(text)
        return {key: OutputValue(value, secret=value == "[secret]") for key, value in shown.items()}

    def run(self, *arguments: str, text: str | None = None, **variables: str) -> str:
        """Runs one command of the CLI, with `text` on its standard input; what it printed."""
        command = cast("EngineCommand", self.pulumi_command)
        environment = {**self.env_vars, **variables}
        return command.run_with_input(list(arguments), self.work_dir, environment, text).stdout


class Engine:
    """One platform's stack, and the operations on it."""

    def __init__(self, target: Target, progress: Progress) -> None:
        """Opens the stack and reads its state; a stack that does not exist yet is no error."""
        self.target = target
        self._progress = progress
        command = EngineCommand(target.pulumi, target.version, self._on_interrupt)
        self._workspace = Workspace(target, command)
        self._recorder = Recorder()
        self._previewing = False
        self.state = self.read_state()

    def _on_interrupt(self, count: int) -> None:
        if count == 1:
            self._progress.warn("stopping: the engine finishes what it is doing (again to stop at once)")
        else:
            self._progress.warn("stopping at once: what is under way is sorted out by the next `ziggurat up`")

    # What there is

    def read_state(self) -> State:
        """The stack's state as it is now."""
        with self._failing():
            try:
                text = self._mending(
                    lambda: self._workspace.run("stack", "export", "--stack", self.target.stack)
                )
            except StackNotFoundError:
                return read(None)
        return read(json.loads(text))

    def _mending(self, look: Callable[[], T]) -> T:
        """What `look` finds; once more where a killed run left something that had to be mended first."""
        try:
            return look()
        except StackNotFoundError:
            raise
        except CommandError:
            if not self._mend():
                raise
            return look()

    def _mend(self) -> bool:
        """Whether there was something to mend in what a killed run left of the state's files."""
        backend = self._backend()
        mended = sidecars.mend(backend) if backend else ()
        for file in mended:
            self._progress.warn(f"removing what a run that was killed has not written whole ({file})")
        return bool(mended)

    def configuration(self) -> dict[str, Any]:
        """The stack's configuration as its file has it: secrets stay encrypted."""
        return _configuration(self.target.config)

    @property
    def has_root_secret(self) -> bool:
        """Whether the configuration holds the secret that every credential is derived from."""
        return ROOT_SECRET in self.configuration()

    @property
    def rotations(self) -> dict[str, int]:
        """The rotation numbers in the configuration, by label; SecretsError if they cannot be read."""
        found: Any = self.configuration().get(ROTATIONS) or {}
        try:
            return checked_rotations(json.loads(found) if isinstance(found, str) else found)
        except (ValueError, AttributeError) as error:
            raise SecretsError(
                f"the rotation numbers cannot be used: {error}",
                where=f"{ROTATIONS} in {self.target.config}",
                remedy="restore that file from version control or a backup; `ziggurat rotate` writes the key",
            ) from None

    def last_update(self) -> UpdateSummary | None:
        """How the last run ended, by the engine's own history."""
        if not self.state.exists:
            return None
        with self._failing():
            history = self._mending(lambda: self._stack().history(page_size=1, show_secrets=False))
        return history[0] if history else None

    @cached_property
    def interrupted(self) -> bool:
        """Whether the run before this one failed or was killed, so that state and cluster may differ."""
        if self.state.half_done:
            return True
        last = self.last_update()
        return last is not None and last.result != "succeeded"

    def locks(self) -> tuple[locks.Lock, ...]:
        """Locks on the stack, where its state is kept in a folder; elsewhere the engine finds them."""
        backend = self._backend()
        if backend is None:
            return ()
        return locks.in_folder(backend, self.target.project, self.target.stack)

    def _backend(self) -> Path | None:
        """The folder that the state is kept in; None if that is no folder."""
        if self.target.backend:
            return self.target.backend
        with self._failing():
            url = urlsplit(self._workspace.who_am_i().url or "")
        if url.scheme != "file":
            return None
        return Path(unquote(f"{url.netloc}{url.path}")).expanduser()  # `pulumi login --local` is file://~

    # Making and settling

    def create(self) -> None:
        """Makes the stack with a new root secret, unless there is one."""
        with self._failing():
            if not self.state.exists:
                self._workspace.run("stack", "init", self.target.stack)
            if not self.has_root_secret:
                self._require_no_objects()
                secret = base64.b64encode(secrets.token_bytes(_ROOT_BYTES)).decode()
                arguments = ("config", "set", "--secret", "--stack", self.target.stack, ROOT_SECRET)
                self._workspace.run(*arguments, text=secret)
        self.state = self.state if self.state.exists else read({"deployment": {}})

    def _require_no_objects(self) -> None:
        """A new root secret under a platform that runs would change every password at once."""
        if self.state.empty:
            return
        raise SecretsError(
            "the stack's root secret is missing, and the platform that it made is there: "
            "a new one would change every credential, so nothing was done",
            where=f"{ROOT_SECRET} in {self.target.config}",
            remedy="restore that file from version control or a backup; or, if you have the secret: "
            f"pulumi config set --secret {ROOT_SECRET} --stack {self.target.stack}",
        )

    def require_root_secret(self) -> None:
        """SecretsError if the platform is there and its root secret is not."""
        if not self.has_root_secret:
            self._require_no_objects()

    def configure(self, cluster_id: str, rotations: Mapping[str, int] | None = None) -> None:
        """Writes down what the program needs, and which cluster this is; only what has changed.

        `rotations` are new rotation numbers; None leaves them as they are.
        """
        wanted = {**self.target.settings(), CLUSTER_ID: cluster_id, **_rotation_setting(rotations)}
        have = self.configuration()
        arguments = [f"--plaintext={key}={value}" for key, value in wanted.items() if have.get(key) != value]
        if have.get(_DISABLED) != ["kubernetes"]:
            arguments.append(f"--plaintext={_DISABLED}[0]=kubernetes")
        if arguments:
            with self._failing():
                self._workspace.run("config", "set-all", "--path", "--stack", self.target.stack, *arguments)

    # Runs

    def preview(
        self,
        *,
        refresh: bool = False,
        take_over: bool = False,
        adopt: bool = False,
        rotations: Mapping[str, int] | None = None,
    ) -> Outcome:
        """What `up` would do. Writes nothing: neither state nor configuration, not even a stack.

        `rotations`: what it would do with these rotation numbers instead of the configuration's.
        """
        with tempfile.TemporaryDirectory(prefix="ziggurat-preview-") as folder, self._failing():
            config = self._preview_configuration(Path(folder), rotations)
            self._allow(take_over=take_over, adopt=adopt)
            stack = self._stack()
            self._workspace.arguments_once(*self._ignoring_protection())

            def run(**options: Any) -> object:
                return stack.preview(config_file=str(config), refresh=refresh or None, **options)

            return self._record(run, "previewing", 0, preview=True)

    def _ignoring_protection(self) -> list[str]:
        """Lets a preview go on past objects that hold data, so that it shows all that would happen."""
        version = self._workspace.pulumi_command.version
        return ["--ignore-protect"] if version is not None and version >= _IGNORE_PROTECT_SINCE else []

    def _preview_configuration(self, folder: Path, rotations: Mapping[str, int] | None) -> Path:
        """A copy of the stack's configuration with what `up` would add to it."""
        path = folder / self.target.config.name
        exists = self.state.exists
        document = _document(self.target.config) if exists else self._scratch_stack(folder, path)
        config: dict[str, Any] = document.setdefault("config", {})
        config.update({**self.target.settings(), **_rotation_setting(rotations)})
        config[_DISABLED] = ["kubernetes"]
        if not exists or ROOT_SECRET not in config:
            # A throw-away: names do not depend on it, and a new platform's passwords are shown to nobody.
            config[ROOT_SECRET] = base64.b64encode(bytes(_ROOT_BYTES)).decode()
        path.write_text(yaml.safe_dump(document))
        return path

    def _scratch_stack(self, folder: Path, path: Path) -> dict[str, Any]:
        """Makes the stack in a throw-away backend, so that the preview of a new platform leaves nothing."""
        project: dict[str, Any] = {"name": self.target.project, "runtime": "python"}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        scratch = {
            "PULUMI_BACKEND_URL": folder.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(16),
        }
        others = {key: value for key, value in self.target.variables.items() if "PASSPHRASE" not in key}
        self._workspace.env_vars = {**others, **scratch, "PULUMI_CONFIG_PASSPHRASE_FILE": ""}
        self._workspace.run("--cwd", str(folder), "stack", "init", self.target.stack, "--no-select")
        return _document(path)

    def up(self, total: int = 0, *, take_over: bool = False, adopt: bool = False) -> Outcome:
        """Provisions the platform. `total` is how many steps there are, for progress.

        `take_over` takes back fields that somebody else has become the manager of; `adopt` takes in objects
        that are there already (preflight makes sure that they are the platform's own).
        """
        with self._failing():
            stack = self._stack()
            self._allow(take_over=take_over, adopt=adopt)

            def run(**options: Any) -> object:
                return stack.up(show_secrets=False, suppress_outputs=True, suppress_progress=True, **options)

            return self._record(run, "provisioning", total)

    def refresh(self) -> Outcome:
        """Makes the state agree with the cluster; clears what a killed run left pending."""
        with self._failing():
            stack = self._stack()

            def run(**options: Any) -> object:
                return stack.refresh(
                    show_secrets=False, clear_pending_creates=True, suppress_outputs=True, **options
                )

            return self._record(run, "comparing the state with the cluster", 0)

    @property
    def failed(self) -> tuple[Change, ...]:
        """The objects that the last run failed on."""
        outcome = self._recorder.outcome()
        urns = {item.urn for item in outcome.diagnostics if item.severity == "error"}
        return tuple(change for change in outcome.changes if change.urn in urns)

    def find_drift(self) -> Outcome:
        """What on the cluster differs from the last run; changes nothing."""
        with self._failing():
            stack = self._stack()

            def run(**options: Any) -> object:
                return stack.preview_refresh(**options)

            return self._record(run, "comparing the state with the cluster", 0, preview=True)

    def destroy(self, *, with_data: bool, total: int = 0) -> Outcome:
        """Deletes what the platform made: without what holds data, or with it."""
        with self._failing():
            stack = self._stack()
            if with_data:
                self._workspace.run("state", "unprotect", "--yes", "--stack", self.target.stack, "--all")

            def run(**options: Any) -> object:
                kept = None if with_data else True
                return stack.destroy(
                    show_secrets=False, exclude_protected=kept, suppress_outputs=True, **options
                )

            return self._record(run, "taking the platform down", total)

    def unprotect(self, objects: Sequence[Managed]) -> None:
        """Allows the next run to delete or replace `objects`, which hold data, and nothing else."""
        with self._failing():
            for item in objects:
                self._workspace.run("state", "unprotect", "--yes", "--stack", self.target.stack, item.urn)

    def remove(self) -> None:
        """Removes the stack itself, its configuration file and its root secret with it."""
        with self._failing():
            self._workspace.remove_stack(self.target.stack)

    def unlock(self) -> None:
        """Removes the lock of a run that was killed."""
        self._mend()
        with self._failing():
            self._workspace.run("cancel", "--yes", "--stack", self.target.stack)

    def outputs(self) -> dict[str, Any]:
        """What the platform tells its users, secrets masked."""
        return dict(self.state.outputs or {}) if self.state.exists else {}

    # How

    def _allow(self, *, take_over: bool, adopt: bool) -> None:
        """Lets the Kubernetes provider of the next run do what it otherwise refuses."""
        allowed = (_TAKE_OVER if take_over else {}) | (_ADOPT if adopt else {})
        self._workspace.env_vars = {**self._workspace.env_vars, **allowed}

    def _stack(self) -> Stack:
        return Stack.select(self.target.stack, self._workspace)

    def _record(self, operation: _Operation, title: str, total: int, *, preview: bool = False) -> Outcome:
        """Runs an operation, shows how it goes, and says what it came to."""
        recorder = self._recorder = Recorder()
        self._previewing = preview
        with self._progress.step(title) as step:

            def on_event(event: EngineEvent) -> None:
                recorder(event)
                _show(step, recorder, total)
                if event.res_op_failed_event:
                    # Others may be awaited for minutes before the run ends and says what went wrong.
                    label = change_of(event.res_op_failed_event.metadata).label
                    self._progress.warn(f"{label} failed; the run says why when what it has begun is over")

            operation(on_event=on_event, color="never", parallel=_PARALLEL)
        return recorder.outcome()

    @contextmanager
    def _failing(self) -> Generator[None]:
        """Turns whatever the engine ends with into one of Ziggurat's errors."""
        try:
            yield
        except CommandError as error:
            raise self._as_error(str(error)) from error
        except InterruptedRunError as error:
            raise InterruptedRunError(
                "stopped on your request; the state is written and its lock given back",
                where=f"stack {self.target.stack}",
                remedy="run the same command again: it goes on from there",
            ) from error
        finally:
            self._workspace.env_vars = dict(
                self.target.variables
            )  # a preview may have used a scratch backend

    def _as_error(self, text: str) -> ZigguratError:
        outcome = self._recorder.outcome()
        names = {change.urn: change.label for change in outcome.changes}
        error = failure(text, outcome.diagnostics, stack=self.target.stack, names=names)
        if isinstance(error, LockedError):
            return locks.locked(locks.in_text(text), self.target.stack)
        if exit_code(text) == _CANCELLED:
            return InterruptedRunError(
                "the engine was stopped by somebody else",
                where=f"stack {self.target.stack}",
                remedy="run the same command again: it goes on from there",
            )
        return self._with_what_was_done(error)

    def _with_what_was_done(self, error: ZigguratError) -> ZigguratError:
        """A run that changed something before it failed says so; its exit code must not claim otherwise."""
        done = [change.label for change in self._recorder.completed() if change.kubernetes]
        if self._previewing or not done:
            return error
        shown = ", ".join(done[:_SHOWN]) + (f" and {len(done) - _SHOWN} more" if len(done) > _SHOWN else "")
        return ZigguratError(
            f"{error.message}\n  done until then: {shown}",
            where=error.where,
            remedy=error.remedy or "run the same command again: it goes on from there",
        )


_SHOWN = 10
"""How many objects a message names before it counts the rest."""

_TAKE_OVER = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""Makes the Kubernetes provider of one run win over other managers of fields."""

_ADOPT = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
"""Makes the Kubernetes provider of one run take in what it finds where it was to make something."""

_CANCELLED = 8
"""Pulumi's exit code for a run that was cancelled."""


def _show(step: Step, recorder: Recorder, total: int) -> None:
    step.detail = recorder.progress(total)


def _document(path: Path) -> dict[str, Any]:
    """A stack's configuration file as data; empty where there is none."""
    if not path.is_file():
        return {}
    return cast("dict[str, Any]", yaml.safe_load(path.read_text()) or {})


def _rotation_setting(rotations: Mapping[str, int] | None) -> dict[str, str]:
    return {} if rotations is None else {ROTATIONS: json.dumps(rotations, sort_keys=True)}


def _configuration(path: Path) -> dict[str, Any]:
    found: Mapping[str, Any] = _document(path).get("config") or {}
    return dict(found)
