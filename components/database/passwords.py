"""The Job that sets passwords which were rotated: a server reads them on an empty volume only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.credentials import Credentials, Label
from components.database.arguments import RegistryDatabaseArgs
from components.manifests import configuration, workloads
from components.manifests.metadata import Manifest, digest
from components.objects import register
from components.scripts import script
from components.versions import MLFLOW

ROLES = {"postgres": Label.DATABASE_OWNER, "mlflow": Label.DATABASE_MLFLOW}
"""The roles that can log in, and what their passwords are derived from."""
OWNER = {"mlflow": Label.DATABASE_MLFLOW}
"""Those of a cluster of servers, whose superuser has no password."""
_JOB_USER = 1000
_JOB_RESOURCES = workloads.Resources(cpu="50m", memory="64Mi", memory_limit="256Mi")


def rotated_roles(credentials: Credentials, roles: Mapping[str, str] = ROLES) -> dict[str, str]:
    """Those of `roles` whose passwords are no longer the ones that an empty volume was given."""
    return {role: label for role, label in roles.items() if credentials.rotation(label)}


def set_passwords(
    parent: pulumi.Resource,
    name: str,
    args: RegistryDatabaseArgs,
    roles: Mapping[str, str],
    env: Mapping[str, str],
    server: Sequence[pulumi.Resource],
    volumes: Sequence[workloads.Volume] = (),
) -> list[pulumi.Resource]:
    """Sets what was rotated of `roles`, once the `server` is there; `env` are libpq's variables for it."""
    job, credentials = args.apps.passwords, args.credentials
    rotated = rotated_roles(credentials, roles)
    if not rotated:
        return []
    passwords = {
        role: {
            "present": credentials.password(label),
            "earlier": credentials.earlier_passwords(label),
        }
        for role, label in rotated.items()
    }
    files = {"passwords.py": script("passwords.py")}
    before = [
        register(parent, manifest, depends_on=args.after)
        for manifest in (
            configuration.service_account(job),
            configuration.config_map(job, files),
            configuration.secret(job, {"passwords.json": pulumi.Output.json_dumps(passwords)}),
        )
    ]
    fingerprints = [credentials.fingerprint(label) for label in rotated.values()]
    template = passwords_pod(args, env, volumes, digest(files, fingerprints))
    manifest = workloads.job(job, digest(template), template)
    return [register(parent, manifest, name=f"{name}-passwords", depends_on=[*before, *server])]


def passwords_pod(
    args: RegistryDatabaseArgs,
    env: Mapping[str, str],
    more: Sequence[workloads.Volume],
    config_hash: str,
) -> Manifest:
    """Gives roles their passwords, with the driver that is in MLflow's image.

    Not psql: it would have the password on a command line or in a statement that the server may log.
    """
    job = args.apps.passwords
    volumes = [
        workloads.config_files("scripts", job.name, "/opt/ziggurat"),
        workloads.secret_files("passwords", job.name, "/etc/ziggurat"),
        workloads.scratch("tmp", "/tmp", "16Mi"),  # noqa: S108  # a mount inside a container
        *more,
    ]
    main = workloads.container(
        "passwords",
        args.images.reference(MLFLOW),
        resources=_JOB_RESOURCES,
        command=["python", "/opt/ziggurat/passwords.py"],
        args=["/etc/ziggurat/passwords.json"],
        env=workloads.plain({**env, "PGCONNECT_TIMEOUT": "5"}),
        volumes=volumes,
    )
    return workloads.pod_template(
        job,
        main,
        user=_JOB_USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=args.images.pull_secret,
        once=True,
    )
