"""The notebooks' page: a door that leads people to the notebooks of their own teams, and to no other.

A notebook asks nobody who they are, and whoever reaches one has a shell. The door (Envoy) verifies the ID
token that the login hands it, whichever does: signature, issuer, audience, times. The token's groups are a
list, so no group's name can be taken for another's, as in a header that joins them by commas. A route leads
to a team's namespace, and only one of the team's groups passes it. What is passed on has neither the token
nor the cookies of the login: the notebook's owner could be its visitor with these.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi

from blueprints.model import Blueprint
from blueprints.names import team_namespace
from components.apps import Apps
from components.manifests import configuration, envoy, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import Edge, NotebookPods, notebooks_policy
from components.manifests.refusals import Refusal
from components.namespaces import team_app
from components.notebooks import PAGE, page_app
from components.objects import component_token, register
from components.scripts import script
from components.signon.issuer import CA_FILE, Issuer, client, client_edges, issuer
from components.signon.policies import FORGEABLE
from components.sites import notebooks as notebooks_site
from components.versions.model import ImageSource
from components.versions.pipelines import ENVOY

SERVER = 8888
"""Where a notebook's pod listens: Kubeflow's own port."""
_SERVICE = 80
_USER = 1000
_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="512Mi")
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
_JWT = "envoy.filters.http.jwt_authn"
_RBAC = "envoy.filters.http.rbac"
_NAMED = "/notebook/[-a-z0-9]+/[a-z0-9][-a-z0-9]*(/.*)?"
"""A path that names a notebook by what names of Services are made of. Not with the namespace in it: Envoy
refuses expressions that are longer than most."""
_DNS: Manifest = {
    "name": "notebooks",
    "dns_lookup_family": "ALL",
    "dns_failure_refresh_rate": {"base_interval": "2s", "max_interval": "10s"},
    "host_ttl": "300s",
}


@dataclass(frozen=True)
class NotebooksPageArgs:
    """What a NotebooksPage is made of."""

    app: App
    issuer: Issuer
    audience: str
    """The client that tokens for this page are made for."""
    groups: Mapping[str, tuple[str, ...]]
    """The groups of each team."""
    namespaces: Mapping[str, pulumi.Resource]
    """The namespace of each team."""
    images: ImageSource
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""


def page_args(
    blueprint: Blueprint,
    namespaces: Mapping[str, pulumi.Resource],
    images: ImageSource,
    after: tuple[pulumi.Resource, ...] = (),
) -> NotebooksPageArgs | None:
    """What the page of a blueprint is made of; None where there is none."""
    site, found = notebooks_site(blueprint), issuer(blueprint)
    if site is None or found is None:
        return None
    groups = {team: blueprint.teams[team].groups for team in sorted(blueprint.teams)}
    return NotebooksPageArgs(
        site.app, found, client(blueprint, site).id, groups, namespaces, images, after=after
    )


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """The door reaches notebooks, and the issuer's keys."""
    if notebooks_site(blueprint) is None:
        return ()
    app = page_app(Apps.of(blueprint.name).platform)
    return (Edge(app, NotebookPods(blueprint.name), SERVER), *client_edges(blueprint, app))


class NotebooksPage(pulumi.ComponentResource):
    """The door, a way into the notebooks of each team for it alone, and a bound of the teams' Services."""

    def __init__(
        self, name: str, args: NotebooksPageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(NotebooksPage), name, {"teams": sorted(args.groups)}, opts)
        app = args.app
        files = {envoy.FILE: json.dumps(config(args), indent=1, sort_keys=True)}
        before = [
            register(self, each, depends_on=args.after)
            for each in (
                configuration.service_account(app),
                configuration.config_map(app, files),
                workloads.disruption_budget(app),
            )
        ]
        bound = register(self, SERVICES.policy(app), depends_on=args.after)
        bound = register(self, SERVICES.binding(app), depends_on=[bound])
        ways = [
            register(
                self,
                notebooks_policy(team_app(app.platform, team), app, SERVER),
                depends_on=[args.namespaces[team], bound],
            )
            for team in args.groups
        ]
        server = register(
            self, workloads.deployment(app, pod(args, files)), depends_on=[*before, *ways, bound]
        )
        # Beside its workload, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"http": PAGE}), depends_on=args.after)
        self.ready: tuple[pulumi.Resource, ...] = (server, service)
        self.register_outputs({})


def config(args: NotebooksPageArgs) -> Manifest:
    """The door's configuration, in whole."""
    routes = [
        {**envoy.ready(), **_asking({})},
        {**_text({"path": "/"}, 200, index(args), "text/html; charset=utf-8"), **_asking({})},
        *(_team(args, team) for team in args.groups),
        {**_text({"prefix": "/"}, 403, _NOT_YOURS), **_asking({})},
    ]
    filters = [
        envoy.http_filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", **_tokens(args)),
        envoy.http_filter("rbac", "rbac.v3.RBAC", rules={"action": "ALLOW", "policies": {}}),
        envoy.http_filter(
            "lua",
            "lua.v3.Lua",
            default_source_code={"inline_string": script("notebooks_door.lua")},
        ),
        envoy.http_filter(
            "set_filter_state",
            "set_filter_state.v3.Config",
            on_request_headers=[
                _state("host", "%DYNAMIC_METADATA(ziggurat:service)%"),
                _state("port", str(_SERVICE)),
            ],
        ),
        envoy.http_filter(
            "dynamic_forward_proxy",
            "dynamic_forward_proxy.v3.FilterConfig",
            dns_cache_config=_DNS,
            allow_dynamic_host_from_filter_state=True,
        ),
    ]
    listener = envoy.listener(
        "people",
        PAGE,
        routes,
        filters=filters,
        # Slashes stay as they are spelt: a notebook is chosen before the first that could be one, and what
        # follows is that notebook's own business.
        meant={**envoy.MEANT, "path_with_escaped_slashes_action": "KEEP_UNCHANGED"},
        idle="3600s",
        routing={"max_direct_response_body_size_bytes": 262144},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        local_reply_config={"mappers": [_told(403, _NOT_YOURS), _told(503, _NOT_THERE)]},
    )
    return {"static_resources": {"listeners": [listener], "clusters": [_notebooks(), _keys(args.issuer)]}}


_NOT_YOURS = "This notebook belongs to a team that you are not in. At / is the list of teams.\n"
_NOT_THERE = "There is no such notebook, or it does not run.\n"


def _asking(rbac: Manifest) -> Manifest:
    """What a route asks of who comes; nothing asked is nothing checked but the token."""
    kind = f"{envoy.TYPE}.extensions.filters.http.rbac.v3.RBACPerRoute"
    return {"typed_per_filter_config": {_RBAC: {"@type": kind, **rbac}}}


def _team(args: NotebooksPageArgs, team: str) -> Manifest:
    """The route to the notebooks of a team."""
    namespace = team_namespace(args.app.platform, team)
    principals = [_member(args.issuer.groups_claim, group) for group in args.groups[team]]
    named = {"url_path": {"path": {"safe_regex": {"regex": _NAMED}}}}
    policies = {team: {"permissions": [named], "principals": principals}} if principals else {}
    return {
        "match": {"prefix": f"/notebook/{namespace}/"},
        "route": {"cluster": "notebooks", "timeout": "0s"},
        "request_headers_to_remove": ["authorization", *FORGEABLE],
        **_asking({"rbac": {"rules": {"action": "ALLOW", "policies": policies}}}),
    }


def _member(claim: str, group: str) -> Manifest:
    """Somebody whose token has this group, whole: as one of a list, or as the only one."""
    exactly = {"string_match": {"exact": group}}
    values = [{"list_match": {"one_of": exactly}}, exactly]
    ways = [
        {
            "sourced_metadata": {
                "metadata_matcher": {
                    "filter": _JWT,
                    "path": [{"key": "token"}, {"key": claim}],
                    "value": value,
                }
            }
        }
        for value in values
    ]
    return {"or_ids": {"ids": ways}}


def _tokens(args: NotebooksPageArgs) -> Manifest:
    assert args.issuer.endpoints is not None  # noqa: S101  # the rules of blueprints ask for them
    provider = {
        "issuer": args.issuer.url,
        "audiences": [args.audience],
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": False,
        "payload_in_metadata": "token",
        "require_expiration": True,
        "remote_jwks": {
            "http_uri": {"uri": args.issuer.endpoints.keys, "cluster": "keys", "timeout": "5s"},
            "cache_duration": "300s",
            "async_fetch": {"fast_listener": True},  # the issuer may come up later
        },
    }
    return {
        "providers": {"issuer": provider},
        "rules": [
            {"match": {"path": envoy.READY}},
            {"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}},
        ],
    }


def _state(what: str, value: str) -> Manifest:
    text = {"text_format_source": {"inline_string": value}}
    return {"object_key": f"envoy.upstream.dynamic_{what}", "format_string": text, "skip_if_empty": True}


def _told(status: int, text: str) -> Manifest:
    value = {"default_value": status, "runtime_key": f"ziggurat.status_{status}"}
    comparison = {"op": "EQ", "value": value}
    return {
        "filter": {"status_code_filter": {"comparison": comparison}},
        "body": {"inline_string": text},
    }


def _text(match: Manifest, status: int, text: str, kind: str = "text/plain") -> Manifest:
    header = {"key": "content-type", "value": kind}
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": text}},
        "response_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _notebooks() -> Manifest:
    return {
        "name": "notebooks",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "10s",
        "cluster_type": envoy.extension(
            "envoy.clusters.dynamic_forward_proxy",
            "clusters.dynamic_forward_proxy.v3.ClusterConfig",
            dns_cache_config=_DNS,
        ),
    }


def _keys(issuer: Issuer) -> Manifest:
    """Where the issuer's keys are; by https, with a certificate for that name."""
    assert issuer.endpoints is not None  # noqa: S101  # the rules of blueprints ask for them
    url = urlsplit(issuer.endpoints.keys)
    encrypted = url.scheme == "https"
    host = url.hostname or ""
    made = envoy.cluster("keys", host, url.port or (443 if encrypted else 80))
    if not encrypted:
        return made
    trusted = {"trusted_ca": {"filename": CA_FILE if issuer.ca else _TRUSTED}}
    name = {"san_type": "DNS", "matcher": {"exact": host}}
    checked = {**trusted, "match_typed_subject_alt_names": [name]}
    tls = envoy.extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.UpstreamTlsContext",
        sni=host,
        common_tls_context={"validation_context": checked},
    )
    return {**made, "transport_socket": tls}


def index(args: NotebooksPageArgs) -> str:
    """What is at `/`: the form of the address of each team's notebooks."""
    platform = args.app.platform
    lines = [
        f"<li>{html.escape(team)}: <code>/notebook/{team_namespace(platform, team)}/NAME/</code></li>"
        for team in args.groups
    ]
    return (
        "<!doctype html><meta charset=utf-8><title>Notebooks</title><h1>Notebooks</h1>"
        "<p>NAME is the Notebook's; the teams that you are in let you in.</p>"
        f"<ul>{''.join(lines)}</ul>\n"
    )


def pod(args: NotebooksPageArgs, files: Mapping[str, str]) -> Manifest:
    """Envoy, which reads its configuration when it starts."""
    app = args.app
    volumes = [*envoy.volumes(app.name), *args.issuer.ca_volumes()]
    door = envoy.container(app.name, args.images.reference(ENVOY), _RESOURCES, {"http": PAGE}, volumes)
    return workloads.pod_template(
        app,
        door,
        user=_USER,
        config_hash=digest(dict(files)),
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        spread=True,
    )


SERVICES = Refusal(
    "notebook-services",
    "",
    "v1",
    "services",
    "!has(object.spec.type) || object.spec.type != 'ExternalName'",
    "a Service of the type ExternalName could lead to another team's notebooks. "
    "To do: name that host where it is used",
)
"""No Service of a team is a name for something else: the door, which reaches all teams' notebooks, would
go there for it."""
