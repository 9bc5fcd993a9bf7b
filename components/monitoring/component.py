"""Monitoring: Prometheus and Grafana with what they need, or only what tells them of the platform."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from blueprints.model import Blueprint
from blueprints.names import system_namespace
from components.charts import release
from components.credentials import Credentials, Label
from components.manifests import configuration, monitoring, namespaces, network
from components.manifests.gateway import grant
from components.manifests.metadata import App, Manifest
from components.manifests.network import Edge
from components.monitoring.dashboards import dashboards, document
from components.monitoring.login import login, secret
from components.monitoring.parts import Parts, embedded, owner, release_name
from components.monitoring.rules import groups
from components.monitoring.targets import Target, targets
from components.monitoring.values import ADMIN, ADMIN_KEYS, claim_name, values
from components.objects import component_token, register
from components.versions import PROMETHEUS_STACK, ImageSource

_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  # a path inside Prometheus


@dataclass(frozen=True)
class MonitoringArgs:
    """What Monitoring is made of."""

    blueprint: Blueprint
    """The targets are the parts that it asks for."""
    edges: tuple[Edge, ...]
    """Every connection of the platform."""
    images: ImageSource
    credentials: Credentials = field(repr=False)
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""
    gpus: tuple[pulumi.Resource, ...] = ()
    """What makes the namespace of GPU software, if there is one."""
    gateway: tuple[pulumi.Resource, ...] = ()
    """What brings the kinds of gateways, if the platform has one."""


class Monitoring(pulumi.ComponentResource):
    """Monitors for every part that shows metrics, rules, dashboards, and the software, unless it is there."""

    targets: pulumi.Output[list[str]]
    """What is measured."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        found = targets(args.blueprint)
        shown = {"targets": [target.name for target in found]}
        super().__init__(component_token(Monitoring), name, shown, opts)
        first = self._software(args) if embedded(args.blueprint) else args.after
        self._let_in(args, found)
        wanted = args.blueprint.monitoring
        if wanted and wanted.host and args.blueprint.gateway:
            parts = Parts.of(args.blueprint.name)
            opened = grant(parts.own, parts.grafana, system_namespace(args.blueprint.name))
            register(self, opened, depends_on=[*first, *args.gateway])
        for manifest in objects(args.blueprint):
            register(self, manifest, depends_on=first)
        self.targets = pulumi.Output.from_input(shown["targets"])
        self.register_outputs({"targets": self.targets})

    def _software(self, args: MonitoringArgs) -> tuple[pulumi.Resource, ...]:
        """The namespace, its policies, the volume, and the chart: what all else waits for."""
        blueprint, own = args.blueprint, Parts.of(args.blueprint.name).own
        wanted = blueprint.monitoring
        assert wanted is not None  # noqa: S101  # for the type checker: it is asked for
        namespace = register(self, namespaces.namespace(own), holds_data=True)
        fences = [network.deny_all(own)]
        fences += [
            network.app_policy(app, args.edges)
            for app in network.apps(args.edges)
            if app.namespace == own.namespace
        ]
        ready = [namespace, *(register(self, fence, depends_on=[namespace]) for fence in fences)]
        claim = register(self, volume(args.blueprint), depends_on=ready, holds_data=True)
        password = args.credentials.password(Label.GRAFANA_ADMIN)
        admin = register(
            self,
            configuration.secret(own, dict(zip(ADMIN_KEYS, ("admin", password), strict=True)), ADMIN),
            depends_on=ready,
        )
        entrance = login(blueprint)
        own_secret = secret(own, entrance, args.credentials) if entrance else None
        secrets = [admin, *([register(self, own_secret, depends_on=ready)] if own_secret else [])]
        fingerprints = [args.credentials.fingerprint(Label.GRAFANA_ADMIN)]
        if entrance and own_secret:
            fingerprints.append(args.credentials.fingerprint(Label.login_client(entrance.site.name)))
        chart = release(
            self,
            PROMETHEUS_STACK,
            values(own, wanted, args.images, "-".join(fingerprints), entrance),
            namespace=own.namespace,
            name=release_name(blueprint.name),
            images=args.images,
            depends_on=[*ready, claim, *secrets],
        )
        return (chart,)

    def _let_in(self, args: MonitoringArgs, found: tuple[Target, ...]) -> None:
        """Opens what its own part does not: the exporter of GPUs belongs to somebody else's chart."""
        for target in found:
            if target.app.component == "gpu-pools":
                policy = network.app_policy(target.app, args.edges)
                register(self, policy, depends_on=args.gpus)


def volume(blueprint: Blueprint) -> Manifest:
    """Prometheus's volume.

    The operator's StatefulSet takes a claim that is there by this name. As an object of its own it can be
    protected, seen in a plan and grown, as those of other parts.
    """
    wanted = blueprint.monitoring
    assert wanted is not None  # noqa: S101  # for the type checker: it is asked for
    parts = Parts.of(blueprint.name)
    return configuration.volume_claim(
        parts.own, claim_name(blueprint.name), wanted.storage, wanted.storage_class
    )


def objects(blueprint: Blueprint) -> list[Manifest]:
    """What tells Prometheus and Grafana of the platform."""
    wanted = blueprint.monitoring
    labels = wanted.existing.labels if wanted and wanted.existing else {}
    app = owner(blueprint)
    return [
        *(monitor(app, target, labels) for target in targets(blueprint)),
        monitoring.rule(app, blueprint.name, groups(blueprint), labels),
        *(
            monitoring.dashboard(app, dashboard.name, document(blueprint.name, dashboard))
            for dashboard in dashboards(blueprint)
        ),
    ]


def monitor(app: App, target: Target, labels: Mapping[str, str]) -> Manifest:
    """How Prometheus finds one target, and what it adds to its metrics."""
    endpoint: dict[str, Any] = {
        "port": target.port_name,
        "path": target.path,
        "relabelings": [
            {"action": "replace", "targetLabel": "job", "replacement": target.name},
            # Several platforms may be measured by one Prometheus.
            {"action": "replace", "targetLabel": "platform", "replacement": app.platform},
        ],
    }
    if target.service is None:
        return monitoring.pod_monitor(app, target.name, target.app, endpoint, labels)
    endpoint |= {
        "scheme": "https",
        "tlsConfig": {"insecureSkipVerify": True},
        "bearerTokenFile": _TOKEN,
    }
    return monitoring.service_monitor(
        app, target.name, target.app.namespace, target.service, endpoint, labels
    )
