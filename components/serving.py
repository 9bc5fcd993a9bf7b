"""Serving: KServe, and for each team what serves models of MLflow's registry by their `models:/` URIs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from blueprints.model.kubeflow import Serving
from blueprints.model.pools import GpuPool
from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components import auth
from components.charts import release
from components.credentials import Credentials
from components.manifests import configuration, network, serving, workloads
from components.manifests.metadata import App, Manifest
from components.manifests.namespaces import Grant
from components.manifests.network import Edge
from components.manifests.pools import placement
from components.members import admit
from components.objects import component_token, register
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
CLIENT = "kserve-mlflow"
"""The Secret by which a team's models are fetched. An account cannot be called so that its own is this one:
KServe's fetching is of the whole cluster, and can name but one Secret for all namespaces."""
WEBHOOK = 9443
_CONTROLLER = "kserve-controller-manager"
_USER = 1000
_MODEL = "/mnt/models"
_RESOURCES = workloads.Resources(cpu="500m", memory="1Gi", memory_limit="2Gi")
_GPU_RESOURCES = workloads.Resources(cpu="2", memory="8Gi", memory_limit="8Gi", gpus=1)
_FETCH = 'exec mlflow artifacts download --artifact-uri "$1" --dst-path "$2"'
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""On the container: KServe's kinds have no security context of the pod."""


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


class PlatformServing(pulumi.ComponentResource):
    """KServe in its Standard mode; what fetches models; for each team its runtimes and policies."""

    runtimes: pulumi.Output[list[str]]
    """The names of the runtimes, which every team has."""

    def __init__(
        self, name: str, args: PlatformServingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformServing), name, {"mode": "Standard"}, opts)
        kinds = self._release(KSERVE_CRD, {}, args, args.after)
        installed = self._release(KSERVE, values(args.images), args, (*args.after, kinds))
        app = replace(args.platform, name=COMPONENT, component=COMPONENT)
        fetching = register(
            self,
            serving.storage_container(app, f"{app.platform}-mlflow", "models:/", fetcher(args.images)),
            depends_on=[installed],
        )
        for team in sorted(args.teams):
            self._team(team, args, installed)
        self.ready: tuple[pulumi.Resource, ...] = (installed, fetching)
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
            for manifest in (client, *network.inside(app, PORT))
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


def runtime_names(pools: Mapping[str, GpuPool]) -> dict[str, str | None]:
    """The pool of each runtime, by the runtime's name; None for that of nodes without GPUs."""
    return {RUNTIME: None, **{f"{RUNTIME}-{pool}": pool for pool in sorted(pools)}}


def fetcher(images: ImageSource) -> Manifest:
    """Downloads a model through the tracking server, as the account of the team in whose namespace it runs.

    The server looks up alias or version, and checks whose the model is; no team needs a way to the store.
    """
    container = workloads.container(
        "storage-initializer",
        images.reference(MLFLOW),
        resources=workloads.Resources(cpu="100m", memory="256Mi", memory_limit="1Gi"),
        command=["sh", "-c", _FETCH, "mlflow"],
        env=[
            *workloads.from_secret(CLIENT, {key: key for key in auth.CLIENT_KEYS}),
            *workloads.plain({"HOME": "/tmp", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}),  # noqa: S108
        ],
    )
    # It may write in its own /tmp: KServe lets a container that fetches have no volume of its own.
    return {**container, "securityContext": {**_RESTRICTED, "runAsUser": _USER}}


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
        env=workloads.plain({"HOME": "/tmp", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}),  # noqa: S108
        ports={"http": PORT},
        volumes=[tmp],
        probes={"readinessProbe": workloads.http_probe("/ping", PORT, periodSeconds=5)},
    )
    context = {**_RESTRICTED, "runAsUser": _USER, "readOnlyRootFilesystem": True}
    return serving.serving_runtime(
        app,
        name,
        {**main, "securityContext": context},
        model_format="mlflow",
        automatic=pool is None,
        volumes=[{"name": tmp.name, **tmp.source}],
        placement=placement(pool, args.pools[pool]) if pool else {},
    )


def values(images: ImageSource) -> dict[str, Any]:
    """The values of KServe's chart. Standard mode: plain Deployments and Services, no Knative, no Istio."""

    def image(of: Any) -> dict[str, str]:
        return {"image": images.repository(of), "tag": of.tag}

    pull = [{"name": images.pull_secret}] if images.pull_secret else []
    resources = {"requests": {"cpu": "100m", "memory": "300Mi"}, "limits": {"memory": "600Mi"}}
    proxy = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "300Mi"}}
    return {
        "kserve": {
            "agent": image(KSERVE_AGENT),
            "router": image(KSERVE_ROUTER),
            "storage": {**image(KSERVE_STORAGE), "containerSecurityContext": _RESTRICTED},
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
