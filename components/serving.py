"""Serving: KServe, and for each team what serves models of MLflow's registry by their `models:/` URIs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from blueprints.model.kubeflow import Serving
from blueprints.model.pools import GpuPool
from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components import auth, serving_store
from components.charts import release
from components.credentials import Credentials
from components.manifests import configuration, network, serving, workloads
from components.manifests.metadata import App, Manifest
from components.manifests.namespaces import Grant
from components.manifests.network import Edge
from components.manifests.pools import placement
from components.members import admit
from components.objects import component_token, register
from components.serving_fetching import CLIENT, RESTRICTED, SETTINGS, USER, storage_containers
from components.serving_store import ServingStore
from components.versions import MLFLOW
from components.versions.model import Chart, ImageSource
from components.versions.serving import (
    KSERVE,
    KSERVE_AGENT,
    KSERVE_CONTROLLER,
    KSERVE_CRD,
    KSERVE_PROXY,
    KSERVE_ROUTER,
    KSERVE_STORAGE,
)

COMPONENT = "serving"
RUNTIME = "mlflow"
"""The runtime on nodes without GPUs; with `-<pool>`, that of a pool."""
PORT = 8080
"""Where a model answers: KServe's own default."""
WEBHOOK = 9443
_CONTROLLER = "kserve-controller-manager"
_MODEL = "/mnt/models"
_RESOURCES = workloads.Resources(cpu="500m", memory="1Gi", memory_limit="2Gi")
_GPU_RESOURCES = workloads.Resources(cpu="2", memory="8Gi", memory_limit="8Gi", gpus=1)


def controller_app(platform: App) -> App:
    """KServe's controller."""
    return replace(platform, name=_CONTROLLER, component=COMPONENT, release=KSERVE.name)


def serving_app(platform: str, team: str) -> App:
    """Whose the models of a team are: the pods that serve them carry these labels."""
    return App(platform, team_namespace(platform, team), COMPONENT, COMPONENT, team)


def charts(chosen: Serving | None) -> tuple[Chart, ...]:
    """The charts that serving comes with."""
    return (KSERVE_CRD, KSERVE) if chosen else ()


def edges(chosen: Serving | None, platform: App) -> tuple[Edge, ...]:
    """The controller and the API server call each other."""
    return network.controller(controller_app(platform), WEBHOOK) if chosen else ()


@dataclass(frozen=True)
class PlatformServingArgs:
    """What PlatformServing is made of."""

    platform: App
    """The platform as a whole: in its namespace the controller runs."""
    tracking: App
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    pools: Mapping[str, GpuPool]
    images: ImageSource
    credentials: Credentials = field(repr=False)
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace, its policies, and cert-manager."""
    accounts: tuple[pulumi.Resource, ...] = ()
    """What makes the accounts that models are fetched as."""
    store: ServingStore | None = None
    """The bucket with what the teams' pipelines wrote, where there are pipelines and it speaks S3."""
    edges: Sequence[Edge] = ()
    """Every connection of the platform; those of `network.Models` count here."""


class PlatformServing(pulumi.ComponentResource):
    """KServe in its Standard mode; what fetches models; for each team its runtimes and policies."""

    runtimes: pulumi.Output[list[str]]
    """The names of the runtimes, which every team has."""

    def __init__(
        self, name: str, args: PlatformServingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformServing), name, {"mode": "Standard"}, opts)
        kinds = self._release(KSERVE_CRD, {}, args, args.after)
        app = replace(args.platform, name=COMPONENT, component=COMPONENT)
        # Before the chart: where that leaves out what fetches, something else has to be there already.
        fetching = [
            register(self, each, depends_on=[kinds])
            for each in storage_containers(app, args.images, args.store)
        ]
        told = values(args.images, own_default=args.store is None)
        installed = self._release(KSERVE, told, args, (*args.after, kinds, *fetching))
        for team in sorted(args.teams):
            self._team(team, args, installed)
        self.ready: tuple[pulumi.Resource, ...] = (installed, *fetching)
        self.runtimes = pulumi.Output.from_input(sorted(runtime_names(args.pools)))
        self.register_outputs({"runtimes": self.runtimes})

    def _release(
        self,
        chart: Chart,
        chart_values: Mapping[str, Any],
        args: PlatformServingArgs,
        first: tuple[pulumi.Resource, ...],
    ) -> pulumi.Resource:
        return release(
            self,
            chart,
            chart_values,
            namespace=args.platform.namespace,
            images=args.images,
            depends_on=first,
        )

    def _team(self, team: str, args: PlatformServingArgs, installed: pulumi.Resource) -> None:
        app, namespace = serving_app(args.platform.platform, team), args.namespaces[team]
        user = args.teams[team].account(team)
        client = configuration.secret(
            app, auth.client_values(args.tracking, args.credentials, user, team), CLIENT
        )
        before = [
            register(self, manifest, depends_on=[namespace])
            for manifest in (client, *network.inside(app, PORT), *from_bucket(app, args))
        ]
        for name, pool in runtime_names(args.pools).items():
            register(
                self,
                runtime(app, name, pool, args),
                depends_on=[installed, namespace, *before, *args.accounts],
            )
        admit(
            self,
            app,
            args.teams[team].groups,
            COMPONENT,
            Grant(serving.GROUP, ("inferenceservices", "inferencegraphs"), edits=True),
            Grant(serving.GROUP, ("servingruntimes",)),
            namespace=namespace,
        )


def from_bucket(app: App, args: PlatformServingArgs) -> tuple[Manifest, ...]:
    """What a team needs to serve what its pipelines wrote; nothing without pipelines."""
    if args.store is None:
        return ()
    account = serving_store.account(app, args.store, args.images.pull_secret)
    return (*((account,) if account else ()), network.models_policy(app, args.edges))


def runtime_names(pools: Mapping[str, GpuPool]) -> dict[str, str | None]:
    """The pool of each runtime, by the runtime's name; None for that of nodes without GPUs."""
    return {RUNTIME: None, **{f"{RUNTIME}-{pool}": pool for pool in sorted(pools)}}


def runtime(app: App, name: str, pool: str | None, args: PlatformServingArgs) -> Manifest:
    """Serves a model by MLflow's own scoring server, in the version that the registry has.

    Nothing is installed: the image has to have what the model imports, and an InferenceService may name it.
    """
    tmp = workloads.scratch("tmp", "/tmp", "1Gi")  # noqa: S108  # a mount inside a container
    main = workloads.container(
        serving.CONTAINER,
        args.images.reference(MLFLOW),
        resources=_GPU_RESOURCES if pool else _RESOURCES,
        command=["mlflow", "models", "serve"],
        args=[
            f"--model-uri={_MODEL}",
            "--env-manager=local",
            "--host=0.0.0.0",
            f"--port={PORT}",
        ],
        env=workloads.plain(SETTINGS),
        ports={"http": PORT},
        volumes=[tmp],
        probes={"readinessProbe": workloads.http_probe("/ping", PORT, periodSeconds=5)},
    )
    context = {**RESTRICTED, "runAsUser": USER, "readOnlyRootFilesystem": True}
    return serving.serving_runtime(
        app,
        name,
        {**main, "securityContext": context},
        model_format="mlflow",
        automatic=pool is None,
        volumes=[{"name": tmp.name, **tmp.source}],
        placement=placement(pool, args.pools[pool]) if pool else {},
    )


def values(images: ImageSource, *, own_default: bool = True) -> dict[str, Any]:
    """The values of KServe's chart. Standard mode: plain Deployments and Services, no Knative, no Istio.

    Without its `own_default`, it leaves out what fetches models of any URI that it knows.
    """

    def image(of: Any) -> dict[str, str]:
        return {"image": images.repository(of), "tag": of.tag}

    pull = [{"name": images.pull_secret}] if images.pull_secret else []
    resources = {"requests": {"cpu": "100m", "memory": "300Mi"}, "limits": {"memory": "600Mi"}}
    proxy = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "300Mi"}}
    # Its switch is for three parts together; the two others can be asked for by themselves.
    asked_for = {each: {"enabled": True} for each in ("certManager", "inferenceServiceConfig")}
    return {
        "kserve": {
            **({} if own_default else {"createSharedResources": False, **asked_for}),
            "agent": image(KSERVE_AGENT),
            "router": image(KSERVE_ROUTER),
            "storage": {**image(KSERVE_STORAGE), "containerSecurityContext": RESTRICTED},
            "security": {"autoMountServiceAccountToken": False},
            "controller": {
                **image(KSERVE_CONTROLLER),
                "imagePullPolicy": "IfNotPresent",
                "imagePullSecrets": pull,
                "deploymentMode": "Standard",
                "rbacProxyImage": images.reference(KSERVE_PROXY),
                "rbacProxy": {"resources": proxy},
                # By this label, which the chart leaves out, network policies find the pod.
                "podLabels": {"app.kubernetes.io/instance": KSERVE.name},
                "resources": resources,
                # Models have no login: they are reached inside the cluster alone.
                "gateway": {
                    "domain": "cluster.local",
                    "disableIngressCreation": True,
                    "disableIstioVirtualHost": True,
                },
            },
        }
    }
