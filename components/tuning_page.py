"""Katib's page, and the door in its pod.

Katib's page believes the name that it comes with, and asks Kubernetes what that person may: by name alone, no
groups (0.19). It forgets to ask before it shows architecture search, and keeps templates of trials in
ConfigMaps of any namespace that it may read. So its server listens inside the pod alone; what leads there is
Envoy, which passes on what Katib asks about. Its own account may do in the teams' namespaces what its members
may, and nothing elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pulumi

from blueprints.model.teams import Team
from blueprints.names import team_namespace
from components.manifests import configuration, controllers, envoy, katib, workloads
from components.manifests.controllers import rule
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import API_PORTS, Edge, Outside
from components.members import enter
from components.namespaces import team_app
from components.objects import register
from components.versions.model import Image, ImageSource
from components.versions.pipelines import ENVOY
from components.versions.tuning import KATIB_UI

PAGE = 8080
"""Where Envoy listens; the server itself is behind it."""
IDENTITY = "x-forwarded-email"
"""The header that names a person: components/signon/proxies.py."""
IMAGES: tuple[Image, ...] = (KATIB_UI, ENVOY)
_SERVER = 8081
_ALIVE = "/ziggurat/alive"
"""Where the door asks the server."""
_USER = 1000
_PASSED = (
    "experiments",
    "experiment",
    "trial",
    "suggestion",
    "hp_job_info",
    "hp_job_trial_info",
    "trial_logs",
)
"""What Katib gives to whom Kubernetes lets: `/katib/fetch_<name>/`."""
_CHANGES = {"create": "POST", "delete": "DELETE"}
"""What changes an Experiment, and by which method: Katib takes any, and a link that deletes is a trap."""
_DOOR = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")
_PAGE = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")


def page_app(platform: App) -> App:
    """The page."""
    return replace(platform, name="katib-ui", component="tuning")


def edges(platform: App, manager: App, port: int) -> tuple[Edge, ...]:
    """The page asks Kubernetes, and reads what trials measured."""
    app = page_app(platform)
    # Where the API server is, no NetworkPolicy can say.
    return (Edge(app, manager, port), *(Edge(app, Outside(), each) for each in API_PORTS))


def acting() -> list[Manifest]:
    """What the page's server may do in a team's namespace."""
    return [
        rule(katib.GROUP, ["experiments"], ["get", "list", "create", "delete"]),
        rule(katib.GROUP, ["suggestions"], ["get"]),
        rule(katib.GROUP, ["trials"], ["get", "list"]),
        rule("", ["pods"], ["list"]),
        rule("", ["pods/log"], ["get"]),
    ]


def members() -> list[Manifest]:
    """What it asks about a person before it does so."""
    return [
        rule(katib.GROUP, ["experiments"], ["get", "list", "create", "delete"]),
        rule(katib.GROUP, ["suggestions"], ["get"]),
        rule(katib.GROUP, ["trials"], ["get", "list"]),
        rule("", ["pods/log"], ["get"]),
    ]


def namespaces(platform: str, teams: Mapping[str, Team]) -> dict[str, list[str]]:
    """{person: the namespaces of their teams}."""
    found: dict[str, list[str]] = {}
    for team in sorted(teams):
        for person in teams[team].members:
            found.setdefault(person, []).append(team_namespace(platform, team))
    return dict(sorted(found.items()))


def config(platform: str, teams: Mapping[str, Team]) -> Manifest:
    """The door's configuration, in whole."""
    routes = [
        envoy.ready(),
        {"match": {"path": _ALIVE}, "route": {"cluster": "page", "prefix_rewrite": "/katib/"}},
        envoy.impostor(IDENTITY),
        {"match": {"path": "/"}, "redirect": {"path_redirect": "/katib/"}},
        # Its server would read `%5F` as `_`: nothing of its own needs that.
        _answer({"safe_regex": {"regex": ".*%.*"}}, "No path of this page is spelt so.", 400),
        *(
            _answer(
                {"path": "/katib/fetch_namespaces", "headers": [_is(IDENTITY, person)]}, json.dumps(theirs)
            )
            for person, theirs in namespaces(platform, teams).items()
        ),
        _answer({"path": "/katib/fetch_namespaces"}, "[]"),
        # Its form for an Experiment takes a trial's YAML, then.
        _answer({"path": "/katib/fetch_trial_templates/"}, json.dumps({"Data": []})),
        *(_route({"path": f"/katib/fetch_{name}/"}) for name in _PASSED),
        *(
            _route({"path": f"/katib/{verb}_experiment/", "headers": [_is(":method", method)]})
            for verb, method in _CHANGES.items()
        ),
        # What else its server does, it does without asking.
        _answer(
            {"safe_regex": {"regex": "/katib/(fetch|add|edit|delete|create)_.*"}}, "Not on this page.", 403
        ),
        _route({"prefix": "/katib/", "headers": [_is(":method", "GET")]}),
    ]
    # Not the default of 4 KiB: a person may be in many teams.
    routing = {"max_direct_response_body_size_bytes": 65536}
    listeners = [envoy.listener("people", PAGE, routes, routing=routing)]
    clusters = [envoy.cluster("page", "127.0.0.1", _SERVER)]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _is(header: str, value: str) -> Manifest:
    return {"name": header, "string_match": {"exact": value}}


def _route(match: Manifest) -> Manifest:
    return {"match": match, "route": {"cluster": "page", "timeout": "60s"}}


def _answer(match: Manifest, text: str, status: int = 200) -> Manifest:
    kind = "application/json" if status == 200 else "text/plain"
    header = {"header": {"key": "content-type", "value": kind}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": text}},
        "response_headers_to_add": [header],
    }


def files(platform: str, teams: Mapping[str, Team]) -> dict[str, str]:
    """The door's ConfigMap."""
    return {envoy.FILE: json.dumps(config(platform, teams), indent=1, sort_keys=True)}


def pod(app: App, images: ImageSource, manager: str, configuration: Mapping[str, str]) -> Manifest:
    """The page's server, and its door. It has a token: it asks Kubernetes. `manager`: what trials told."""
    volumes = envoy.volumes(app.name)
    settings = {
        "APP_DISABLE_AUTH": "false",
        "USERID_HEADER": IDENTITY,
        "USERID_PREFIX": "",  # its own, `:`, would be cut out of names
        "KATIB_CORE_NAMESPACE": app.namespace,
    }
    alive = workloads.http_probe(_ALIVE, PAGE, periodSeconds=5)
    server = workloads.container(
        "server",
        images.reference(KATIB_UI),
        resources=_PAGE,
        command=["./katib-ui"],
        args=["--host=127.0.0.1", f"--port={_SERVER}", f"--db-manager-address={manager}"],
        env=workloads.plain(settings),
        probes={
            "readinessProbe": alive,
            "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
        },
    )
    door = envoy.container(app.name, images.reference(ENVOY), _DOOR, {"http": PAGE}, volumes)
    template = workloads.pod_template(
        app,
        door,
        user=_USER,
        config_hash=digest(settings, dict(configuration)),
        volumes=volumes,
        pull_secret=images.pull_secret,
        spread=True,
    )
    # Not as one that starts first and runs beside: it asks to be looked at through the door.
    template["spec"]["containers"].append(server)
    template["spec"]["automountServiceAccountToken"] = True
    return template


def register_page(
    parent: pulumi.Resource,
    app: App,
    teams: Mapping[str, Team],
    namespaces: Mapping[str, pulumi.Resource],
    images: ImageSource,
    manager: str,
    after: tuple[pulumi.Resource, ...],
) -> list[pulumi.Resource]:
    """Registers the page, its rights, and those of the teams' members; `after` comes before all of it."""
    acts, asks, theirs = (f"{app.platform}-katib-ui{end}" for end in ("-teams", "", "-members"))
    reviews = rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"])
    configuration_files = files(app.platform, teams)
    before = [
        register(parent, each, depends_on=after)
        for each in (
            configuration.service_account(app, speaks="it asks what its visitors may, and does it for them"),
            configuration.config_map(app, configuration_files),
            controllers.cluster_role(app, asks, [reviews]),
            controllers.everywhere(app, asks),
            controllers.cluster_role(app, acts, acting()),
            controllers.cluster_role(app, theirs, members()),
            # After it has deleted an Experiment it lists all: where it may not, those of its own namespace.
            controllers.role(app, [rule(katib.GROUP, ["experiments"], ["list"])]),
            controllers.at_home(app),
            workloads.disruption_budget(app),
        )
    ]
    for team in sorted(teams):
        mine, ready = team_app(app.platform, team), [namespaces[team], *before]
        register(parent, controllers.in_namespace(mine, app.name, acts, app), depends_on=ready)
        enter(parent, mine, teams[team].members, "tuning-page", theirs, after=ready)
    template = pod(app, images, manager, configuration_files)
    server = register(parent, workloads.deployment(app, template), depends_on=[*after, *before])
    # Beside its workload, not before it: a Service is awaited until a pod is ready behind it.
    service = register(parent, workloads.service(app, {"http": PAGE}), depends_on=after)
    return [server, service]
