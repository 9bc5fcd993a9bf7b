"""What of a platform can be rotated: the names that users say, and the credentials that each one means.

Not here, and never to be: what stored data is encrypted with (`credentials.FIXED`), as another value would
make that data unreadable; and what the user brings, which Ziggurat did not make.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.access import EmbeddedAuth, OidcAuth
from blueprints.model.pipelines import EmbeddedMySql, ExternalMySql
from blueprints.model.storage import (
    EmbeddedArtifacts,
    EmbeddedDatabase,
    ExternalDatabase,
    HighlyAvailableDatabase,
)
from components.auth import accounts, client_secret_name
from components.credentials import Label
from components.database.archive import in_embedded_bucket
from components.monitoring.parts import embedded
from components.monitoring.values import ADMIN
from components.signon.dex import USERS, user_secret
from components.signon.proxies import cookie_label, proxied
from components.sites import sites
from components.tracking import ADMIN_SECRET

ACCOUNT = "account:"
"""What the name of an account's password begins with; the rest is the user."""
LOGIN = "login:"
"""What the name of a password at the embedded issuer begins with; the rest is the e-mail address."""


@dataclass(frozen=True)
class Rotatable:
    """One thing that can be rotated."""

    name: str
    labels: tuple[str, ...]
    """The credentials that are changed, all at once."""
    meaning: str
    restarts: str
    """What runs anew for it."""
    notice: str = ""
    """What its users notice; empty for nothing."""


_DATABASE = (
    Rotatable(
        "database",
        (Label.DATABASE_MLFLOW,),
        "the password of MLflow's role in PostgreSQL",
        "mlflow, one pod after the other; the Jobs that set the password and upgrade the schemas",
        "until new pods of mlflow are ready, the old ones cannot open more connections to the database",
    ),
    Rotatable(
        "database-owner",
        (Label.DATABASE_OWNER,),
        "the password of PostgreSQL's superuser",
        "no server; the Job that sets the password",
    ),
)
_BUCKET = (
    Rotatable(
        "bucket",
        (Label.BUCKET_MLFLOW,),
        "the key with which MLflow reads and writes artifacts",
        "seaweedfs, then mlflow, one pod after the other",
        "for about a minute artifacts are answered 500, which MLflow's clients try again",
    ),
    Rotatable(
        "bucket-provisioner",
        (Label.BUCKET_PROVISIONER,),
        "the key with which the bucket is made",
        "seaweedfs; the Job that makes the bucket",
        "while seaweedfs restarts, artifacts are answered 500, which MLflow's clients try again",
    ),
)

_BACKUP = Rotatable(
    "bucket-backup",
    (Label.BUCKET_BACKUP,),
    "the key with which backups read artifacts and reach their bucket",
    "seaweedfs",
    "while seaweedfs restarts, artifacts are answered 500, which MLflow's clients try again",
)

_ARCHIVE = Rotatable(
    "bucket-archive",
    (Label.BUCKET_ARCHIVE,),
    "the key with which the database's servers reach the bucket of their archive",
    "seaweedfs",
    "until both have the new key, the log of changes waits on the primary; while seaweedfs restarts, "
    "artifacts are answered 500, which MLflow's clients try again",
)

_GRAFANA = Rotatable(
    "grafana",
    (Label.GRAFANA_ADMIN,),
    "the password of Grafana's administrator, admin",
    "grafana, by an upgrade of its chart",
    f"who uses it reads it again from the Secret {ADMIN} in the namespace of monitoring",
)


def rotatables(blueprint: Blueprint) -> tuple[Rotatable, ...]:
    """Everything that can be rotated on a blueprint's platform."""
    return (
        *(_DATABASE if isinstance(blueprint.database, EmbeddedDatabase) else ()),
        # The superuser of a cluster has no password.
        *(_DATABASE[:1] if isinstance(blueprint.database, HighlyAvailableDatabase) else ()),
        *(_BUCKET if isinstance(blueprint.artifacts, EmbeddedArtifacts) else ()),
        *((_BACKUP,) if blueprint.backup and isinstance(blueprint.artifacts, EmbeddedArtifacts) else ()),
        *((_ARCHIVE,) if in_embedded_bucket(blueprint) else ()),
        *_pipelines(blueprint),
        *_access(blueprint),
        *((_GRAFANA,) if embedded(blueprint) else ()),
        *(_account(user, teams) for user, teams in accounts(blueprint.teams).items()),
    )


def _pipelines(blueprint: Blueprint) -> tuple[Rotatable, ...]:
    """What Kubeflow Pipelines and its runs log in with."""
    pipelines = blueprint.pipelines
    if pipelines is None:
        return ()
    database = Rotatable(
        "pipelines-database",
        (Label.MYSQL_ROOT, Label.MYSQL_PIPELINES, Label.MYSQL_METADATA),
        "the passwords of the users of pipelines' MySQL",
        "mysql, then ml-pipeline-server and metadata-grpc-service",
        "until these are ready, pipelines answer nothing, and tasks that end meanwhile are tried again",
    )
    bucket = Rotatable(
        "pipelines-bucket",
        (Label.BUCKET_PIPELINES, *(Label.bucket_runs(team) for team in sorted(blueprint.teams))),
        "the keys with which pipelines and each team's runs reach the bucket",
        "seaweedfs; ml-pipeline-server",
        "runs under way read their new key with their next artifact; while seaweedfs restarts, artifacts are "
        "answered 500",
    )
    page = Rotatable(
        "pipelines-page",
        (Label.PIPELINES_PAGE,),
        "what pipelines' page signs with",
        "ml-pipeline-ui",
    )
    return (
        *((database,) if isinstance(pipelines.database, EmbeddedMySql) else ()),
        *((bucket,) if isinstance(blueprint.artifacts, EmbeddedArtifacts) else ()),
        *((page,) if pipelines.host else ()),
    )


def _access(blueprint: Blueprint) -> tuple[Rotatable, ...]:
    """Sessions of browsers, the administrator, and what the embedded issuer knows of pages and users."""
    auth, pages = blueprint.auth, proxied(blueprint)
    cookies = tuple(cookie_label(page.name) for page in pages)
    own = (
        Rotatable(
            "sessions",
            (Label.MLFLOW_FLASK, *cookies),
            "what browsers' sessions are signed with",
            f"mlflow{' and oauth2-proxy' if pages else ''}, one pod after the other",
            "whoever is logged in with a browser logs in again",
        ),
        Rotatable(
            "admin",
            (Label.account(auth.admin),),
            f"the password of the administrator, {auth.admin}",
            "no server; the Jobs that upgrade the schemas and make accounts",
            f"who uses it reads it again from the Secret {ADMIN_SECRET}",
        ),
    )
    if not isinstance(auth, EmbeddedAuth):
        return own
    clients = Rotatable(
        "login-clients",
        tuple(Label.login_client(site.name) for site in sites(blueprint)),
        "what pages prove themselves to the issuer with",
        "dex and every page or proxy that logs people in, one pod after the other",
        "until both are new, nobody can log in; who is logged in stays so",
    )
    users = (
        Rotatable(
            LOGIN + email,
            (Label.login_user(email),),
            f"the password of {email} at the issuer",
            f"dex, one pod after the other, with the Secret {USERS}",
            f"who uses it reads it again from the Secret {user_secret(email)}",
        )
        for email in sorted(auth.users)
    )
    return (*own, *((clients,) if clients.labels else ()), *users)


def _account(user: str, teams: Iterable[str]) -> Rotatable:
    return Rotatable(
        ACCOUNT + user,
        (Label.account(user),),
        f"the password of {user} in {', '.join(teams)}",
        "no server; the Job that makes accounts",
        "the old password is refused after half a minute; pods and notebooks take the new one from the "
        f"team's Secret {client_secret_name(user)} when they start anew",
    )


def brought(blueprint: Blueprint) -> dict[str, str | None]:
    """{name: Secret}: what cannot be rotated because the user brings it. None: there is no Secret, the pods
    have an identity of their own."""
    found: dict[str, str | None] = {}
    if isinstance(blueprint.database, ExternalDatabase):
        found["database"] = blueprint.database.secret.secret_name
    artifacts = blueprint.artifacts
    if not isinstance(artifacts, EmbeddedArtifacts):
        found["bucket"] = artifacts.secret.secret_name if artifacts.secret else None
    if blueprint.pipelines and isinstance(blueprint.pipelines.database, ExternalMySql):
        found["pipelines-database"] = blueprint.pipelines.database.secret.secret_name
    if isinstance(blueprint.auth, OidcAuth):
        found["oidc-client"] = blueprint.auth.client_secret.secret_name
    return found
