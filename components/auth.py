"""Who gets in: MLflow's accounts and workspaces, and its side of a single sign-on."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import pulumi

from blueprints.model.teams import Team
from blueprints.names import MAX_LABEL
from components.credentials import Credentials, Label
from components.manifests import configuration, workloads
from components.manifests.metadata import App, Manifest, digest
from components.namespaces import team_app
from components.objects import component_token, register
from components.scripts import script
from components.signon.issuer import CA_FILE, Issuer
from components.signon.proxies import LoginProxy, register_proxy
from components.tracking import ADMIN_SECRET, Authorization, service_uri
from components.versions import MLFLOW, ImageSource

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
_USER = 1000
_JOB_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="256Mi")


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


def oidc_authorization(issuer: Issuer, audience: str, admin: str, teams: Mapping[str, Team]) -> Authorization:
    """MLflow's side of a single sign-on: what its authorization function has to know.

    `audience` is the client that tokens for MLflow are made for, `admin` the platform's own account.
    """
    settings = {
        "issuer": issuer.url,
        "audience": audience,
        "ca": CA_FILE if issuer.ca else None,
        **({"keysUrl": issuer.endpoints.keys} if issuer.endpoints else {}),
        "usernameClaim": issuer.username_claim,
        "groupsClaim": issuer.groups_claim,
        "adminGroups": list(issuer.admin_groups),
        "teams": {team: list(teams[team].groups) for team in sorted(teams) if teams[team].groups},
        # Nobody may become one of these by what an issuer lets them call themselves.
        "reserved": sorted({admin, *accounts(teams)}),
    }
    return Authorization(
        admin,
        OIDC_FUNCTION,
        {
            "ziggurat_oidc.py": script("ziggurat_oidc.py"),
            "oidc.json": json.dumps(settings, indent=1, sort_keys=True),
        },
        issuer.ca_volumes(),
    )


@dataclass(frozen=True)
class AuthArgs:
    """What Auth is made of."""

    job: App
    """The Job that makes accounts and workspaces."""
    tracking: App
    mode: str
    """That of the blueprint's `auth`."""
    admin: str
    teams: Mapping[str, Team]
    namespaces: Mapping[str, pulumi.Resource]
    """The Namespace of each team."""
    images: ImageSource
    server: tuple[pulumi.Resource, ...]
    """The tracking server, as it answers: accounts are made through its API."""
    credentials: Credentials = field(repr=False)
    proxy: LoginProxy | None = None
    """What logs browsers in to the tracking server, where there is a single sign-on."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the system namespace and its policies."""


class Auth(pulumi.ComponentResource):
    """A workspace per team, the accounts that the blueprint names, their client Secrets, the login page."""

    accounts: pulumi.Output[dict[str, dict[str, str]]]
    """The role of each account in each team: {user: {team: role}}."""

    def __init__(self, name: str, args: AuthArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_token(Auth), name, {"mode": args.mode}, opts)
        wanted = accounts(args.teams)
        job = self._accounts(name, args, wanted)
        secrets = [
            register(self, client_secret(args, user, team), depends_on=[args.namespaces[team]])
            for user, roles in wanted.items()
            for team in roles
        ]
        self.ready: tuple[pulumi.Resource, ...] = (job, *secrets)
        if args.proxy:
            register_proxy(self, args.proxy, after=args.after, server=args.server)
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
                configuration.secret(job, {"passwords.json": credentials.compose(json.dumps, passwords)}),
            )
        ]
        fingerprints = [credentials.fingerprint(Label.account(user)) for user in (args.admin, *wanted)]
        template = accounts_pod(args, digest(files, fingerprints))
        manifest = workloads.job(job, digest(template), template)
        return register(self, manifest, name=f"{name}-accounts", depends_on=[*before, *args.server])


def client_secret(args: AuthArgs, user: str, team: str) -> Manifest:
    """The Secret with what a client of `user` in `team` exports."""
    app = team_app(args.tracking.platform, team)
    return configuration.secret(
        app, client_values(args.tracking, args.credentials, user, team), client_secret_name(user)
    )


def client_values(tracking: App, credentials: Credentials, user: str, team: str) -> dict[str, object]:
    """What a client of `user` in `team` exports.

    MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD and _UPLOAD: MLflow's clients would fetch artifacts from the store
    itself, and from 500 MiB on send them there; no team reaches it. `false` makes them go through the server,
    which checks whose they are.
    """
    values = {
        "MLFLOW_TRACKING_URI": service_uri(tracking),
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": credentials.password(Label.account(user)),
        "MLFLOW_WORKSPACE": team,
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }
    return {key: values[key] for key in CLIENT_KEYS}


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
