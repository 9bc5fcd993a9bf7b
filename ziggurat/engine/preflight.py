"""What is made sure of before the engine touches anything: every check, in the order of what it costs.

The change is legal, the root secret is there, nobody else is at work, the cluster answers, knows us and is
the one meant, every object fits the schemas of the cluster's own Kubernetes version, and the account may
make them. Each failure is an error of its own kind, and nothing has been changed when it is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blueprints import Loaded
from ziggurat.cluster import Access, Cluster, plural
from ziggurat.engine import locks
from ziggurat.engine.changes import as_mapping
from ziggurat.engine.stack import CLUSTER_ID, ROTATIONS, Engine
from ziggurat.errors import BlockedError, ClusterError, InvalidBlueprintError, SecretsError
from ziggurat.progress import Progress

if TYPE_CHECKING:
    from ziggurat.plan import Plan, PlannedObject


@dataclass(frozen=True)
class Checked:
    """What the checks learnt."""

    cluster: Cluster
    cluster_id: str
    plan: Plan
    moved: bool = False
    """The sandbox is another one than at the last run: what the state says of it is out of date."""
    left: tuple[Mapping[str, Any], ...] = ()
    """Objects that a run that was cut off has made, and that the state does not know."""

    @property
    def adopt(self) -> bool:
        """Whether this run takes in what is left of another."""
        return bool(self.left)


def check(
    engine: Engine, loaded: Loaded, progress: Progress, rotations: Mapping[str, int] | None = None
) -> Checked:
    """Raises the first thing that stands in the way of an `up`; what was learnt if nothing does.

    `rotations` are the rotation numbers that the `up` is to have, if not the configuration's.
    """
    from ziggurat.plan import plan

    with progress.step("checking"):
        require_legal(engine, loaded)
        engine.require_root_secret()
        require_rotations(engine)
        require_unlocked(engine, progress)
        cluster, cluster_id = connect(engine)
        moved = require_same_cluster(engine, cluster, cluster_id)
        planned = plan(loaded, rotations=engine.rotations if rotations is None else rotations)
        require_schemas(planned, cluster)
        require_rights(planned, cluster)
        left = require_no_strangers(engine, planned, cluster)
    return Checked(cluster, cluster_id, planned, moved, left)


def require_legal(engine: Engine, loaded: Loaded) -> None:
    """BlockedError if the blueprint last applied may not become this one."""
    from blueprints.changes import illegal_changes

    if engine.state.blueprint is None or engine.state.empty:
        return
    problems = illegal_changes(engine.state.blueprint, loaded.blueprint)
    if problems:
        moves = [problem.remedy for problem in problems if problem.remedy]
        raise BlockedError(
            "the running platform may not be changed so:\n"
            + "\n".join(f"    {problem}" for problem in problems),
            where=str(loaded.path),
            remedy="; ".join(["put these values back", *dict.fromkeys(moves)]),
        )


def require_rotations(engine: Engine) -> None:
    """SecretsError if the configuration is older than the platform, which has been rotated since.

    With lower numbers a run would put passwords back that the database no longer takes.
    """
    have = engine.rotations
    behind = sorted(label for label, number in engine.state.rotations.items() if have.get(label, 0) < number)
    if behind:
        raise SecretsError(
            f"the platform's credentials have been rotated, and this configuration does not know: "
            f"{', '.join(behind)}",
            where=f"{ROTATIONS} in {engine.target.config}",
            remedy="take the newest version of that file (it belongs into version control)",
        )


def require_unlocked(engine: Engine, progress: Progress) -> None:
    """LockedError if another run is at work; the lock of a run that was killed on this machine is removed."""
    found = engine.locks()
    if not found:
        return
    if not all(lock.stale for lock in found):
        raise locks.locked(found, engine.target.stack)
    progress.warn(f"removing the lock of a run that was killed ({found[0]})")
    engine.unlock()


def connect(engine: Engine) -> tuple[Cluster, str]:
    """The target's cluster and its identity; ClusterError if it does not answer or refuses us."""
    cluster = Cluster(engine.target.kubeconfig, engine.target.context)
    return cluster, cluster.identity()


def require_same_cluster(engine: Engine, cluster: Cluster, cluster_id: str) -> bool:
    """ClusterError if the platform runs on another cluster; True if it is a sandbox that was made anew."""
    known = engine.configuration().get(CLUSTER_ID)
    if known in (None, cluster_id) or engine.state.empty:
        return False
    if engine.target.sandbox:
        return True
    raise ClusterError(
        f"the context {engine.target.context} leads to another cluster than the one this platform runs on",
        where=f"{cluster.server}: kube-system has the uid {cluster_id}, the platform's cluster has {known}",
        remedy="name the right context in `cluster.context`; if the old cluster is gone for good, remove the "
        f"stack (pulumi stack rm --force {engine.target.stack}) and run `ziggurat up` again",
    )


def require_schemas(planned: Plan, cluster: Cluster) -> None:
    """InvalidBlueprintError if an object does not fit the cluster's own version of Kubernetes.

    The API server cannot tell before a first `up`: its dry run ends at the namespace that is not there.
    """
    from ziggurat.plan import check_schemas

    version = cluster.version()
    problems = check_schemas([item.manifest for item in planned.objects if not item.is_release], version)
    if problems:
        raise InvalidBlueprintError(
            f"objects do not fit Kubernetes {version}:\n"
            + "\n".join(f"    {problem}" for problem in problems),
            where=cluster.server,
            remedy="check that the cluster's version is supported (docs/operations.md); if so, report a bug",
        )


def require_no_strangers(engine: Engine, planned: Plan, cluster: Cluster) -> tuple[Mapping[str, Any], ...]:
    """BlockedError if objects are in the way; those that a run of ours that was cut off left.

    When the answer to a request is lost, the object is there and the state does not know it. Only objects
    that carry the platform's labels, and only after a run that did not finish, are taken for those.
    """
    known = {(item.api_version, item.kind, item.namespace, item.name) for item in engine.state.objects}
    objects = (item for item in planned.objects if not item.is_release)
    missing = [item for item in objects if _key(item) not in known]
    found = list(_existing(missing, cluster))
    ours = [is_ours(live, item.manifest) for item, live in found]
    strangers = [
        item.label for (item, _), our in zip(found, ours, strict=True) if not (our and engine.interrupted)
    ]
    if not strangers:
        return (*(live for _, live in found), *_left_jobs(engine, missing, cluster, known))
    known_to_us = all(ours)
    raise BlockedError(
        f"{', '.join(strangers[:_SHOWN])}{_more(strangers)} exists already, and this stack did not make it",
        where=f"{cluster.server}; stack {engine.target.stack}",
        remedy=_OTHER_STACK if known_to_us else _STRANGERS,
    )


def _left_jobs(
    engine: Engine, missing: Iterable[PlannedObject], cluster: Cluster, known: Set[tuple[str, str, str, str]]
) -> Iterable[Mapping[str, Any]]:
    """Jobs of ours that a run that was cut off left under names that are not the plan's.

    The name of a Job ends with a hash of what it reads, fingerprints of credentials included, and those of
    the plan are not the stack's: so it is told by the rest of its name, and by the platform's labels.
    """
    for item in (each for each in missing if each.kind == "Job"):
        stem = item.object_name.rpartition("-")[0]
        for live in cluster.objects(item.api_version, item.kind, item.namespace or ""):
            name = str(live["metadata"]["name"])
            key = (item.api_version, item.kind, item.namespace or "", name)
            same = re.fullmatch(rf"{re.escape(stem)}-[0-9a-f]{{10}}", name) and name != item.object_name
            if same and key not in known and is_ours(live, item.manifest) and engine.interrupted:
                yield {"apiVersion": item.api_version, "kind": item.kind, **live}


_OTHER_STACK = (
    "a platform of this name has another stack, or had one that is lost: name that one (--stack), or see "
    "docs/operations.md on objects that exist already"
)
_STRANGERS = "delete it if nobody needs it, import it (docs/operations.md), or give the platform another name"
_SHOWN = 5
"""How many objects a message names before it counts the rest."""


def _more(labels: list[str]) -> str:
    return f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""


def _key(item: PlannedObject) -> tuple[str, str, str, str]:
    return (item.api_version, item.kind, item.namespace or "", item.object_name)


def _existing(
    objects: Iterable[PlannedObject], cluster: Cluster
) -> Iterable[tuple[PlannedObject, Mapping[str, Any]]]:
    """Those of `objects` that are on the cluster, as planned and as they are."""
    spaces: dict[str, bool] = {"": True}
    for item in objects:
        space = item.namespace or ""
        if space not in spaces:
            spaces[space] = cluster.find("v1", "Namespace", "", space) is not None
        live = cluster.find(*_key(item)) if spaces[space] else None
        if live is not None:
            yield item, live


def remove_failed_jobs(checked: Checked) -> tuple[str, ...]:
    """Deletes those Jobs that a run left which have failed, for this one to make them anew; their names.

    The state knows nothing of them, so no comparison replaces them (`pulumi.com/replaceUnready`); and one
    that was taken in would be awaited, and fail this run for what the last one met.
    """
    failed = [live["metadata"] for live in checked.left if live.get("kind") == "Job" and _has_failed(live)]
    for job in failed:
        checked.cluster.delete("batch/v1", "Job", job["namespace"], job["name"])
    return tuple(job["name"] for job in failed)


def _has_failed(job: Mapping[str, Any]) -> bool:
    conditions = as_mapping(job.get("status")).get("conditions") or ()
    return any(each.get("type") in _ENDS_BADLY and each.get("status") == "True" for each in conditions)


_ENDS_BADLY = ("FailureTarget", "Failed")
"""Conditions of a Job that has failed, or will when its last pods are gone."""


def is_ours(live: Mapping[str, Any], planned: Mapping[str, Any]) -> bool:
    """Whether a live object was made for this platform, by the labels that every object of one carries."""
    labels, wanted = (as_mapping(as_mapping(item.get("metadata")).get("labels")) for item in (live, planned))
    marks = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
    return all(wanted.get(mark) and labels.get(mark) == wanted[mark] for mark in marks)


def wanted_rights(planned: Plan) -> tuple[Access, ...]:
    """What the account must be allowed to do: make and change each kind of object, where it is first made."""
    places: dict[tuple[str, str], str] = {}
    for item in (each for each in planned.objects if not each.is_release):
        group = item.api_version.rpartition("/")[0]
        places.setdefault((group, plural(item.kind)), item.namespace or "")
    return tuple(
        Access(verb, resource, group, namespace)
        for (group, resource), namespace in places.items()
        for verb in ("get", "create", "patch")
    )


def require_rights(planned: Plan, cluster: Cluster) -> None:
    """ClusterError that lists every right that is missing."""
    missing = cluster.forbidden(wanted_rights(planned))
    if missing:
        account = cluster.user() or "this account"
        raise ClusterError(
            f"{account} may not do all that the platform needs; missing: " + ", ".join(map(str, missing)),
            where=cluster.server,
            remedy="give it these rights (docs/operations.md lists all), or use another kubeconfig context",
        )
