"""The operations behind the verbs: what `preview`, `up` and `destroy` do, from opening a stack to the result.

No prompts and no printing here; the verbs of ziggurat/commands/ do that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blueprints import Loaded
from ziggurat.cluster import Cluster
from ziggurat.engine import dropping
from ziggurat.engine.changes import SIGNS, Change, Outcome
from ziggurat.engine.leftovers import Left, await_volumes, what_is_left, with_stuck
from ziggurat.engine.preflight import (
    Checked,
    check,
    connect,
    remove_failed_jobs,
    require_same_cluster,
    require_unlocked,
)
from ziggurat.engine.stack import Engine
from ziggurat.engine.state import Managed, State
from ziggurat.engine.target import Target, resolve
from ziggurat.errors import BlockedError, ZigguratError
from ziggurat.job_logs import last_words
from ziggurat.progress import Progress
from ziggurat.settings import Settings


@dataclass(frozen=True)
class Preview:
    """What `up` would do."""

    target: Target
    phase: str
    outcome: Outcome
    blocked: tuple[Change, ...] = ()
    """Objects that hold data and that the run would delete or replace, without having been named."""
    notes: tuple[str, ...] = ()
    named: tuple[Change, ...] = ()
    """Objects that hold data and that the user named: it goes."""
    capabilities: Mapping[str, str] = field(default_factory=dict[str, str])
    """The capability of each that the blueprint no longer has, by the object's URN."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.outcome.changed)

    def as_json(self) -> dict[str, Any]:
        """The preview for a machine."""
        return {
            **describe(self.target, self.phase),
            "summary": self.outcome.summary(),
            "changes": [change.as_json() for change in self.outcome.changed],
            "drift": [change.as_json() for change in self.outcome.drift],
            "blocked": [change.label for change in self.blocked],
            "dataGoes": [change.label for change in self.named],
            "notes": list(self.notes),
        }

    def text(self, *, diff: bool = False) -> str:
        """The preview for a person: a line for each object that changes, and how many there are."""
        head = f"{self.target.platform} ({self.phase}) on {self.target.description}"
        lines = [head, *(f"  note: {note}" for note in self.notes), ""]
        if self.outcome.drift:
            lines += ["changed outside of Ziggurat since the last run:"]
            lines += [*change_lines(self.outcome.drift, diff=diff), ""]
        lines += change_lines(self.outcome.changed, diff=diff)
        lines += ["", self.verdict()] if self.changed else [self.verdict()]
        return "\n".join(lines)

    def verdict(self) -> str:
        """One line: what would happen, and whether data stands in the way."""
        if not self.changed:
            return f"no change: {self.outcome.summary().get('same', 0)} objects are as the blueprint says"
        text = count_words(self.outcome.summary())
        if self.named:
            text += "\nDATA GOES: " + ", ".join(change.label for change in self.named)
        if self.blocked:
            text += "\nBLOCKED: " + ", ".join(change.label for change in self.blocked) + " would lose data"
        return text


@dataclass(frozen=True)
class Applied:
    """What `up` did."""

    target: Target
    phase: str
    outcome: Outcome
    repaired: tuple[Change, ...] = ()
    """What a refresh found out of line before it."""
    teams: tuple[str, ...] = ()
    unchanged: bool = False
    recorded: tuple[str, ...] = ()
    """Charts that are on record and not installed, with their versions."""
    gone: tuple[Change, ...] = ()
    """Objects that held data and that the user named: it is gone."""

    def as_json(self) -> dict[str, Any]:
        """The result for a machine."""
        return {
            **describe(self.target, self.phase),
            "changed": not self.unchanged,
            "summary": self.outcome.summary(),
            "changes": [change.as_json() for change in self.outcome.changed],
            "drift": [change.as_json() for change in self.repaired],
            "dataGone": [change.label for change in self.gone],
            "chartsNotInstalled": list(self.recorded),
            "outputs": dict(self.outcome.outputs),
            "seconds": self.outcome.seconds,
        }

    def text(self) -> str:
        """The result for a person, and how to go on."""
        where = f"{self.target.platform} ({self.phase}) on {self.target.description}"
        if self.unchanged:
            count = self.outcome.summary().get("same", 0)
            lines = [f"{where}: no change, {count} objects are as the blueprint says"]
        else:
            lines = [f"{where}: {count_words(self.outcome.summary(), done=True)}"]
        if self.gone:
            lines.append(f"data gone: {', '.join(change.label for change in self.gone)}")
        if self.recorded:
            lines.append(
                f"charts that are recorded, not installed (docs/stand-in.md): {', '.join(self.recorded)}"
            )
        platform = self.target.arguments()
        lines.append(f"look at it:  ziggurat status {platform}")
        lines += [f"use it:      ziggurat connect {platform} --team {team}" for team in self.teams[:1]]
        return "\n".join(lines)


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` did."""

    target: Target
    outcome: Outcome
    kept: tuple[Managed, ...] = ()
    """Objects that hold data, which are still there and still the stack's."""
    charts: tuple[str, ...] = ()
    """Charts whose releases are still there, as what is kept is of their kinds: its operators."""
    left: Left = field(default_factory=Left)
    """What is still on the cluster of a platform that was destroyed with its data."""
    with_data: bool = False
    missing: bool = False
    """Whether there was no stack to begin with."""

    def as_json(self) -> dict[str, Any]:
        """The result for a machine."""
        return {
            **describe(self.target),
            "summary": self.outcome.summary(),
            "kept": [item.label for item in self.kept],
            "keptCharts": list(self.charts),
            "left": self.left.labels(),
            "notLookedFor": list(self.left.unseen),
            "stackRemoved": self.with_data and not self.missing,
        }

    def text(self) -> str:
        """The result for a person."""
        where = f"{self.target.platform} on {self.target.description}"
        if self.missing:
            return f"{where}: there is no stack {self.target.stack}, so there is nothing to take down"
        gone = self.outcome.summary().get("delete", 0)
        lines = [f"{where}: {gone} objects deleted"]
        if self.kept:
            holding = [item for item in self.kept if item.protected]
            needed = [item.label for item in self.kept if not item.protected]
            lines.append("kept, with the data they hold:")
            lines += [f"    {item.label}" for item in holding]
            lines += [f"    and what these depend on: {', '.join(needed)}"] if needed else []
            lines += (
                [f"    and the charts that look after them: {', '.join(self.charts)}"] if self.charts else []
            )
            lines.append("`ziggurat up` finds them again; `ziggurat destroy --with-data` deletes them too")
        if self.with_data:
            lines.append(f"the stack {self.target.stack} and its root secret are removed")
            lines += self.left.text()
        return "\n".join(lines)


def recorded_charts(state: State) -> tuple[str, ...]:
    """The charts that a stack has on record only, each with its version."""
    return tuple(sorted({f"{item.chart} {item.version}" for item in state.releases if item.recorded}))


def describe(target: Target, phase: str = "") -> dict[str, Any]:
    """Which platform a result is about, for a machine."""
    shown: dict[str, Any] = {"platform": target.platform}
    if phase:
        shown["phase"] = phase
    shown |= {"stack": target.stack, "context": target.context, "sandbox": target.sandbox}
    return shown | {"simulated": target.sandbox}


_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
}


def count_words(summary: dict[str, int], *, done: bool = False) -> str:
    """`3 to create, 1 to update, 20 unchanged`, or `3 created, …` of what is done."""
    words = {op: word if done or op == "same" else f"to {op}" for op, word in _DONE.items()}
    return (
        ", ".join(f"{count} {words[operation]}" for operation, count in summary.items())
        or "no object changes"
    )


def change_lines(changes: Iterable[Change], *, diff: bool = False) -> list[str]:
    """A line for each change; with `diff` each value too, what it was and what it becomes.

    Components and records are left out unless nothing else changes.
    """
    lines: list[str] = []
    listed = list(changes)
    shown = [change for change in listed if change.kubernetes] or listed
    for change in sorted(shown, key=lambda item: (list(SIGNS).index(item.operation), item.place)):
        paths = ", ".join(edit.path for edit in change.edits) if change.operation != "create" else ""
        data = "holds data" if change.holds_data else ""
        tail = "   ".join(filter(None, (data, "" if diff else paths)))
        line = f"{SIGNS[change.operation]} {change.operation:<8} {change.label}"
        lines.append(f"{line}   {tail}" if tail else line)
        if diff and change.operation != "create":
            lines += [f"      {edit.path}: {_shown(edit.old)} -> {_shown(edit.new)}" for edit in change.edits]
    return lines


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)


@dataclass
class Run:
    """One verb's work on one platform."""

    loaded: Loaded
    engine: Engine
    progress: Progress
    notes: list[str] = field(default_factory=list[str])
    settings: Settings = field(default_factory=Settings.from_environment)

    @property
    def target(self) -> Target:
        """The platform's stack and cluster."""
        return self.engine.target

    @property
    def phase(self) -> str:
        """The blueprint's phase, for headings."""
        return str(self.loaded.blueprint.phase.value)

    def check(self, rotations: Mapping[str, int] | None = None) -> Checked:
        """Everything that is made sure of first; see preflight."""
        return check(self.engine, self.loaded, self.progress, rotations)

    def needs_settling(self, *, moved: bool) -> bool:
        """Whether state and cluster may differ: a run failed or was killed, or the sandbox is a new one."""
        if moved:
            self.notes.append("the sandbox is another one than at the last run: everything is made anew")
            return True
        if self.engine.interrupted:
            self.notes.append("the last run did not finish: state and cluster are compared first")
            return True
        return False

    def settle(self) -> tuple[Change, ...]:
        """Makes the state agree with the cluster; what was different.

        After a failed replacement the engine may otherwise delete what it has just made again under the
        same name.
        """
        outcome = self.engine.refresh()
        self.engine.state = self.engine.read_state()
        return outcome.drift

    def preview(
        self,
        *,
        refresh: bool,
        delete: Sequence[str] = (),
        drop: Sequence[str] = (),
        take_over: bool = False,
        adopt: bool = False,
        rotations: Mapping[str, int] | None = None,
    ) -> Preview:
        """What `up` would do.

        Objects named by `delete` (KIND/NAME) may lose their data, and so may all those of capabilities that
        the blueprint no longer has and `drop` names.
        """
        outcome = self.engine.preview(refresh=refresh, take_over=take_over, adopt=adopt, rotations=rotations)
        losing = [change for change in outcome.of("delete", "replace") if change.holds_data]
        unknown = [name for name in delete if not any(_is_named(change, [name]) for change in losing)]
        if unknown:
            known = ", ".join(f"{change.kind}/{change.name}" for change in losing) or "none"
            raise ZigguratError(
                f"--delete names what this run would not delete: {', '.join(unknown)}",
                remedy=f"objects with data that it would delete: {known}",
            )
        capabilities = dropping.droppable(losing, self.engine.state, self.loaded.blueprint)
        dropped = dropping.dropped(drop, capabilities)
        named = tuple(change for change in losing if change.urn in dropped or _is_named(change, delete))
        blocked = tuple(change for change in losing if change not in named)
        return Preview(
            self.target, self.phase, outcome, blocked, tuple(self.notes), named, capabilities=capabilities
        )

    def up(self, checked: Checked, preview: Preview, *, take_over: bool = False) -> Applied:
        """Carries out a preview; refuses one that would lose data that is not named."""
        require_unblocked(preview)
        teams = tuple(self.loaded.blueprint.teams)
        self.engine.create()
        self.engine.configure(checked.cluster_id)
        self._simulate_pools()
        if not preview.changed:
            recorded = recorded_charts(self.engine.state)
            return Applied(
                self.target, self.phase, preview.outcome, teams=teams, unchanged=True, recorded=recorded
            )
        named = {change.urn for change in preview.named}
        self.engine.unprotect([item for item in self.engine.state.objects if item.urn in named])
        remove_failed_jobs(checked)
        try:
            outcome = self.engine.up(len(preview.outcome.changed), take_over=take_over, adopt=checked.adopt)
        except ZigguratError as error:
            raise with_last_words(error, self.engine.failed, checked.cluster) from error
        recorded = recorded_charts(self.engine.read_state())
        return Applied(self.target, self.phase, outcome, teams=teams, recorded=recorded, gone=preview.named)

    def _simulate_pools(self) -> None:
        """Gives the sandbox nodes for the blueprint's GPU pools; real clusters have their own."""
        pools = self.loaded.blueprint.gpu_pools
        if self.target.sandbox and pools:
            from ziggurat import sandbox

            runtime = sandbox.status(self.settings).runtime
            nodes = sandbox.gpu_nodes(self.loaded.blueprint.name, pools)
            sandbox.up(self.settings, self.progress, runtime=runtime, pools=nodes)

    def prepare_destroy(self) -> Cluster:
        """What is made sure of before anything is taken down."""
        require_unlocked(self.engine, self.progress)
        cluster, cluster_id = connect(self.engine)
        moved = require_same_cluster(self.engine, cluster, cluster_id)
        if self.needs_settling(moved=moved):
            self.settle()
        return cluster

    def destroy(self, cluster: Cluster, *, with_data: bool) -> Destroyed:
        """Takes the platform down, keeping what holds data unless `with_data`."""
        before = self.engine.state
        going = [item for item in before.objects if with_data or not item.protected]
        try:
            outcome = self.engine.destroy(with_data=with_data, total=len(going))
        except ZigguratError as error:
            raise with_stuck(error, cluster, going) from error
        if with_data:
            await_volumes(cluster, before, self.progress)
            left = what_is_left(cluster, before)
            self.engine.remove()
            return Destroyed(self.target, outcome, left=left, with_data=True)
        self.engine.state = self.engine.read_state()
        charts = tuple(sorted({release.chart for release in self.engine.state.releases}))
        return Destroyed(self.target, outcome, kept=self.engine.state.objects, charts=charts)


def open_run(
    loaded: Loaded,
    progress: Progress,
    *,
    stack: str | None = None,
    sandbox: bool = False,
    stand_in: bool = False,
    runs_engine: bool = True,
    settings: Settings | None = None,
) -> Run:
    """Finds the platform's stack and opens it; one that is only read (not `runs_engine`) needs no plugin."""
    settings = settings or Settings.from_environment()
    target = resolve(
        loaded,
        settings,
        progress,
        stack=stack,
        sandbox=sandbox,
        stand_in=stand_in,
        runs_engine=runs_engine,
    )
    return Run(loaded, Engine(target, progress), progress, settings=settings)


def with_last_words(error: ZigguratError, failed: Iterable[Change], cluster: Cluster) -> ZigguratError:
    """The error with the end of the log of each Job that failed in the run, which says why."""
    lines: list[str] = []
    for change in failed:
        said = last_words(cluster, change.namespace, change.name) if change.kind == "Job" else ""
        if said:
            lines += [f"  last words of {change.label}:", *(f"    {line}" for line in said.splitlines())]
            lines.append(
                f"  all of it: kubectl logs -n {change.namespace} job/{change.name} --all-containers"
            )
    if not lines:
        return error
    return type(error)("\n".join([error.message, *lines]), where=error.where, remedy=error.remedy)


def require_unblocked(preview: Preview) -> None:
    """BlockedError if the run would delete or replace objects with data that the user did not name."""
    if not preview.blocked:
        return
    labels = ", ".join(change.label for change in preview.blocked)
    flags = " ".join(dict.fromkeys(_flag(change, preview.capabilities) for change in preview.blocked))
    raise BlockedError(
        f"the run would lose data: {labels}",
        where=f"stack {preview.target.stack}",
        remedy=f"put the blueprint back so that it stays; or, if its data may go: ziggurat up {flags}",
    )


def _flag(change: Change, capabilities: Mapping[str, str]) -> str:
    """What lets the data of an object go: its capability's name, or its own."""
    capability = capabilities.get(change.urn)
    return f"--drop-data {capability}" if capability else f"--delete {change.kind}/{change.name}"


def _is_named(change: Change, names: Sequence[str]) -> bool:
    """Whether one of `names` (KIND/NAME, any case of the kind) is this object."""
    return any(name.lower() == f"{change.kind}/{change.name}".lower() for name in names)
