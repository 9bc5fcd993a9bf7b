"""Who gets in: MLflow's accounts and workspaces, and a single sign-on where the user brings an issuer."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

import pulumi

from blueprints.model.access import OidcAuth
from blueprints.model.teams import Team
from blueprints.names import MAX_LABEL
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.namespaces import team_app
from components.objects import component_token, register
from components.scripts import script
from components.tracking import ADMIN_SECRET, Authorization, service_uri
from components.versions import MLFLOW, OAUTH2_PROXY, ImageSource

PROXY_PORT = 4180
PROGRAM_ROUTES = "^/(api/|v1/traces$|version$|health$)"
"""What programs ask of MLflow: its API, OpenTelemetry's traces, its version, its health."""
OIDC_FUNCTION = "ziggurat_oidc:authenticate"
"""The authorization function of a single sign-on: components/scripts/ziggurat_oidc.py."""
CLIENT_KEYS = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_WORKSPACE",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD",
)
"""What the Secret of an account holds: the environment variables of an MLflow client."""
_CA = "/etc/issuer"
_CA_FILE = f"{_CA}/ca.crt"
_USER = 1000
_PROXY_USER = 2000
_JOB_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="256Mi")
_PROXY_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="256Mi")


def client_secret_name(user: str) -> str:
    """The Secret with what a client of `user` needs. Users may have characters that names may not."""
    name = f"mlflow-{user}"
    fitting = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
    if fitting == name and len(name) <= MAX_LABEL:
        return name
    return f"{fitting[: MAX_LABEL - 9].rstrip('-')}-{sha256(user.encode()).hexdigest()[:8]}"


def client_env(user: str) -> list[Manifest]:
    """The environment of a client of `user`, from the Secret in its team's namespace."""
    return workloads.from_secret(client_secret_name(user), {key: key for key in CLIENT_KEYS})


def accounts(teams: Mapping[str, Team]) -> dict[str, dict[str, str]]:
    """{user: {team: role}}: one name in several teams is one account."""
    found: dict[str, dict[str, str]] = {}
    for team in sorted(teams):
        for user, account in sorted(teams[team].accounts(team).items()):
            found.setdefault(user, {})[team] = account.role.value
    return dict(sorted(found.items()))


def oidc_authorization(auth: OidcAuth, teams: Mapping[str, Team]) -> Authorization:
    """MLflow's side of a single sign-on: what its authorization function has to know."""
    settings = {
        "issuer": auth.issuer,
        "audience": auth.client_id,
        "ca": _CA_FILE if auth.ca_secret else None,
        "usernameClaim": auth.username_claim,
        "groupsClaim": auth.groups_claim,
        "adminGroups": list(auth.admin_groups),
        "teams": {team: list(teams[team].groups) for team in sorted(teams) if teams[team].groups},
        # Nobody may become one of these by what an issuer lets them call themselves.
        "reserved": sorted({auth.admin, *accounts(teams)}),
    }
    return Authorization(
        auth.admin,
        OIDC_FUNCTION,
        {
            "ziggurat_oidc.py": script("ziggurat_oidc.py"),
            "oidc.json": json.dumps(settings, indent=1, sort_keys=True),
        },
        issuer_ca(auth),
    )


def issuer_ca(auth: OidcAuth) -> list[workloads.Volume]:
    """The certificate of the authority that signed the issuer's, where it is none that everybody trusts."""
    ca = auth.ca_secret
    return [workloads.secret_files("issuer-ca", ca.secret_name, _CA, {ca.key: "ca.crt"})] if ca else []


@dataclass(frozen=True)
class AuthArgs:
    """What Auth is made of."""

    job: App
    """The Job that makes accounts and workspaces."""
    proxy: App
    """oauth2-proxy, where there is a single sign-on."""
    tracking: App
    admin: str
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The Namespace of each team."""
    images: ImageSource
    server: tuple[pulumi.Resource, ...]
    """The tracking server, as it answers: accounts are made through its API."""
    credentials: Credentials = field(repr=False)
    oidc: OidcAuth | None = None
    host: str | None = None
    """The name under which people reach the tracking server: a single sign-on leads back to it."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the system namespace and its policies."""


class Auth(pulumi.ComponentResource):
    """A workspace per team, the accounts that the blueprint names, their client Secrets, the login page."""

    accounts: pulumi.Output[dict[str, dict[str, str]]]
    """The role of each account in each team: {user: {team: role}}."""

    def __init__(self, name: str, args: AuthArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        mode = "oidc" if args.oidc else "basic"
        super().__init__(component_token(Auth), name, {"mode": mode}, opts)
        wanted = accounts(args.teams)
        job = self._accounts(name, args, wanted)
        secrets = [
            register(self, client_secret(args, user, team), depends_on=[args.namespaces[team]])
            for user, roles in wanted.items()
            for team in roles
        ]
        self.ready: tuple[pulumi.Resource, ...] = (job, *secrets)
        if args.oidc:
            self._proxy(args, args.oidc)
        self.accounts = pulumi.Output.from_input(wanted)
        self.register_outputs({"accounts": self.accounts})

    def _accounts(
        self, name: str, args: AuthArgs, wanted: Mapping[str, Mapping[str, str]]
    ) -> pulumi.Resource:
        job, credentials = args.job, args.credentials
        desired = {"workspaces": sorted(args.teams), "accounts": wanted}
        passwords = {user: credentials.password(Label.account(user)) for user in wanted}
        files = {"accounts.py": script("accounts.py"), "accounts.json": json.dumps(desired, sort_keys=True)}
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(job),
                configuration.config_map(job, files),
                configuration.secret(job, {"passwords.json": pulumi.Output.json_dumps(passwords)}),
            )
        ]
        fingerprints = [credentials.fingerprint(Label.account(user)) for user in (args.admin, *wanted)]
        template = accounts_pod(args, digest(files, fingerprints))
        manifest = workloads.job(job, digest(template), template)
        return register(self, manifest, name=f"{name}-accounts", depends_on=[*before, *args.server])

    def _proxy(self, args: AuthArgs, oidc: OidcAuth) -> None:
        proxy = args.proxy
        cookie = args.credentials.key(Label.OIDC_COOKIE)
        before = [
            register(self, manifest, depends_on=args.after)
            for manifest in (
                configuration.service_account(proxy),
                configuration.secret(proxy, {"cookie-secret": cookie}),
                workloads.disruption_budget(proxy),
            )
        ]
        manifest = workloads.deployment(proxy, proxy_pod(args, oidc))
        register(self, manifest, depends_on=[*before, *args.server])
        # Beside its workload, not before it: a Service is awaited until a pod is ready behind it.
        register(self, workloads.service(proxy, {"http": PROXY_PORT}), depends_on=args.after)


def client_secret(args: AuthArgs, user: str, team: str) -> Manifest:
    """What a client of `user` in `team` exports.

    MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD and _UPLOAD: MLflow's clients would fetch artifacts from the store
    itself, and from 500 MiB on send them there; no team reaches it. `false` makes them go through the server,
    which checks whose they are.
    """
    values = {
        "MLFLOW_TRACKING_URI": service_uri(args.tracking),
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": args.credentials.password(Label.account(user)),
        "MLFLOW_WORKSPACE": team,
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }
    app = team_app(args.tracking.platform, team)
    return configuration.secret(app, {key: values[key] for key in CLIENT_KEYS}, client_secret_name(user))


def accounts_pod(args: AuthArgs, config_hash: str) -> Manifest:
    """Makes workspaces, accounts and roles through MLflow's API."""
    job = args.job
    volumes = [
        workloads.config_files("scripts", job.name, "/opt/ziggurat"),
        workloads.secret_files("passwords", job.name, "/etc/ziggurat"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
    ]
    admin = {"MLFLOW_TRACKING_USERNAME": "username", "MLFLOW_TRACKING_PASSWORD": "password"}
    main = workloads.container(
        "accounts",
        args.images.reference(MLFLOW),
        resources=_JOB_RESOURCES,
        command=["python", "/opt/ziggurat/accounts.py"],
        args=["/opt/ziggurat/accounts.json", "/etc/ziggurat/passwords.json"],
        env=[
            *workloads.plain({"MLFLOW_TRACKING_URI": service_uri(args.tracking)}),
            *workloads.from_secret(ADMIN_SECRET, admin),
        ],
        volumes=volumes,
    )
    return workloads.pod_template(
        job,
        main,
        user=_USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        once=True,
    )


def proxy_flags(oidc: OidcAuth, upstream: str, host: str | None) -> Sequence[str]:
    """oauth2-proxy in front of MLflow: it logs browsers in and hands MLflow the ID token of each request.

    `upstream` is MLflow's URL, `host` the name under which browsers come.
    """
    return [
        f"--http-address=0.0.0.0:{PROXY_PORT}",
        f"--upstream={upstream}",
        "--provider=oidc",
        f"--oidc-issuer-url={oidc.issuer}",
        f"--client-id={oidc.client_id}",
        f"--redirect-url=https://{host}/oauth2/callback",
        "--scope=openid email profile groups",
        f"--oidc-email-claim={oidc.username_claim}",
        f"--oidc-groups-claim={oidc.groups_claim}",
        "--insecure-oidc-allow-unverified-email=false",
        "--email-domain=*",  # who gets in is decided by groups, at MLflow
        "--code-challenge-method=S256",
        "--insecure-oidc-skip-nonce=false",  # a token is for the login that asked for it
        "--skip-provider-button=true",
        "--pass-authorization-header=true",
        "--pass-basic-auth=false",
        "--pass-user-headers=false",  # MLflow believes the token only
        "--pass-host-header=true",
        "--cookie-secure=true",
        "--cookie-samesite=lax",
        "--cookie-name=__Host-ziggurat",
        # Before the ID token ends, which some issuers let live five minutes: MLflow refuses it then.
        "--cookie-refresh=4m",
        # The default of 30s ends big uploads, which MLflow answers when the store has taken them.
        "--upstream-timeout=15m",
        # Browsers use /ajax-api/, programs these: they log in at MLflow itself, by password or token.
        # /health alone is open there.
        f"--skip-auth-route={PROGRAM_ROUTES}",
        "--skip-auth-strip-headers=false",
        "--api-route=^/ajax-api/",
        "--silence-ping-logging=true",
        *([f"--provider-ca-file={_CA_FILE}"] if oidc.ca_secret else []),
    ]


def proxy_pod(args: AuthArgs, oidc: OidcAuth) -> Manifest:
    """The login page."""
    proxy, flags = args.proxy, list(proxy_flags(oidc, service_uri(args.tracking), args.host))
    client, volumes = oidc.client_secret, issuer_ca(oidc)
    env = [
        *workloads.from_secret(proxy.name, {"OAUTH2_PROXY_COOKIE_SECRET": "cookie-secret"}),
        *workloads.from_secret(client.secret_name, {"OAUTH2_PROXY_CLIENT_SECRET": client.key}),
    ]
    main = workloads.container(
        proxy.name,
        args.images.reference(OAUTH2_PROXY),
        resources=_PROXY_RESOURCES,
        args=flags,
        env=env,
        volumes=volumes,
        ports={"http": PROXY_PORT},
        probes={
            "readinessProbe": workloads.http_probe("/ready", PROXY_PORT, periodSeconds=5),
            "livenessProbe": workloads.http_probe("/ping", PROXY_PORT, periodSeconds=10, failureThreshold=6),
        },
    )
    return workloads.pod_template(
        proxy,
        main,
        user=_PROXY_USER,
        config_hash=digest(flags, args.credentials.fingerprint(Label.OIDC_COOKIE)),
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        spread=True,
    )


def issuer_port(oidc: OidcAuth) -> int:
    """The port of the issuer: both MLflow (its keys) and oauth2-proxy (its tokens) call it."""
    return urlsplit(oidc.issuer).port or 443
