"""Monitoring: metrics, alerts and dashboards."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import GROW_ONLY, IMMUTABLE, Part
from blueprints.model.scalars import HostName, ObjectName, Port, Storage, text

Duration = Annotated[str, text("^[1-9][0-9]*[hdwy]$", "a number of hours, days, weeks or years, such as 15d")]


class ReceiverSecret(Part):
    """A Secret that exists already, in the namespace `<name>-monitoring`, with the receiver's URL."""

    secret_name: ObjectName
    """The Secret's name."""
    key: str = Field(default="url", min_length=1)
    """The key whose value is the URL."""


class Alerts(Part):
    """Who is told of alerts."""

    receiver: Literal["slack", "webhook"]
    """`slack`, an incoming webhook of Slack; `webhook`, Alertmanager's own JSON, posted."""
    secret: ReceiverSecret
    """Where the URL is: it lets whoever has it write."""
    channel: str | None = Field(default=None, min_length=1)
    """The Slack channel, such as `#ml-platform`; a `webhook` has none."""
    port: Port = 443
    """The port of the URL: NetworkPolicies open no other."""


class ExistingPrometheus(Part):
    """The Prometheus that the cluster has already, made by the Prometheus operator."""

    namespace: ObjectName
    """Where its pods run: they are let in to what is measured."""
    labels: dict[str, str] = Field(default_factory=dict[str, str])
    """The labels that it looks for on monitors and rules, such as `release: kube-prometheus-stack`."""


class Monitoring(Part):
    """Metrics of the platform's own parts, alerts on a 99.9 % objective, dashboards."""

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs Prometheus: `embedded`, the platform; `existing`, the cluster has it already."""
    existing: ExistingPrometheus | None = None
    """The Prometheus that is there, with `controller: existing`."""
    retention: Duration = "15d"
    """How long metrics are kept."""
    storage: Storage = Field(default="50Gi", json_schema_extra=GROW_ONLY)
    """The size of Prometheus's volume; it may grow later, never shrink. What exceeds four fifths of it is
    deleted before `retention` would."""
    storage_class: ObjectName | None = Field(default=None, json_schema_extra=IMMUTABLE)
    """The StorageClass of that volume; left out, the cluster's default."""
    host: HostName | None = None
    """The name under which people reach Grafana; left out, it is reached by port-forward."""
    alerts: Alerts | None = None
    """Who is told of alerts; left out, nobody: they show in Grafana alone."""
