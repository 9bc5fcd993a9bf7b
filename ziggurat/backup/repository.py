"""The backups of a platform: making one, listing them, and checking every byte of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ziggurat import jobs
from ziggurat.cluster import Cluster, Object
from ziggurat.errors import ZigguratError
from ziggurat.progress import Progress

_MEANINGS: Mapping[int, tuple[str, str]] = {
    10: ("there is no repository yet", "make a backup: ziggurat backup now"),
    11: ("the repository is locked by another backup or check", "try again when that is done"),
    12: (
        "the password is not the repository's: it is another platform's, or the root secret is another one",
        "give its own by --password-file: what `ziggurat backup password` printed there",
    ),
    65: ("there is no such backup of this platform", "ziggurat backup list says which there are"),
}
"""What restic's exit codes, and ours, say: https://restic.readthedocs.io, "Exit codes"."""

_PIPELINES = "/scratch/pipelines"
"""Where the Job has what is of pipelines; restic lists the paths of each snapshot."""


@dataclass(frozen=True)
class Snapshot:
    """One backup."""

    id: str
    """restic's short id."""
    time: datetime
    kind: str
    """`scheduled`, `manual` or `before-restore`."""
    size: int
    """Bytes of database dumps and artifacts together."""
    files: int
    pipelines: bool = False
    """Whether it has the databases and artifacts of pipelines, too."""

    def as_json(self) -> dict[str, Any]:
        """The backup for a machine."""
        return {
            "id": self.id,
            "time": self.time.isoformat(),
            "kind": self.kind,
            "bytes": self.size,
            "files": self.files,
            "pipelines": self.pipelines,
        }

    def line(self) -> str:
        """The backup for a person."""
        when = self.time.strftime("%Y-%m-%d %H:%M:%S UTC")
        more = ", with pipelines" if self.pipelines else ""
        return f"{self.id}  {when}  {self.kind:<14}  {_amount(self.size):>10}  {self.files} files{more}"


@dataclass(frozen=True)
class Backups:
    """The backups of one platform, as its cluster reaches them."""

    cluster: Cluster
    namespace: str
    progress: Progress
    seconds: float

    def make(self, kind: str = "manual") -> Snapshot:
        """Makes one now. ZigguratError says which step failed, and why."""
        job = jobs.from_cron_job(self.template("backup"), kind)
        self.run(jobs.set_environment(job, {"TAG": kind}), "backing up")
        return self.list()[-1]

    def list(self) -> tuple[Snapshot, ...]:
        """Those that there are, oldest first."""
        text = self.run(self.on_repository("list"), "reading the repository")
        return _snapshots(text)

    def verify(self) -> None:
        """Reads and checks every byte of every backup; ZigguratError if one is damaged."""
        self.run(self.on_repository("verify"), "reading and checking every backup")

    def password(self) -> str:
        """What the backups are encrypted with."""
        found = self.cluster.find("v1", "Secret", self.namespace, "backup-repository")
        self.template("backup")
        if found is None:
            raise ZigguratError(
                "the password of the backups is not there",
                where=f"Secret {self.namespace}/backup-repository",
                remedy="ziggurat up --refresh makes what is missing",
            )
        return base64.b64decode(found["data"]["password"]).decode()

    def on_repository(self, verb: str) -> Object:
        """A Job that does one thing to the repository and touches nothing else."""
        return jobs.only(jobs.from_cron_job(self.template("restore"), verb), "fetch", verb)

    def template(self, name: str) -> Object:
        """One of the platform's CronJobs."""
        found = self.cluster.find("batch/v1", "CronJob", self.namespace, name)
        if found is None:
            raise ZigguratError(
                "the platform has no backups",
                where=f"CronJob {self.namespace}/{name} is not there",
                remedy="add `backup: {}` to the blueprint, then ziggurat up",
            )
        return found

    def has_pipelines(self) -> bool:
        """Whether the platform has pipelines, which its backups cover."""
        pod = self.template("restore")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        return any(each["name"] == "pipelines-database" for each in pod["initContainers"])

    def run(self, job: Object, title: str, container: str = "") -> str:
        """Runs a Job: the log of its last container, or of the one that is named; what its failure means, as
        a ZigguratError."""
        seconds = self.seconds
        try:
            return jobs.run(self.cluster, job, title, self.progress, seconds=seconds, container=container)
        except jobs.Failure as failure:
            raise explain(title, failure) from None


def explain(title: str, failure: jobs.Failure) -> ZigguratError:
    """What a failed Job means for the user."""
    meaning, remedy = "", "see its log; it is kept for a day"
    if failure.container in ("fetch", "save"):
        meaning, remedy = _MEANINGS.get(failure.exit_code or 0, (meaning, remedy))
    said = meaning or failure.said
    step = f", step {failure.container}" if failure.container else ""
    return ZigguratError(f"{title} failed: {said}", where=f"Job {failure.job}{step}", remedy=remedy)


def _snapshots(text: str) -> tuple[Snapshot, ...]:
    """What restic listed, oldest first; ZigguratError if that is no list of snapshots."""
    try:
        return tuple(sorted(map(_snapshot, json.loads(text) or ()), key=lambda each: each.time))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ZigguratError(
            f"the list of backups cannot be read: {text.strip()[:200] or 'it is empty'}",
            remedy="run the same command again",
        ) from error


def _snapshot(item: Mapping[str, Any]) -> Snapshot:
    summary: Mapping[str, Any] = item.get("summary") or {}
    return Snapshot(
        str(item["short_id"]),
        datetime.fromisoformat(str(item["time"])).astimezone(UTC),
        ", ".join(item.get("tags") or ()),
        int(summary.get("total_bytes_processed", 0)),
        int(summary.get("total_files_processed", 0)),
        _PIPELINES in (item.get("paths") or ()),
    )


def _amount(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
