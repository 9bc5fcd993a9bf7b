"""Queues: Kueue, what each team has of it, and what GPU pools there are to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from blueprints.model.pools import GpuPool
from blueprints.model.queues import Queues
from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components.charts import release
from components.manifests import namespaces, network
from components.manifests import queues as manifests
from components.manifests.metadata import TEAM, App, Manifest
from components.manifests.network import NAMESPACE, Edge
from components.namespaces import team_app
from components.objects import component_token, register
from components.versions import KUEUE, ImageSource

RELEASE = KUEUE.name
"""The release's name: with it the chart's objects are called `kueue-…`."""
READER = "queue-reader"
"""The Role by which members of a team see their queue."""
WEBHOOK = 9443
VISIBILITY = 8082
"""Kueue's own part of the Kubernetes API; one that does not answer keeps namespaces from being deleted."""
METRICS = 8443
METRICS_SERVICE = {"app.kubernetes.io/name": "kueue", "app.kubernetes.io/component": "metrics-service"}
"""The labels of the Service through which Kueue is measured."""


def runs_kueue(queues: Queues | None) -> bool:
    """Whether the platform runs Kueue itself."""
    return queues is not None and queues.controller == "embedded"


def edges(app: App) -> tuple[Edge, ...]:
    """Kueue and the API server call each other."""
    return network.controller(app, WEBHOOK, VISIBILITY)


@dataclass(frozen=True)
class PlatformQueuesArgs:
    """What PlatformQueues are made of."""

    app: App
    """Kueue's own pods."""
    queues: Queues
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    pools: Mapping[str, GpuPool]
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""


class PlatformQueues(pulumi.ComponentResource):
    """Kueue, a ResourceFlavor for each GPU pool and one for the rest, and two queues for each team."""

    queues: pulumi.Output[dict[str, str]]
    """The LocalQueue of each team."""

    def __init__(
        self, name: str, args: PlatformQueuesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformQueues), name, {"controller": args.queues.controller}, opts)
        platform = args.app.platform
        kueue = self._kueue(args)
        pools: dict[str, GpuPool | None] = {manifests.ANYWHERE: None, **args.pools}
        flavors = [
            register(self, manifests.flavor(args.app, pool, pools[pool]), depends_on=kueue)
            for pool in sorted(pools)
        ]
        for team in sorted(args.teams):
            self._team(team, args, [*kueue, *flavors])
        self.queues = pulumi.Output.from_input({team: team for team in sorted(args.teams)})
        self.register_outputs({"queues": self.queues, "cohort": platform})

    def _kueue(self, args: PlatformQueuesArgs) -> list[pulumi.Resource]:
        """The chart's release, unless the cluster has Kueue already."""
        if args.queues.controller == "existing":
            return []
        return [
            release(
                self,
                KUEUE,
                values(args.app, args.images),
                namespace=args.app.namespace,
                images=args.images,
                depends_on=args.after,
            )
        ]

    def _team(self, team: str, args: PlatformQueuesArgs, first: Sequence[pulumi.Resource]) -> None:
        app = team_app(args.app.platform, team)
        groups = manifests.shares(app.platform, args.teams[team].quota, args.pools)
        # An object of the whole cluster is named like the team's namespace, which no other can have.
        name = team_namespace(app.platform, team)
        queue = register(
            self,
            manifests.cluster_queue(args.app, name, app.namespace, groups, args.queues),
            depends_on=first,
        )
        register(
            self, manifests.local_queue(app, team, name), depends_on=[queue, args.namespaces[team], *first]
        )
        if groups_of_team := args.teams[team].groups:
            self._let_read(app, groups_of_team, args.namespaces[team])

    def _let_read(self, app: App, groups: Sequence[str], namespace: pulumi.Resource) -> None:
        """Lets members see their queue, and why their work waits in it."""
        readable = namespaces.role(
            app, READER, namespaces.Grant(manifests.GROUP, ("localqueues", "workloads"))
        )
        for manifest in (readable, namespaces.team_role_binding(app, groups, READER)):
            register(self, manifest, depends_on=[namespace])


def values(app: App, images: ImageSource) -> dict[str, Any]:
    """The values of Kueue's chart."""
    (image,) = KUEUE.images
    return {
        "controllerManager": {
            "imagePullSecrets": [{"name": images.pull_secret}] if images.pull_secret else [],
            "manager": {
                "image": {
                    "repository": images.repository(image),
                    "tag": image.tag,
                    "pullPolicy": "IfNotPresent",
                },
                "resources": {
                    "requests": {"cpu": "500m", "memory": "512Mi"},
                    "limits": {"memory": "512Mi"},
                },
            },
        },
        "managerConfig": {"controllerManagerConfigYaml": configuration(app)},
    }


def configuration(app: App) -> str:
    """Kueue's own configuration, in whole, since the chart replaces its default by it.

    JSON is YAML, and is the same text on every machine.
    """
    import json

    document: Manifest = {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        # Kueue keeps its certificates there; it would look for them in `kueue-system`.
        "namespace": app.namespace,
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443"},
        "webhook": {"port": WEBHOOK},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        "clientConnection": {"qps": 300, "burst": 500},
        # Only namespaces of teams: a webhook that is away must not stop the cluster's own pods.
        "managedJobsNamespaceSelector": {
            "matchLabels": {"app.kubernetes.io/instance": app.platform},
            "matchExpressions": [
                {"key": TEAM, "operator": "Exists"},
                {"key": NAMESPACE, "operator": "NotIn", "values": ["kube-system", app.namespace]},
            ],
        },
        "integrations": {
            "frameworks": [
                "batch/job",
                "pod",
                # Both put the object's label on its pods, which wait.
                "deployment",
                "statefulset",
                "jobset.x-k8s.io/jobset",
                "trainer.kubeflow.org/trainjob",
            ]
        },
        # Work may ask for what no quota is kept of, such as ephemeral storage.
        "resources": {"quotaCheckStrategy": "IgnoreUndeclared"},
    }
    return json.dumps(document, indent=2)
