"""Dex, the issuer that the platform runs: the organisation's users by connectors, or a few of its own.

Its state (keys, refresh tokens, logins under way) is objects of its own kinds in the platform's namespace.
In the registry database it would need a role and a database that only the embedded one could be given, and
every backup would hold the keys that tokens are signed with.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import pulumi

from blueprints.model import Blueprint
from blueprints.model.access import Connector, EmbeddedAuth
from components.credentials import Credentials, Label
from components.manifests import configuration, controllers, workloads
from components.manifests.metadata import App, Manifest, digest
from components.manifests.network import API_PORTS, Edge, Outside
from components.objects import component_token, register
from components.signon.issuer import CLIENT_SECRET, DEX_PORT, dex_app, login_secret
from components.sites import Site, sites
from components.versions import DEX, ImageSource

GROUP = "dex.coreos.com"
KINDS = {
    "authcodes": "AuthCode",
    "authrequests": "AuthRequest",
    "connectors": "Connector",
    "devicerequests": "DeviceRequest",
    "devicetokens": "DeviceToken",
    "oauth2clients": "OAuth2Client",
    "offlinesessionses": "OfflineSessions",
    "passwords": "Password",
    "refreshtokens": "RefreshToken",
    "signingkeies": "SigningKey",
}
"""What Dex 2.45 stores, by plural; two of the plurals are odd, and have to be."""
USERS = "dex-users"
"""The Secret with the hashes of its own users' passwords."""
_TELEMETRY = 5558
_USER = 1001
_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")
_SPEAKS = "it keeps its state in objects of Kubernetes"
_CONFIG = "/etc/dex"
_USER_IDS = uuid.UUID("0b8d8c4e-7d0f-5b1c-9a58-0a6f7f7c2b11")
"""The namespace (RFC 4122) of the identifiers of its own users."""


def edges(blueprint: Blueprint) -> tuple[Edge, ...]:
    """Dex keeps its state behind the API server, and asks its connectors who people are."""
    auth = blueprint.auth
    if not isinstance(auth, EmbeddedAuth):
        return ()
    ports = [*API_PORTS, *(port for each in auth.connectors.values() for port in connector_ports(each))]
    return tuple(Edge(dex_app(blueprint.name), Outside(), port) for port in dict.fromkeys(ports))


def connector_ports(connector: Connector) -> list[int]:
    """The ports on which a connector's servers are: those of the URLs in its configuration, and LDAP's."""
    ports = [443]
    for text in _texts(connector.config):
        if text.startswith(("https://", "http://")):
            url = urlsplit(text)
            ports.append(url.port or (443 if url.scheme == "https" else 80))
    if connector.type == "ldap":
        plain = connector.config.get("insecureNoSSL") or connector.config.get("startTLS")
        found = re.search(r":(\d+)$", str(connector.config.get("host", "")))
        ports = [int(found[1]) if found else 389 if plain else 636]
    return list(dict.fromkeys(ports))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in cast("dict[str, Any]", value).values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in cast("list[Any]", value) for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@dataclass(frozen=True)
class EmbeddedIssuerArgs:
    """What an EmbeddedIssuer is made of."""

    app: App
    auth: EmbeddedAuth
    sites: Sequence[Site]
    """The pages that people log in to: each is a client."""
    images: ImageSource
    credentials: Credentials = field(repr=False)
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the platform's namespace and its policies."""


def issuer_args(
    blueprint: Blueprint, images: ImageSource, credentials: Credentials, after: tuple[pulumi.Resource, ...]
) -> EmbeddedIssuerArgs | None:
    """What the embedded issuer of a blueprint is made of; None where there is none."""
    if not isinstance(blueprint.auth, EmbeddedAuth):
        return None
    app = dex_app(blueprint.name)
    return EmbeddedIssuerArgs(app, blueprint.auth, sites(blueprint), images, credentials, after)


class EmbeddedIssuer(pulumi.ComponentResource):
    """Dex with its kinds, its rights, its clients and its own users."""

    url: pulumi.Output[str]
    """The issuer's URL."""

    def __init__(
        self, name: str, args: EmbeddedIssuerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(component_token(EmbeddedIssuer), name, {"issuer": args.auth.issuer}, opts)
        app, files = args.app, {"config.yaml": config_text(args)}
        kinds = [register(self, definition(app, plural), depends_on=args.after) for plural in KINDS]
        self.secrets: tuple[pulumi.Resource, ...] = tuple(
            register(self, manifest, depends_on=args.after) for manifest in secrets(args)
        )
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(app, speaks=_SPEAKS),
                *rights(app),
                configuration.config_map(app, files),
                workloads.disruption_budget(app),
            )
        ]
        server = register(
            self,
            workloads.deployment(app, pod(args, files), args.auth.replicas),
            depends_on=[*kinds, *self.secrets, *before],
        )
        # Beside its workload, not before it: a Service is awaited until a pod is ready behind it.
        service = register(self, workloads.service(app, {"http": DEX_PORT}), depends_on=args.after)
        self.ready: tuple[pulumi.Resource, ...] = (server, service)
        self.url = pulumi.Output.from_input(args.auth.issuer)
        self.register_outputs({"url": self.url})


def definition(app: App, plural: str) -> Manifest:
    """One of Dex's kinds. Dex says nothing of its form, and with `crdHandling: check` makes none itself: it
    would need to be let make kinds for the whole cluster."""
    return controllers.definition(app, GROUP, KINDS[plural], plural, ("v1",), status=False)


def rights(app: App) -> list[Manifest]:
    """Dex may do with its own kinds what it likes, in its namespace; nothing else."""
    api_group = "rbac.authorization.k8s.io"
    rule = {
        "apiGroups": [GROUP],
        "resources": sorted(KINDS),
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }
    return [
        {"apiVersion": f"{api_group}/v1", "kind": "Role", "metadata": app.metadata(), "rules": [rule]},
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "RoleBinding",
            "metadata": app.metadata(),
            "roleRef": {"apiGroup": api_group, "kind": "Role", "name": app.name},
            "subjects": [{"kind": "ServiceAccount", "name": app.name, "namespace": app.namespace}],
        },
    ]


def client_variable(site: Site) -> str:
    """The variable with the secret of a page's client."""
    return f"CLIENT_{site.name.upper().replace('-', '_')}"


def user_variable(email: str) -> str:
    """The variable with the hash of a user's password."""
    return f"USER_{digest(email).upper()}"


def connector_variable(connector: str, name: str) -> str:
    """The variable with a secret of a connector: two connectors may call theirs the same."""
    return f"CONNECTOR_{connector.upper().replace('-', '_')}_{name}"


def user_secret(email: str) -> str:
    """The Secret with the password of one of the issuer's own users."""
    return f"login-user-{digest(email)}"


def secrets(args: EmbeddedIssuerArgs) -> list[Manifest]:
    """The secret of each client; the password of each of its own users, for who hands it on, and its hash."""
    app, credentials = args.app, args.credentials
    made = [
        configuration.secret(
            app, {CLIENT_SECRET: credentials.password(Label.login_client(site.name))}, login_secret(site)
        )
        for site in args.sites
    ]
    for email in sorted(args.auth.users):
        values = {"username": email, "password": credentials.password(Label.login_user(email))}
        made.append(configuration.secret(app, values, user_secret(email)))
    if args.auth.users:
        hashes = {
            user_variable(email): credentials.bcrypt(Label.login_user(email)) for email in args.auth.users
        }
        made.append(configuration.secret(app, hashes, USERS))
    return made


def config_text(args: EmbeddedIssuerArgs) -> str:
    """Dex's configuration, without a secret. JSON is YAML, and is the same text on every machine."""
    auth = args.auth
    document: Manifest = {
        "issuer": auth.issuer,
        "storage": {"type": "kubernetes", "config": {"inCluster": True, "crdHandling": "check"}},
        "web": {"http": f"0.0.0.0:{DEX_PORT}"},
        "telemetry": {"http": f"0.0.0.0:{_TELEMETRY}"},
        "logger": {"level": "info", "format": "json"},
        "expiry": {
            "idTokens": "1h",
            # A browser that asks twice at once must not be logged out for it.
            "refreshTokens": {
                "reuseInterval": "30s",
                "validIfNotUsedFor": "168h",
                "absoluteLifetime": "720h",
            },
        },
        "oauth2": {
            "grantTypes": ["authorization_code", "refresh_token"],
            "responseTypes": ["code"],
            "skipApprovalScreen": True,  # all clients are the platform's own pages
        },
        "staticClients": [
            {
                "id": site.name,
                "name": site.title,
                "secretEnv": client_variable(site),
                "redirectURIs": [f"https://{site.host}{site.callback}"],
            }
            for site in args.sites
        ],
        "connectors": [_connector(name, auth.connectors[name]) for name in sorted(auth.connectors)],
        "enablePasswordDB": bool(auth.users),
        "staticPasswords": [_user(email, auth) for email in sorted(auth.users)],
    }
    return json.dumps({key: value for key, value in document.items() if value != []}, indent=1)


def _connector(name: str, connector: Connector) -> Manifest:
    variables = {key: connector_variable(name, key) for key in connector.secrets}
    config = _renamed(connector.config, variables)
    return {"type": connector.type, "id": name, "name": connector.name, "config": config}


def _renamed(value: Any, variables: Mapping[str, str]) -> Any:
    """`value` with `$NAME` in its texts replaced by the variable that Dex finds the secret in."""
    if isinstance(value, dict):
        return {key: _renamed(item, variables) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_renamed(item, variables) for item in cast("list[Any]", value)]
    if isinstance(value, str):
        return re.sub(r"\$\{?(\w+)\}?", lambda found: f"${{{variables.get(found[1], found[1])}}}", value)
    return value


def _user(email: str, auth: EmbeddedAuth) -> Manifest:
    user = auth.users[email]
    name = user.name or email.partition("@")[0]
    return {
        "email": email,
        "emailVerified": True,
        "username": name,
        "name": name,
        "userID": str(uuid.uuid5(_USER_IDS, email)),
        "groups": list(user.groups),
        "hashFromEnv": user_variable(email),
    }


def pod(args: EmbeddedIssuerArgs, files: Mapping[str, str]) -> Manifest:
    """Dex, with a token of the Kubernetes API: its state is there."""
    app, auth, credentials = args.app, args.auth, args.credentials
    volumes = [workloads.config_files("config", app.name, _CONFIG)]
    env = [
        *(
            variable
            for site in args.sites
            for variable in workloads.from_secret(login_secret(site), {client_variable(site): CLIENT_SECRET})
        ),
        *workloads.from_secret(USERS, {user_variable(email): user_variable(email) for email in auth.users}),
        *(
            variable
            for name in sorted(auth.connectors)
            for key, brought in sorted(auth.connectors[name].secrets.items())
            for variable in workloads.from_secret(
                brought.secret_name, {connector_variable(name, key): brought.key}
            )
        ),
    ]
    main = workloads.container(
        app.name,
        args.images.reference(DEX),
        resources=_RESOURCES,
        command=["dex", "serve", f"{_CONFIG}/config.yaml"],
        env=env,
        ports={"http": DEX_PORT, "telemetry": _TELEMETRY},
        volumes=volumes,
        probes={
            "readinessProbe": workloads.http_probe("/healthz/ready", _TELEMETRY, periodSeconds=5),
            "livenessProbe": workloads.http_probe(
                "/healthz/live", _TELEMETRY, periodSeconds=10, failureThreshold=6
            ),
        },
    )
    labels = [Label.login_client(site.name) for site in args.sites]
    labels += [Label.login_user(email) for email in sorted(auth.users)]
    template = workloads.pod_template(
        app,
        main,
        user=_USER,
        config_hash=digest(dict(files), [credentials.fingerprint(label) for label in labels]),
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        spread=True,
    )
    template["spec"]["automountServiceAccountToken"] = True
    return template
