"""MLflow Projects on the cluster: a CronJob each, in the namespace of its team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi

from blueprints.model.pools import GpuPool
from blueprints.model.projects import Project
from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components import auth
from components.manifests import configuration, network, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import Edge, Outside
from components.manifests.pools import placement
from components.manifests.queues import queue_labels
from components.namespaces import SERVICE_ACCOUNT
from components.objects import component_token, register
from components.scripts import script
from components.versions import GIT, MLFLOW, ImageSource

COMPONENT = "projects"
"""The component label of what belongs to projects."""
MAIN = "project"
"""The container that runs the project."""
_FETCH = "source"
_USER = 1000
_WORK = "/work"
_SOURCE = f"{_WORK}/source"
_SCRIPTS = "/opt/ziggurat"
_FETCH_RESOURCES = workloads.Resources(cpu="50m", memory="128Mi", memory_limit="512Mi")
"""A pod asks for the most of its steps, not for their sum: this one adds nothing to a project of any size."""
_ENTRY_POINT, _PARAMETER = "--entry-point=", "--param-list="


def project_app(platform: str, name: str, team: str) -> App:
    """Whose the objects of a project are. The prefix keeps them apart from what the team itself makes."""
    return App(platform, team_namespace(platform, team), f"project-{name}", COMPONENT, team)


def project_edges(platform: str, projects: Mapping[str, Project]) -> list[Edge]:
    """The ways to the sources; MLflow every pod of a team reaches."""
    return [
        Edge(project_app(platform, name, project.team), Outside(host), port)
        for name, project in sorted(projects.items())
        if project.source != "path"
        for host, port in (_address(project.uri),)
    ]


def _address(uri: str) -> tuple[str | None, int]:
    url = urlsplit(uri)
    return url.hostname, url.port or (443 if url.scheme == "https" else 80)


def fetches(projects: Mapping[str, Project]) -> bool:
    """Whether a project comes from a git repository, which an image of ours fetches."""
    return any(project.source == "git" for project in projects.values())


def brought_images(projects: Mapping[str, Project]) -> set[str]:
    """Images that users name for their projects; no mirror rewrites them."""
    return {project.image for project in projects.values() if project.image}


def _image(project: Project, source: ImageSource) -> str:
    """An image of the user's is where they say: a mirror is for the platform's own."""
    return project.image or source.reference(MLFLOW)


@dataclass(frozen=True)
class ScheduledProjectsArgs:
    """What ScheduledProjects are made of."""

    platform: str
    projects: Mapping[str, Project]
    teams: Mapping[str, Team]
    pools: Mapping[str, GpuPool]
    """The GPU pools by name; each that a project names is there."""
    edges: Sequence[Edge]
    """Every connection of the platform; those of projects count here."""
    images: ImageSource
    namespaces: Mapping[str, pulumi.Resource]
    """The Namespace of each team."""
    queued: bool = False
    """Whether runs wait in their team's queue."""
    accounts: Sequence[pulumi.Resource] = ()
    """What makes the accounts, their Secrets among it: a run before that would fail."""


class ScheduledProjects(pulumi.ComponentResource):
    """A CronJob for each project: on its schedule, or suspended as the template of runs on request."""

    def __init__(
        self, name: str, args: ScheduledProjectsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(ScheduledProjects), name, {"projects": sorted(args.projects)}, opts)
        for project in sorted(args.projects):
            self._project(project, args.projects[project], args)
        self.register_outputs({})

    def _project(self, name: str, project: Project, args: ScheduledProjectsArgs) -> None:
        app, namespace = project_app(args.platform, name, project.team), args.namespaces[project.team]
        manifests: list[Manifest] = []
        if project.source == "git":
            manifests.append(configuration.config_map(app, _scripts()))
        if app in network.apps(args.edges):
            manifests.append(network.app_policy(app, args.edges))
        before = [register(self, manifest, depends_on=[namespace]) for manifest in manifests]
        register(
            self,
            workloads.cron_job(
                app,
                app.name,
                project.schedule or workloads.NEVER,
                project_pod(app, name, project, args),
                suspended=project.schedule is None,
                runs=_runs(project),
                labels=queue_labels(project.team) if args.queued else {},
            ),
            depends_on=[namespace, *before, *args.accounts],
        )


def _runs(project: Project) -> workloads.Runs:
    return workloads.Runs(
        concurrency=project.concurrency_policy,
        retries=project.retries,
        deadline_seconds=project.deadline_seconds,
        succeeded=project.history.succeeded,
        failed=project.history.failed,
    )


def _scripts() -> dict[str, str]:
    return {"source.sh": script("source.sh")}


def run_arguments(uri: str, entry_point: str, parameters: Mapping[str, str]) -> list[str]:
    """The arguments of `mlflow`. Nothing is installed: the image is the environment."""
    return [
        "run",
        uri,
        f"{_ENTRY_POINT}{entry_point}",
        "--env-manager=local",
        *(f"{_PARAMETER}{key}={value}" for key, value in sorted(parameters.items())),
    ]


def overridden(arguments: Sequence[str], entry_point: str | None, parameters: Mapping[str, str]) -> list[str]:
    """`run_arguments` with another entry point, and with other and more parameters."""
    given = [each.removeprefix(_PARAMETER) for each in arguments if each.startswith(_PARAMETER)]
    merged = {key: value for key, _, value in (each.partition("=") for each in given)} | dict(parameters)
    (before,) = (each for each in arguments if each.startswith(_ENTRY_POINT))
    return run_arguments(arguments[1], entry_point or before.removeprefix(_ENTRY_POINT), merged)


def _location(project: Project) -> str:
    """What `mlflow run` is given: a repository has been fetched, the rest it can get itself."""
    if project.source != "git":
        return project.uri
    _, mark, folder = project.uri.partition("#")
    return f"{_SOURCE}{mark}{folder}"


def project_pod(app: App, name: str, project: Project, args: ScheduledProjectsArgs) -> Manifest:
    """Fetches the project, where it has to be, and runs it."""
    asked, user = project.resources, project.account(project.team, args.teams[project.team])
    work = workloads.scratch("work", _WORK, asked.scratch)
    tmp = workloads.Volume("work", work.source, "/tmp", sub_path="tmp")  # noqa: S108  # a mount in a container
    scripts = workloads.config_files("scripts", app.name, _SCRIPTS)
    main = workloads.container(
        MAIN,
        _image(project, args.images),
        resources=workloads.Resources(
            asked.cpu, asked.memory, asked.memory_limit or asked.memory, project.gpus
        ),
        command=["mlflow"],
        args=run_arguments(_location(project), project.entry_point, project.parameters),
        env=[
            *auth.client_env(user),
            *workloads.plain(
                {
                    "MLFLOW_EXPERIMENT_NAME": project.experiment or name,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "DO_NOT_TRACK": "true",
                    "GIT_PYTHON_REFRESH": "quiet",
                    "HOME": _WORK,
                    "USER": user,  # MLflow notes it as the run's user; the image knows none
                }
            ),
        ],
        volumes=[work, tmp],
    )
    is_git = project.source == "git"
    place = placement(project.gpu_pool, args.pools[project.gpu_pool]) if project.gpu_pool else {}
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(project.model_dump(mode="json"), _scripts() if is_git else {}),
        volumes=[work, *([scripts] if is_git else [])],
        service_account=SERVICE_ACCOUNT,
        once=True,
        first=[_fetch(project, args.images, [work, tmp, scripts])] if is_git else [],
        node_selector=place.get("nodeSelector"),
        tolerations=place.get("tolerations", ()),
    )


def _fetch(project: Project, images: ImageSource, volumes: Sequence[workloads.Volume]) -> Manifest:
    url, secret = project.uri.partition("#")[0], project.secret
    login = {"GIT_USERNAME": "username", "GIT_PASSWORD": "password"}
    settings = {"HOME": "/tmp", "GIT_TERMINAL_PROMPT": "0"}  # noqa: S108  # a mount inside a container
    return workloads.container(
        _FETCH,
        images.reference(GIT),
        resources=_FETCH_RESOURCES,
        command=["sh", f"{_SCRIPTS}/source.sh"],
        args=[_SOURCE, url, *([project.version] if project.version else [])],
        env=[
            *workloads.plain(settings),
            *(workloads.from_secret(secret.secret_name, login) if secret else []),
        ],
        volumes=volumes,
    )
