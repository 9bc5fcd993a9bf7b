"""Training: Kubeflow Trainer, and for each team the runtimes that its TrainJobs are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from blueprints.model.kubeflow import Training
from blueprints.model.pools import GpuPool
from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components import auth
from components.charts import release
from components.manifests import network, training, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.namespaces import Grant
from components.manifests.network import Edge
from components.manifests.pools import placement
from components.members import admit
from components.namespaces import SERVICE_ACCOUNT
from components.objects import component_token, register
from components.versions.model import Chart, Image, ImageSource
from components.versions.training import JOBSET, KUBEFLOW_TRAINER, PYTORCH

COMPONENT = "training"
RUNTIME = "torch-distributed"
"""The runtime on nodes without GPUs, named like Trainer's own; with `-<pool>`, that of a pool."""
WEBHOOK = 9443
"""The port of Trainer's webhooks, and of JobSet's."""
_USER = 1000
_HOME = "/work"
_RESOURCES = workloads.Resources(cpu="1", memory="4Gi", memory_limit="4Gi")
_GPU_RESOURCES = workloads.Resources(cpu="4", memory="16Gi", memory_limit="16Gi", gpus=1)


def trainer_app(platform: App) -> App:
    """Trainer's controller."""
    name = KUBEFLOW_TRAINER.name
    return replace(platform, name=name, component=COMPONENT, release=name)


def jobset_app(platform: App) -> App:
    """JobSet's controller."""
    return replace(platform, name=JOBSET.name, component=COMPONENT, release=JOBSET.name)


def training_app(platform: str, team: str) -> App:
    """Whose the training of a team is: its pods carry these labels."""
    return App(platform, team_namespace(platform, team), COMPONENT, COMPONENT, team)


def charts(chosen: Training | None) -> tuple[Chart, ...]:
    """The charts that training comes with."""
    if chosen is None:
        return ()
    return (JOBSET, KUBEFLOW_TRAINER) if chosen.jobset == "embedded" else (KUBEFLOW_TRAINER,)


def images(chosen: Training | None) -> tuple[Image, ...]:
    """The image of the runtimes, where it is not the user's own."""
    return (PYTORCH,) if chosen and chosen.image is None else ()


def edges(chosen: Training | None, platform: App) -> tuple[Edge, ...]:
    """The controllers and the API server call each other."""
    apps = {JOBSET: jobset_app(platform), KUBEFLOW_TRAINER: trainer_app(platform)}
    return tuple(edge for chart in charts(chosen) for edge in network.controller(apps[chart], WEBHOOK))


@dataclass(frozen=True)
class PlatformTrainingArgs:
    """What PlatformTraining is made of."""

    platform: App
    """The platform as a whole: in its namespace the controllers run."""
    training: Training
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    pools: Mapping[str, GpuPool]
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""
    accounts: tuple[pulumi.Resource, ...] = ()
    """What makes the accounts, and the Secrets that runtimes refer to."""


class PlatformTraining(pulumi.ComponentResource):
    """JobSet, Kubeflow Trainer, and for each team a TrainingRuntime for CPUs and one for each GPU pool."""

    runtimes: pulumi.Output[list[str]]
    """The names of the runtimes, which every team has."""

    def __init__(
        self, name: str, args: PlatformTrainingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformTraining), name, {"jobset": args.training.jobset}, opts)
        installed = self._controllers(args)
        for team in sorted(args.teams):
            self._team(team, args, installed)
        self.ready: tuple[pulumi.Resource, ...] = (installed,)
        self.runtimes = pulumi.Output.from_input(sorted(runtime_names(args.pools)))
        self.register_outputs({"runtimes": self.runtimes})

    def _controllers(self, args: PlatformTrainingArgs) -> pulumi.Resource:
        """JobSet first: Trainer makes JobSets, and has to find their kind as it starts."""
        made: list[pulumi.Resource] = list(args.after)
        values = {JOBSET: jobset_values(args.images), KUBEFLOW_TRAINER: trainer_values(args.images)}
        for chart in charts(args.training):
            made.append(
                release(
                    self,
                    chart,
                    values[chart],
                    namespace=args.platform.namespace,
                    images=args.images,
                    depends_on=tuple(made),
                )
            )
        return made[-1]

    def _team(self, team: str, args: PlatformTrainingArgs, installed: pulumi.Resource) -> None:
        app, namespace = training_app(args.platform.platform, team), args.namespaces[team]
        fence = register(self, network.among(app), depends_on=[namespace])
        for name, pool in runtime_names(args.pools).items():
            manifest = training.torch_runtime(app, name, training_pod(app, pool, team, args))
            register(self, manifest, depends_on=[installed, namespace, fence, *args.accounts])
        admit(
            self,
            app,
            args.teams[team].groups,
            COMPONENT,
            Grant(training.GROUP, ("trainjobs",), edits=True),
            Grant(training.GROUP, ("trainingruntimes",)),
            Grant("jobset.x-k8s.io", ("jobsets",)),
            namespace=namespace,
        )


def runtime_names(pools: Mapping[str, GpuPool]) -> dict[str, str | None]:
    """The pool of each runtime, by the runtime's name; None for that of nodes without GPUs."""
    return {RUNTIME: None, **{f"{RUNTIME}-{pool}": pool for pool in sorted(pools)}}


def training_pod(app: App, pool: str | None, team: str, args: PlatformTrainingArgs) -> Manifest:
    """What runs on each node of a TrainJob, which says image, command and resources; the rest is this."""
    user = args.teams[team].account(team)
    work = workloads.scratch("work", _HOME, "50Gi")
    tmp = workloads.Volume("work", work.source, "/tmp", sub_path="tmp")  # noqa: S108  # a mount in a container
    # PyTorch's loaders hand batches over in shared memory, of which a container has 64 MiB otherwise.
    shared = workloads.Volume("shm", {"emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}, "/dev/shm")  # noqa: S108
    main = workloads.container(
        training.CONTAINER,
        args.training.image or args.images.reference(PYTORCH),
        resources=_GPU_RESOURCES if pool else _RESOURCES,
        env=[
            *auth.client_env(user),
            *workloads.plain(
                {
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "DO_NOT_TRACK": "true",
                    "HOME": _HOME,
                    "USER": user,  # MLflow notes it as the run's user; images know none
                }
            ),
        ],
        volumes=[work, tmp, shared],
    )
    place = placement(pool, args.pools[pool]) if pool else {}
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(main, place),
        volumes=[work, shared],
        service_account=SERVICE_ACCOUNT,
        node_selector=place.get("nodeSelector"),
        tolerations=place.get("tolerations", ()),
    )


def trainer_values(images: ImageSource) -> dict[str, Any]:
    """The values of Trainer's chart. Its own runtimes stay out: they know neither teams nor pools."""
    (image,) = KUBEFLOW_TRAINER.images
    return {
        "jobset": {"install": False},
        "image": {
            "registry": images.registry or image.registry,
            "repository": image.repository,
            "tag": image.tag,
            "pullPolicy": "IfNotPresent",
            "pullSecrets": _pull(images),
        },
        "manager": {
            "resources": {
                "requests": {"cpu": "50m", "memory": "192Mi"},
                "limits": {"memory": "512Mi"},
            },
        },
    }


def jobset_values(images: ImageSource) -> dict[str, Any]:
    """The values of JobSet's chart."""
    (image,) = JOBSET.images
    return {
        "image": {
            "repository": images.repository(image),
            "tag": image.tag,
            "pullPolicy": "IfNotPresent",
            "pullSecrets": _pull(images),
        },
        "controller": {
            "resources": {
                "requests": {"cpu": "100m", "memory": "128Mi"},
                "limits": {"memory": "512Mi"},
            },
        },
    }


def _pull(images: ImageSource) -> list[dict[str, str]]:
    return [{"name": images.pull_secret}] if images.pull_secret else []
