"""Tuning: Katib's controller, its database, and what it needs in the namespaces of teams."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from blueprints.model.kubeflow import Tuning
from blueprints.model.teams import Team
from components import tuning_page
from components.manifests import certificates, configuration, controllers, katib, network, workloads
from components.manifests.certificates import Signer
from components.manifests.metadata import App, Manifest, digest
from components.manifests.namespaces import Grant
from components.manifests.network import Edge, Teams
from components.members import admit
from components.namespaces import SERVICE_ACCOUNT, team_app
from components.objects import component_token, register
from components.versions import POSTGRESQL
from components.versions.model import Image, ImageSource
from components.versions.tuning import (
    KATIB_ALGORITHMS,
    KATIB_COLLECTOR,
    KATIB_CONTROLLER,
    KATIB_DB_MANAGER,
    KATIB_EVENTS_COLLECTOR,
    KATIB_IMAGES,
)

COMPONENT = "tuning"
WEBHOOK = 8443
OBSERVATIONS = 6789
"""Where trials report what they measure; suggestions are asked for on the same port of other pods."""
CLAIM = "katib-data"
"""The volume claim with what trials measured."""
CERTIFICATE = "katib-webhook-cert"
CONFIG = "katib-config"
"""Katib's own name for its ConfigMap, which it also reads through the API."""
_FILE = "katib-config.yaml"
_USER = 1000
_POSTGRES = 999  # uid and gid of the image's `postgres`
_RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SMALL = workloads.Resources(cpu="50m", memory="128Mi", memory_limit="512Mi")


def controller_app(platform: App) -> App:
    """Katib's controller."""
    return replace(platform, name="katib-controller", component=COMPONENT)


def manager_app(platform: App) -> App:
    """What keeps what trials measure; the name is Katib's own."""
    return replace(platform, name="katib-db-manager", component=COMPONENT)


def images(chosen: Tuning | None) -> tuple[Image, ...]:
    """Katib's images, and its database's."""
    if chosen is None:
        return ()
    return (*KATIB_IMAGES, POSTGRESQL, *(tuning_page.IMAGES if chosen.host else ()))


def namespace_labels(chosen: Tuning | None) -> dict[str, str]:
    """The labels of the teams' namespaces that Katib asks for."""
    return dict(katib.INJECTION) if chosen else {}


def edges(chosen: Tuning | None, platform: App) -> tuple[Edge, ...]:
    """The controller calls the API server, the database and what suggests; trials report to the database."""
    if chosen is None:
        return ()
    controller, manager = controller_app(platform), manager_app(platform)
    return (
        *network.controller(controller, WEBHOOK),
        Edge(controller, manager, OBSERVATIONS),
        Edge(controller, Teams(platform.platform), OBSERVATIONS),
        Edge(Teams(platform.platform), manager, OBSERVATIONS),
        *(tuning_page.edges(platform, manager, OBSERVATIONS) if chosen.host else ()),
    )


@dataclass(frozen=True)
class PlatformTuningArgs:
    """What PlatformTuning is made of."""

    platform: App
    """The platform as a whole: in its namespace Katib runs."""
    tuning: Tuning
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    images: ImageSource
    training: bool = False
    """Whether trials may be TrainJobs."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace, its policies, cert-manager, and the kinds of trials."""


class PlatformTuning(pulumi.ComponentResource):
    """Katib: its kinds, controller and webhooks; a database of its own; rights in each team's namespace."""

    def __init__(
        self, name: str, args: PlatformTuningArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformTuning), name, {"teams": sorted(args.teams)}, opts)
        app = controller_app(args.platform)
        kinds = [register(self, each, depends_on=args.after) for each in katib.definitions(app)]
        roles = [
            register(self, each, depends_on=args.after) for each in (katib.watching(app), katib.acting(app))
        ]
        for team in sorted(args.teams):
            self._team(team, args, app, roles)
        database = self._database(args)
        controller = self._controller(args, app, [*kinds, *roles, *database])
        refusal = register(self, katib.TEMPLATES.policy(app), depends_on=kinds)
        bound = register(self, katib.TEMPLATES.binding(app), depends_on=[refusal])
        for each in katib.webhooks(app, app.name, CERTIFICATE):
            register(self, each, depends_on=[*controller, bound])
        if args.tuning.host:
            self._page(args, [*kinds, *database])
        self.ready: tuple[pulumi.Resource, ...] = tuple(controller)
        self.register_outputs({})

    def _team(
        self, team: str, args: PlatformTuningArgs, app: App, roles: list[pulumi.CustomResource]
    ) -> None:
        mine, namespace = team_app(app.platform, team), args.namespaces[team]
        for each in (
            controllers.in_namespace(mine, "katib", f"{app.platform}-katib-trials", app),
            katib.suggesting(mine, app, OBSERVATIONS),
        ):
            register(self, each, depends_on=[namespace, *roles])
        admit(
            self,
            mine,
            args.teams[team].groups,
            COMPONENT,
            Grant(katib.GROUP, ("experiments",), edits=True),
            Grant(katib.GROUP, ("suggestions", "trials")),
            namespace=namespace,
        )

    def _page(self, args: PlatformTuningArgs, first: list[pulumi.Resource]) -> None:
        app, manager = tuning_page.page_app(args.platform), manager_app(args.platform)
        address = f"{manager.name}.{manager.namespace}.svc.cluster.local:{OBSERVATIONS}"
        after = (*args.after, *first)
        tuning_page.register_page(self, app, args.teams, args.namespaces, args.images, address, after)

    def _database(self, args: PlatformTuningArgs) -> list[pulumi.Resource]:
        app = manager_app(args.platform)
        before = [
            register(self, each, depends_on=args.after)
            for each in (configuration.service_account(app), workloads.disruption_budget(app))
        ]
        claim = register(
            self,
            configuration.volume_claim(app, CLAIM, args.tuning.storage, args.tuning.storage_class),
            depends_on=args.after,
            holds_data=True,
        )
        server = register(
            self, workloads.stateful_set(app, database_pod(app, args.images)), depends_on=[*before, claim]
        )
        # Beside the server, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"api": OBSERVATIONS}), depends_on=args.after)
        return [server, service]

    def _controller(
        self, args: PlatformTuningArgs, app: App, first: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        hosts = [f"{app.name}.{app.namespace}.svc", f"{app.name}.{app.namespace}.svc.cluster.local"]
        config = katib_config(args.images, training=args.training)
        signer = register(self, certificates.issuer(app, app.name, {"selfSigned": {}}), depends_on=args.after)
        before = [
            register(self, each, depends_on=[*args.after, signer, *first])
            for each in (
                configuration.service_account(app, speaks="it makes the trials of experiments"),
                controllers.everywhere(app, f"{app.platform}-katib"),
                configuration.config_map(app, {_FILE: config}, CONFIG),
                certificates.certificate(app, CERTIFICATE, hosts, Signer(app.name, "Issuer")),
                workloads.disruption_budget(app),
            )
        ]
        manifest = workloads.deployment(app, controller_pod(app, args.images, config))
        deployment = register(self, manifest, depends_on=[*before, *first])
        exposed = workloads.service(app, {"webhook": WEBHOOK})
        exposed["spec"]["ports"][0]["port"] = 443  # where the API server calls webhooks
        service = register(self, exposed, depends_on=args.after)
        return [deployment, service]


def controller_pod(app: App, images: ImageSource, config: str) -> Manifest:
    """Katib's controller. It has a token: it works through the Kubernetes API."""
    volumes = [
        workloads.secret_files("cert", CERTIFICATE, "/tmp/cert"),  # noqa: S108  # where it looks for it
        workloads.Volume(
            "config", {"configMap": {"name": CONFIG}}, f"/{_FILE}", read_only=True, sub_path=_FILE
        ),
    ]
    main = workloads.container(
        app.name,
        images.reference(KATIB_CONTROLLER),
        resources=_SMALL,
        command=["./katib-controller"],
        args=[f"--katib-config=/{_FILE}"],
        env=workloads.plain({"KATIB_CORE_NAMESPACE": app.namespace}),
        ports={"webhook": WEBHOOK, "healthz": 18080},
        volumes=volumes,
        probes={
            "readinessProbe": workloads.http_probe("/readyz", 18080, periodSeconds=5),
            "livenessProbe": workloads.http_probe("/healthz", 18080, periodSeconds=10, failureThreshold=6),
        },
    )
    template = workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(config),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
    template["spec"]["automountServiceAccountToken"] = True
    return template


def database_pod(app: App, images: ImageSource) -> Manifest:
    """Katib's database manager, and PostgreSQL beside it, which listens inside the pod alone.

    So there is no password that could leak, and none to rotate. MySQL, Katib's default, would be one more
    kind of database to run; the registry's server is not for what any pod of a team may write.
    """
    volumes = [
        workloads.claimed("data", CLAIM, "/var/lib/postgresql/data"),
        workloads.scratch("run", "/var/run/postgresql", "16Mi"),
        workloads.scratch("tmp", "/tmp"),  # noqa: S108  # a mount inside a container
    ]
    alive = ("pg_isready", "--host", "127.0.0.1", "--username", "katib", "--dbname", "katib")
    database = workloads.container(
        "postgresql",
        images.reference(POSTGRESQL),
        resources=workloads.Resources(cpu="50m", memory="128Mi", memory_limit="512Mi"),
        args=["postgres", "-c", "listen_addresses=127.0.0.1"],
        env=workloads.plain(
            {
                "PGDATA": "/var/lib/postgresql/data/pgdata",
                "POSTGRES_USER": "katib",
                "POSTGRES_DB": "katib",
                "POSTGRES_HOST_AUTH_METHOD": "trust",
                "POSTGRES_INITDB_ARGS": "--data-checksums",
            }
        ),
        volumes=volumes,
        probes=workloads.storage_probes(workloads.exec_probe(*alive)),
    )
    listens = {"grpc": {"port": OBSERVATIONS}, "timeoutSeconds": 5}
    main = workloads.container(
        app.name,
        images.reference(KATIB_DB_MANAGER),
        resources=workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi"),
        command=["./katib-db-manager"],
        args=["--connect-timeout=300s"],
        env=workloads.plain(
            {
                "DB_NAME": "postgres",
                "DB_USER": "katib",
                "DB_PASSWORD": "unused",  # Katib's own text of the connection cannot leave it out
                "KATIB_POSTGRESQL_DB_HOST": "127.0.0.1",
                "KATIB_POSTGRESQL_DB_DATABASE": "katib",
            }
        ),
        ports={"api": OBSERVATIONS},
        probes={
            "startupProbe": {**listens, "periodSeconds": 5, "failureThreshold": 60},
            "readinessProbe": {**listens, "periodSeconds": 10},
            "livenessProbe": {**listens, "periodSeconds": 30, "failureThreshold": 5},
        },
    )
    template = workloads.pod_template(
        app,
        main,
        user=_POSTGRES,
        config_hash=digest(database),
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
    template["spec"]["containers"].append(database)
    return template


def katib_config(images: ImageSource, *, training: bool) -> str:
    """Katib's configuration. JSON is YAML, and is the same text on every machine.

    Early stopping is left out: Katib gives its container no security context, so no team's namespace admits
    it. Neural architecture search and population based training are left out, too.
    """
    import json

    small = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    collectors = {
        "StdOut": KATIB_COLLECTOR,
        "File": KATIB_COLLECTOR,
        "TensorFlowEvent": KATIB_EVENTS_COLLECTOR,
    }
    trials = ["Job.v1.batch", *(["TrainJob.v1alpha1.trainer.kubeflow.org"] if training else [])]
    document: dict[str, Any] = {
        "apiVersion": "config.kubeflow.org/v1beta1",
        "kind": "KatibConfig",
        "init": {
            "certGenerator": {"enable": False},
            "controller": {
                "webhookPort": WEBHOOK,
                "trialResources": trials,
                # The container that collects metrics takes over what the trial's own container has.
                "injectSecurityContext": True,
            },
        },
        "runtime": {
            "metricsCollectors": [
                {"kind": kind, "image": images.reference(image), "resources": small}
                for kind, image in collectors.items()
            ],
            "suggestions": [
                {
                    "algorithmName": name,
                    "image": images.reference(image),
                    "serviceAccountName": SERVICE_ACCOUNT,
                    "resources": small,
                    "securityContext": _RESTRICTED,
                }
                for name, image in KATIB_ALGORITHMS.items()
            ],
        },
    }
    return json.dumps(document, indent=2)
