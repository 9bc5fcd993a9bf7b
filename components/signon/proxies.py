"""oauth2-proxy in front of a page: it logs browsers in, and lets through whom the page is for."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from blueprints.model import Blueprint
from blueprints.names import system_namespace
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import Edge
from components.objects import component_token, register
from components.signon.issuer import CA_FILE, Client, Issuer, admitted, client, client_edges, issuer
from components.sites import Login, Site, sites
from components.versions import OAUTH2_PROXY, ImageSource

PROXY_PORT = 4180
PROGRAM_ROUTES = "^/(api/|v1/traces$|version$|health$)"
"""What programs ask of MLflow: its API, OpenTelemetry's traces, its version, its health."""
USER_HEADER = "X-Forwarded-Email"
"""The header that tells a page with `Login.HEADER` who looks at it."""
_FIRST = "mlflow"
_USER = 2000
_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")


def proxy_app(platform: str, site: str) -> App:
    """The login proxy of a page. That of MLflow's was there first, and keeps its name."""
    name = "oauth2-proxy" if site == _FIRST else f"oauth2-proxy-{site}"
    return App(platform, system_namespace(platform), name, "auth")


def cookie_label(site: str) -> str:
    """What a page's sessions are encrypted with."""
    return Label.OIDC_COOKIE if site == _FIRST else Label.cookie(site)


def proxied(blueprint: Blueprint) -> tuple[Site, ...]:
    """The pages that have a login proxy."""
    gateway = blueprint.gateway
    if issuer(blueprint) is None or (gateway and gateway.login == "securityPolicy"):
        return ()
    return tuple(site for site in sites(blueprint) if site.login is not Login.OWN)


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """A login proxy reaches its page and the issuer."""
    found: list[Edge] = []
    for site in proxied(blueprint):
        app = proxy_app(blueprint.name, site.name)
        found += [Edge(app, site.app, site.port), *client_edges(blueprint, app)]
    return tuple(found)


@dataclass(frozen=True)
class LoginProxy:
    """One login proxy."""

    app: App
    site: Site
    issuer: Issuer
    client: Client
    groups: Sequence[str]
    """Whom the page is for."""
    images: ImageSource
    credentials: Credentials = field(repr=False)


def login_proxy(
    blueprint: Blueprint, site: Site, images: ImageSource, credentials: Credentials
) -> LoginProxy:
    """The login proxy of a page; ValueError where there is no issuer."""
    found = issuer(blueprint)
    if found is None:
        raise ValueError(f"nobody can log in to {site.title}: there is no issuer")
    groups = admitted(blueprint, site.audience)
    app = proxy_app(blueprint.name, site.name)
    return LoginProxy(app, site, found, client(blueprint, site), groups, images, credentials)


def register_proxy(
    parent: pulumi.Resource,
    proxy: LoginProxy,
    *,
    after: Sequence[pulumi.Resource],
    server: Sequence[pulumi.Resource] = (),
) -> None:
    """Registers a login proxy; `after` comes before all of it, `server` before its pods."""
    app = proxy.app
    cookie = proxy.credentials.key(cookie_label(proxy.site.name))
    before = [
        register(parent, manifest, depends_on=after)
        for manifest in (
            configuration.service_account(app),
            configuration.secret(app, {"cookie-secret": cookie}),
            workloads.disruption_budget(app),
        )
    ]
    register(parent, workloads.deployment(app, pod(proxy)), depends_on=[*before, *server])
    # Beside its workload, not before it: a Service is awaited until a pod is ready behind it.
    register(parent, workloads.service(app, {"http": PROXY_PORT}), depends_on=after)


def upstream(site: Site) -> str:
    """The page's URL inside the cluster."""
    return f"http://{site.app.name}.{site.app.namespace}.svc.cluster.local:{site.port}"


def flags(proxy: LoginProxy) -> list[str]:
    """What oauth2-proxy is told; its secrets are in its environment."""
    issuer = proxy.issuer
    return [
        f"--http-address=0.0.0.0:{PROXY_PORT}",
        f"--upstream={upstream(proxy.site)}",
        "--provider=oidc",
        f"--oidc-issuer-url={issuer.url}",
        *_endpoints(issuer),
        *([f"--provider-ca-file={CA_FILE}"] if issuer.ca else []),
        f"--client-id={proxy.client.id}",
        f"--redirect-url=https://{proxy.site.host}{proxy.site.callback}",
        f"--scope={' '.join(issuer.scopes)}",
        f"--oidc-email-claim={issuer.username_claim}",
        f"--oidc-groups-claim={issuer.groups_claim}",
        "--insecure-oidc-allow-unverified-email=false",
        "--email-domain=*",  # who gets in is decided by groups
        "--code-challenge-method=S256",
        "--insecure-oidc-skip-nonce=false",  # a token is for the login that asked for it
        "--skip-provider-button=true",
        "--approval-prompt=auto",  # its own default, `force`, has Dex ask for leave at each login
        *_identity(proxy),
        "--pass-basic-auth=false",
        "--pass-host-header=true",
        "--cookie-secure=true",
        "--cookie-samesite=lax",
        "--cookie-name=__Host-ziggurat",
        f"--cookie-refresh={issuer.refresh}",
        # The default of 30s ends big uploads, which MLflow answers when the store has taken them.
        "--upstream-timeout=15m",
        "--silence-ping-logging=true",
    ]


def _endpoints(issuer: Issuer) -> list[str]:
    if issuer.endpoints is None:
        return []
    return [
        "--skip-oidc-discovery=true",
        f"--login-url={issuer.endpoints.login}",
        f"--redeem-url={issuer.endpoints.token}",
        f"--oidc-jwks-url={issuer.endpoints.keys}",
    ]


def _identity(proxy: LoginProxy) -> list[str]:
    """How the page learns who looks at it, and who may."""
    match proxy.site.login:
        case Login.BEARER:
            # The page verifies the token and knows the groups itself. Browsers use /ajax-api/, programs the
            # other routes: they log in at MLflow itself, by password or token. /health alone is open there.
            return [
                "--pass-authorization-header=true",
                "--pass-user-headers=false",  # MLflow believes the token only
                f"--skip-auth-route={PROGRAM_ROUTES}",
                "--skip-auth-strip-headers=false",
                "--api-route=^/ajax-api/",
            ]
        case Login.HEADER:
            # What a browser sends of these headers itself is taken away (--skip-auth-strip-headers).
            passed = ["--pass-user-headers=true", "--skip-auth-strip-headers=true"]
        case Login.TOKEN:
            passed = ["--pass-authorization-header=true", "--pass-user-headers=false"]
        case _:
            passed = ["--pass-user-headers=false"]
    return [*passed, *(f"--allowed-group={_listed(group)}" for group in proxy.groups)]


def _listed(group: str) -> str:
    """A group as one entry of a list: the flag's value is split at commas, as a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([group])
    return line.getvalue()


def pod(proxy: LoginProxy) -> Manifest:
    """The login page's server."""
    app, options, volumes = proxy.app, flags(proxy), proxy.issuer.ca_volumes()
    env = [
        *workloads.from_secret(app.name, {"OAUTH2_PROXY_COOKIE_SECRET": "cookie-secret"}),
        *workloads.from_secret(proxy.client.secret_name, {"OAUTH2_PROXY_CLIENT_SECRET": proxy.client.key}),
    ]
    main = workloads.container(
        app.name,
        proxy.images.reference(OAUTH2_PROXY),
        resources=_RESOURCES,
        args=options,
        env=env,
        volumes=volumes,
        ports={"http": PROXY_PORT},
        probes={
            "readinessProbe": workloads.http_probe("/ready", PROXY_PORT, periodSeconds=5),
            "livenessProbe": workloads.http_probe("/ping", PROXY_PORT, periodSeconds=10, failureThreshold=6),
        },
    )
    labels = [cookie_label(proxy.site.name)]
    if proxy.issuer.app:  # its client's secret is derived, too
        labels.append(Label.login_client(proxy.site.name))
    fingerprints = [proxy.credentials.fingerprint(label) for label in labels]
    return workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(options, *fingerprints),
        volumes=volumes,
        pull_secret=proxy.images.pull_secret,
        spread=True,
    )


@dataclass(frozen=True)
class LoginProxiesArgs:
    """What LoginProxies are made of."""

    proxies: Sequence[LoginProxy]
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and policies, and the issuer's Secrets."""


class LoginProxies(pulumi.ComponentResource):
    """A login proxy in front of each page beside MLflow's."""

    hosts: pulumi.Output[list[str]]
    """The host names of the pages."""

    def __init__(self, name: str, args: LoginProxiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        hosts = [proxy.site.host for proxy in args.proxies]
        super().__init__(component_token(LoginProxies), name, {"hosts": hosts}, opts)
        for proxy in args.proxies:
            register_proxy(self, proxy, after=args.after)
        self.hosts = pulumi.Output.from_input(hosts)
        self.register_outputs({"hosts": self.hosts})
