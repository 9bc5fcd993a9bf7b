"""What a run of the engine does to each object: its stream of events reduced to one line for each object.

Pure: everything here is a function of the events (`pulumi.automation.events`), so that recorded streams
test it. Secrets arrive masked; the engine never puts one into an event unless it is asked to.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

OPERATIONS: dict[str, str] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "discard-replaced": "replace",
    "delete": "delete",
    "discard": "delete",
    "read": "same",
    "read-replacement": "same",
    "remove-pending-replace": "same",
    "refresh": "same",
    "same": "same",
}
"""The engine's kinds of step, as the five things that can happen to an object."""

SIGNS: dict[str, str] = {"create": "+", "update": "~", "replace": "±", "delete": "-", "same": " "}
"""How each is marked in a listing."""

RELEASE = "kubernetes:helm.sh/v3:Release"
"""The type of a chart's release."""

_WEIGHT = {"same": 0, "update": 1, "create": 2, "delete": 3, "replace": 4}
"""Which of several steps for one object names what happens to it."""

_SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key that marks a secret, not one
_MASK = "[secret]"
_INTERNAL = ("pulumi:pulumi:Stack", "pulumi:providers:")
_LOG_LEVELS = ("debug", "info")


@dataclass(frozen=True)
class Edit:
    """One value that changes: where it is, what it was, what it becomes."""

    path: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class Change:
    """What happens to one object."""

    operation: str
    """`create`, `update`, `replace`, `delete` or `same`."""
    urn: str
    type: str
    """Pulumi's type token."""
    kind: str
    """The Kubernetes kind, or the last part of the type token."""
    name: str
    """The object's own name; the logical one for what is no Kubernetes object."""
    namespace: str = ""
    holds_data: bool = False
    """Whether it is protected because it holds data."""
    edits: tuple[Edit, ...] = ()

    @property
    def kubernetes(self) -> bool:
        """Whether it is a Kubernetes object, and not one of Ziggurat's components or records."""
        return self.type.startswith("kubernetes:")

    @property
    def place(self) -> tuple[str, str, str]:
        """Where it stands in a listing: a namespace comes just before what is in it."""
        space = self.name if self.kind == "Namespace" else self.namespace
        return (space, "" if self.kind == "Namespace" else self.kind, self.name)

    @property
    def label(self) -> str:
        """How the object is called in a listing: `Deployment acme-ml/mlflow`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def as_json(self) -> dict[str, Any]:
        """The change for a machine."""
        return {
            "operation": self.operation,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "urn": self.urn,
            "holdsData": self.holds_data,
            "paths": [edit.path for edit in self.edits],
        }


@dataclass(frozen=True)
class Diagnostic:
    """Something that the engine, the provider or the program said."""

    severity: str
    """`error`, `warning` or `info#err` (what a program wrote to standard error)."""
    message: str
    urn: str = ""


@dataclass(frozen=True)
class Outcome:
    """What one run of the engine did, or would do."""

    changes: tuple[Change, ...] = ()
    """One for each object that the run looked at, in the order it came to them."""
    drift: tuple[Change, ...] = ()
    """What a refresh found to be different from the last run."""
    failed: tuple[str, ...] = ()
    """Labels of objects whose step failed."""
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The stack's outputs, secrets masked."""
    seconds: int = 0

    def of(self, *operations: str) -> tuple[Change, ...]:
        """The changes that are one of `operations`."""
        return tuple(change for change in self.changes if change.operation in operations)

    @property
    def changed(self) -> tuple[Change, ...]:
        """Every change that is one."""
        return tuple(change for change in self.changes if change.operation != "same")

    def summary(self) -> dict[str, int]:
        """How many Kubernetes objects of each operation, in the order of SIGNS; zeroes left out."""
        counts = Counter(change.operation for change in self.changes if change.kubernetes)
        return {operation: counts[operation] for operation in SIGNS if counts[operation]}


class Recorder:
    """Takes in the events of one run as they come; `outcome()` is what they add up to so far."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}
        self._drift: dict[str, Change] = {}
        self._refreshing: set[str] = set()
        self._running: dict[str, float] = {}
        self._status: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._diagnostics: list[Diagnostic] = []
        self._outputs: dict[str, Any] = {}
        self._done: dict[str, str] = {}
        self._seconds = 0

    def __call__(self, event: EngineEvent) -> None:
        """Takes in one event."""
        if event.resource_pre_event:
            self._begin(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._end(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            self._fail(event.res_op_failed_event.metadata)
        elif event.diagnostic_event:
            self._say(event.diagnostic_event)
        elif event.summary_event:
            self._seconds = event.summary_event.duration_seconds

    def _begin(self, step: StepEventMetadata) -> None:
        self._running[step.urn] = time.monotonic()
        if _value(step.op) == "refresh":
            self._refreshing.add(step.urn)
            return
        self._note(self._changes, step)

    def _end(self, step: StepEventMetadata) -> None:
        self._running.pop(step.urn, None)
        self._status.pop(step.urn, None)
        if step.urn in self._refreshing:
            self._refreshing.discard(step.urn)
            self._note(self._drift, step)
            return
        if step.type == "pulumi:pulumi:Stack" and step.new is not None:
            self._outputs = mask(dict(step.new.outputs or {}))
        self._note(self._changes, step)
        operation = OPERATIONS.get(_value(step.op), "update")
        if operation != "same" and step.urn in self._changes:
            self._done[step.urn] = operation

    def _fail(self, step: StepEventMetadata) -> None:
        self._running.pop(step.urn, None)
        self._failed[step.urn] = change_of(step).label

    def _note(self, into: dict[str, Change], step: StepEventMetadata) -> None:
        if step.type.startswith(_INTERNAL):
            return
        change = change_of(step)
        known = into.get(step.urn)
        if known is None or _WEIGHT[change.operation] >= _WEIGHT[known.operation]:
            into[step.urn] = change

    def _say(self, event: DiagnosticEvent) -> None:
        if event.ephemeral or event.severity in _LOG_LEVELS:
            if event.urn and event.severity != "debug":
                self._status[event.urn] = event.message.strip()
            return
        if event.message.strip():
            self._diagnostics.append(Diagnostic(event.severity, event.message.rstrip("\n"), event.urn or ""))

    def outcome(self) -> Outcome:
        """What the events came to."""
        return Outcome(
            tuple(self._changes.values()),
            tuple(change for change in self._drift.values() if change.operation != "same"),
            tuple(self._failed.values()),
            tuple(_joined(self._diagnostics)),
            self._outputs,
            self._seconds,
        )

    def completed(self) -> tuple[Change, ...]:
        """The changes that were carried out, where the run itself failed."""
        return tuple(self._changes[urn] for urn in self._done)

    def progress(self, total: int) -> str:
        """One line on how far the run is: how many of `total` steps, and what has been awaited longest."""
        done = f"{min(len(self._done), total)} of {total}" if total else ""
        waiting = [(since, urn) for urn, since in list(self._running.items()) if urn in self._changes]
        objects = [(since, urn) for since, urn in sorted(waiting) if self._changes[urn].kubernetes]
        if not objects:
            return done
        urn = objects[0][1]
        message = self._status.get(urn, "")
        awaited = f"waiting for {self._changes[urn].label}{f': {message}' if message else ''}"
        more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
        return ", ".join(filter(None, (done, awaited + more)))


def change_of(step: StepEventMetadata) -> Change:
    """What a step does, as a Change."""
    state = step.new or step.old
    inputs: Mapping[str, Any] = (state.inputs if state else None) or {}
    # A chart's release has its name and namespace at the top.
    metadata = as_mapping(inputs if step.type == RELEASE else inputs.get("metadata"))
    protected = any(getattr(side, "protect", False) for side in (step.old, step.new) if side)
    return Change(
        operation=OPERATIONS.get(_value(step.op), "update"),
        urn=step.urn,
        type=step.type,
        kind=step.type.rsplit(":", 1)[-1],
        name=str(metadata.get("name") or step.urn.rsplit("::", 1)[-1]),
        namespace=str(metadata.get("namespace") or ""),
        holds_data=protected,
        edits=tuple(_edits(step)),
    )


def _edits(step: StepEventMetadata) -> Iterable[Edit]:
    """The values that differ, from the provider's detailed diff; else the top-level keys it names."""
    old = mask(step.old.inputs if step.old else {})
    new = mask(step.new.inputs if step.new else {})
    paths = list(step.detailed_diff or ()) or list(step.diffs or ())
    for path in sorted(paths):
        yield Edit(path, at(old, path), at(new, path))


_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)')


def at(value: Any, path: str) -> Any:
    """The value at a property path such as `spec.containers[0]["a.b"]`; None where there is none."""
    found: Any = value
    for quoted, index, plain in _STEP.findall(path):
        if isinstance(found, Mapping):
            found = cast("Mapping[str, Any]", found).get(quoted or plain)
        elif isinstance(found, list) and index and int(index) < len(cast("list[Any]", found)):
            found = cast("list[Any]", found)[int(index)]
        else:
            return None
    return found


def mask(value: Any) -> Any:
    """`value` with every secret of the engine's wire form replaced by a mark."""
    if isinstance(value, Mapping):
        shown = cast("Mapping[str, Any]", value)
        return _MASK if _SECRET_SIGNATURE in shown else {key: mask(item) for key, item in shown.items()}
    if isinstance(value, list):
        return [mask(item) for item in cast("list[Any]", value)]
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping; else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _value(operation: Any) -> str:
    """The text of an OpType, which the Automation API leaves as plain text where it does not know it."""
    return str(getattr(operation, "value", operation))


def _joined(diagnostics: Iterable[Diagnostic]) -> Iterable[Diagnostic]:
    """The diagnostics, a program's lines on standard error put together again, repetitions left out."""
    seen: set[Diagnostic] = set()
    lines: list[str] = []
    for diagnostic in diagnostics:
        if diagnostic.severity == "info#err":
            lines.append(diagnostic.message)
            continue
        if diagnostic not in seen:
            seen.add(diagnostic)
            yield diagnostic
    if lines:
        yield Diagnostic("info#err", "\n".join(line for line in lines if line.strip()))
