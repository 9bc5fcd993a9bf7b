"""How the controls of service are judged: outages are noticed, data survives, ways are encrypted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ziggurat.evidence.facts import Facts, Live
from ziggurat.evidence.report import Outcome

Verdict = tuple[Outcome, str]
_BUDGET = "TrackingErrorBudget"


def _condition(each: Live, kind: str) -> bool | None:
    """Whether a condition holds; None where nobody has said."""
    conditions: Sequence[Mapping[str, Any]] = each.at("status", "conditions") or ()
    said = [condition["status"] == "True" for condition in conditions if condition["type"] == kind]
    return said[0] if said else None


def is_true(each: Live, kind: str) -> bool:
    """Whether a condition of its status holds."""
    return _condition(each, kind) is True


def alerts(facts: Facts, objects: Sequence[Live]) -> Verdict:
    """The rules alert on the objective. That somebody is told is another matter, and is said."""
    groups: list[Mapping[str, Any]] = [group for each in objects for group in each.at("spec", "groups") or ()]
    named = [str(rule["alert"]) for group in groups for rule in group["rules"] if "alert" in rule]
    burns = named.count(_BUDGET)
    if burns < 2:
        return Outcome.FAILS, "no alerts on the objective of the tracking server over several windows"
    del facts
    return (
        Outcome.HOLDS,
        f"{len(named)} alerts, {burns} of them on the objective; that somebody is told was not tried",
    )


def database(facts: Facts, objects: Sequence[Live]) -> Verdict:
    """More than one server of the cluster is ready."""
    del facts
    cluster = objects[0]
    wanted, ready = cluster.at("spec", "instances"), cluster.at("status", "readyInstances")
    if ready is None:
        return Outcome.UNKNOWN, "CloudNativePG has not said how many servers are ready"
    if ready < 2:
        return Outcome.FAILS, f"{ready} of {wanted} servers are ready: there is none to take over"
    return Outcome.HOLDS, f"{ready} of {wanted} servers are ready"


def archive_objects(facts: Facts) -> list[Live]:
    """The cluster, where it writes to and its schedule; nothing where there is no schedule."""
    scheduled = facts.live("ScheduledBackup", "postgresql-archive")
    if not scheduled:
        return []
    return [
        *facts.live("Cluster", "postgresql"),
        *facts.live("ObjectStore", "postgresql-archive"),
        *scheduled,
    ]


def archive(facts: Facts, objects: Sequence[Live]) -> Verdict:
    """The log of changes gets into the archive, and there is a base backup that it goes on from."""
    del facts
    cluster, store, scheduled = objects
    if scheduled.at("spec", "suspend"):
        return Outcome.FAILS, "the schedule of base backups is suspended"
    archiving = _condition(cluster, "ContinuousArchiving")
    if archiving is False:
        return Outcome.FAILS, "what changes does not get into the archive"
    plugins: Sequence[Mapping[str, Any]] = cluster.at("spec", "plugins") or ()
    folders = [str(each["parameters"]["serverName"]) for each in plugins if each.get("isWALArchiver")]
    if not folders:
        return Outcome.FAILS, "the cluster writes no archive"
    first = store.at("status", "serverRecoveryWindow", folders[0], "firstRecoverabilityPoint")
    if archiving is None or not first:
        return Outcome.UNKNOWN, "no base backup is known to be in the archive yet"
    return Outcome.HOLDS, f"every moment since {first}; that one was recovered was not tried"


def encryption(facts: Facts, objects: Sequence[Live]) -> Verdict:
    """The gateway takes HTTPS, with certificates that are valid."""
    del facts
    gateways = [each for each in objects if each.managed.kind == "Gateway"]
    plain = [
        each.label
        for each in gateways
        if not any(listener.get("protocol") == "HTTPS" for listener in each.at("spec", "listeners") or ())
    ]
    if plain:
        return Outcome.FAILS, f"takes plain HTTP alone: {', '.join(plain)}"
    certificates = {
        each.label: _condition(each, "Ready") for each in objects if each.managed.kind == "Certificate"
    }
    wrong = [label for label, ready in certificates.items() if ready is False]
    if wrong:
        return Outcome.FAILS, f"not ready: {', '.join(wrong)}"
    if unknown := [label for label, ready in certificates.items() if ready is None]:
        return Outcome.UNKNOWN, f"cert-manager has not said whether they are ready: {', '.join(unknown)}"
    valid = f"{len(certificates)} certificates are ready" if certificates else "its certificates are brought"
    return Outcome.HOLDS, f"HTTPS; {valid}"
