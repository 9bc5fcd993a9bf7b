"""Notebooks: Kubeflow's notebook controller, and its rights in the namespaces of teams.

Kubeflow's notebook servers have no login: whoever reaches one has a shell in it. So no pod reaches them but
the door of their page (components/notebooks_page.py), where there is one; and the Kubernetes API server,
which knows the team's members, forwards a port.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi

from blueprints.model.kubeflow import Notebooks
from blueprints.model.teams import Team
from components.manifests import configuration, controllers, network, workloads
from components.manifests.controllers import READ, rule
from components.manifests.metadata import App, Manifest, digest
from components.manifests.namespaces import Grant
from components.manifests.network import Edge
from components.members import admit
from components.namespaces import team_app
from components.objects import component_token, register
from components.versions.model import Image, ImageSource
from components.versions.notebooks import JUPYTER, NOTEBOOK_CONTROLLER
from components.versions.pipelines import ENVOY

COMPONENT = "notebooks"
GROUP = "kubeflow.org"
_HEALTH = 8081
_USER = 1000
_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")


def controller_app(platform: App) -> App:
    """The controller."""
    return replace(platform, name="notebook-controller", component=COMPONENT)


PAGE = 8080
"""Where the door of the page listens."""


def page_app(platform: App) -> App:
    """The door of the page."""
    return replace(platform, name="notebooks-page", component=COMPONENT)


def images(chosen: Notebooks | None) -> tuple[Image, ...]:
    """The controller's image, and a notebook's."""
    if chosen is None:
        return ()
    return (NOTEBOOK_CONTROLLER, JUPYTER, *((ENVOY,) if chosen.host else ()))


def edges(chosen: Notebooks | None, platform: App) -> tuple[Edge, ...]:
    """The controller calls the API server, and no notebook."""
    return network.controller(controller_app(platform)) if chosen else ()


@dataclass(frozen=True)
class PlatformNotebooksArgs:
    """What PlatformNotebooks are made of."""

    platform: App
    """The platform as a whole: in its namespace the controller runs."""
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""


class PlatformNotebooks(pulumi.ComponentResource):
    """The kind Notebook, its controller, and the controller's rights in each team's namespace."""

    def __init__(
        self, name: str, args: PlatformNotebooksArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(PlatformNotebooks), name, {"teams": sorted(args.teams)}, opts)
        app = controller_app(args.platform)
        seen, acted = f"{app.platform}-notebooks", f"{app.platform}-notebooks-teams"
        before = [
            register(self, each, depends_on=args.after)
            for each in (
                kind(app),
                controllers.cluster_role(app, seen, watching()),
                controllers.cluster_role(app, acted, acting()),
                controllers.everywhere(app, seen),
                configuration.service_account(app, speaks="it makes the workloads of notebooks"),
                workloads.disruption_budget(app),
            )
        ]
        bound = [
            register(
                self,
                controllers.in_namespace(team_app(app.platform, team), app.name, acted, app),
                depends_on=[args.namespaces[team], *before],
            )
            for team in sorted(args.teams)
        ]
        deployment = workloads.deployment(app, controller_pod(app, args.images))
        controller = register(self, deployment, depends_on=[*before, *bound])
        for team in sorted(args.teams):
            admit(
                self,
                team_app(app.platform, team),
                args.teams[team].groups,
                COMPONENT,
                Grant(GROUP, ("notebooks",), edits=True),
                namespace=args.namespaces[team],
            )
        self.ready: tuple[pulumi.Resource, ...] = (controller,)
        self.register_outputs({})


def kind(app: App) -> Manifest:
    """Notebook. The controller reads v1beta1 of it; v1 is what is stored, and what people write."""
    columns = (("Ready", "integer", ".status.readyReplicas"), ("Age", "date", ".metadata.creationTimestamp"))
    return controllers.definition(app, GROUP, "Notebook", "notebooks", ("v1beta1", "v1"), columns)


def watching() -> list[Manifest]:
    """What the controller has to see everywhere: it watches whole kinds. It makes nothing by this."""
    return [
        rule("", ["events", "pods", "services"], READ),
        rule("apps", ["statefulsets"], READ),
        rule(GROUP, ["notebooks"], READ),
    ]


def acting() -> list[Manifest]:
    """What it may do in a team's namespace: run a notebook's StatefulSet behind a Service."""
    edit = ["create", "update", "patch", "delete"]
    return [
        rule("", ["services"], edit),
        rule("", ["events"], ["create", "patch"]),
        rule("apps", ["statefulsets"], edit),
        rule(GROUP, ["notebooks", "notebooks/status", "notebooks/finalizers"], ["update", "patch"]),
    ]


def controller_pod(app: App, images: ImageSource) -> Manifest:
    """The controller. It has a token: it works through the Kubernetes API."""
    settings = {"USE_ISTIO": "false", "ENABLE_CULLING": "false", "CLUSTER_DOMAIN": "cluster.local"}
    main = workloads.container(
        app.name,
        images.reference(NOTEBOOK_CONTROLLER),
        resources=_RESOURCES,
        command=["/manager"],
        env=workloads.plain(settings),
        ports={"healthz": _HEALTH},
        probes={
            "readinessProbe": workloads.http_probe("/readyz", _HEALTH, periodSeconds=5),
            "livenessProbe": workloads.http_probe("/healthz", _HEALTH, periodSeconds=10, failureThreshold=6),
        },
    )
    template = workloads.pod_template(
        app, main, user=_USER, config_hash=digest(settings), pull_secret=images.pull_secret
    )
    template["spec"]["automountServiceAccountToken"] = True
    return template
