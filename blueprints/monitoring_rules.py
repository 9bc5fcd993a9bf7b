"""Rules on monitoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.monitoring import Monitoring
from blueprints.names import MONITORING

_EMBEDDED = ("retention", "storage", "storage_class", "host", "alerts")
"""What says something of a Prometheus or Grafana that the platform runs."""


def controller(blueprint: Blueprint) -> Iterator[Finding]:
    """What is said of Prometheus fits who runs it."""
    monitoring = blueprint.monitoring
    if monitoring is None:
        return
    if monitoring.controller == "embedded":
        if monitoring.existing:
            yield Finding(
                ("monitoring", "existing"),
                "describes a Prometheus that is not used",
                rule="it goes with `controller: existing`",
                remedy="take it out, or write `controller: existing`",
            )
        return
    if monitoring.existing is None:
        yield Finding(
            ("monitoring", "existing"),
            "is missing",
            rule="with `controller: existing` the platform has to let that Prometheus in",
            remedy="add `existing: {namespace: NAMESPACE}`, where its pods run",
        )
    given = monitoring.model_fields_set
    for name in (name for name in _EMBEDDED if name in given):
        key = Monitoring.model_fields[name].alias or name
        yield Finding(
            ("monitoring", key),
            "has no effect",
            rule="with `controller: existing` Prometheus, Grafana and Alertmanager are not the platform's",
            remedy="take it out; set it where they are installed",
        )


def receiver(blueprint: Blueprint) -> Iterator[Finding]:
    """A channel is Slack's."""
    alerts = blueprint.monitoring.alerts if blueprint.monitoring else None
    if alerts is None or alerts.receiver == "slack" or alerts.channel is None:
        return
    yield Finding(
        ("monitoring", "alerts", "channel"),
        "is Slack's",
        alerts.channel,
        "a `webhook` is posted to its URL and to nothing else",
        "take it out, or write `receiver: slack`",
    )


def team_name(blueprint: Blueprint) -> Iterator[Finding]:
    """No team is called like the namespace of monitoring."""
    monitoring = blueprint.monitoring
    if monitoring and monitoring.controller == "embedded" and MONITORING in blueprint.teams:
        yield Finding(
            ("teams", MONITORING),
            "is reserved where the platform runs monitoring",
            MONITORING,
            f"the namespace {blueprint.name}-{MONITORING} is for that",
            "choose another name",
        )


MONITORING_RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    controller,
    receiver,
    team_name,
)
