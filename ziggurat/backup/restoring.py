"""Putting a backup back: into the platform that made it, or into another."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from ziggurat import jobs
from ziggurat.backup.repository import Backups
from ziggurat.cluster import Object
from ziggurat.errors import ZigguratError

UPGRADE, ACCOUNTS, SERVER = "mlflow-upgrade", "mlflow-accounts", "mlflow"
PIPELINES = ("metadata-grpc-service", "ml-pipeline-server")
"""What works on the databases of pipelines; each brings its own to its schema as it starts."""
_SAID = "pipelines: "
_READY_SECONDS = 300.0


def restore(
    backups: Backups, snapshot: str, *, source: str | None, prefix: str | None, password: str | None
) -> str | None:
    """Overwrites the platform's database by that of the backup, and the artifacts that the backup has.

    Everything is fetched and compared with its checksum before anything is overwritten. Artifacts that are
    newer than the backup stay. Then the database is brought to the server's schemas, the server restarted,
    and the accounts given the passwords of this platform. `source` is the platform whose backup it is, where
    that is another one, `prefix` where in the bucket its backups lie (None: its name), and `password` its
    repository's. ZigguratError says which step failed.

    What became of pipelines is returned: they are `restored`; `kept`, as the backup has nothing of them; or
    the backup's part was left out, as there are none here (`absent`) or it is of another platform
    (`foreign`). None if neither has any.
    """
    job = jobs.from_cron_job(backups.template("restore"), "run")
    with _foreign(backups, job, source, prefix, password) as values:
        job = jobs.set_environment(job, {"SNAPSHOT": snapshot, **values})
        pipelines = _of_pipelines(backups.run(job, "restoring", container="fetch"))
    _again(backups, UPGRADE, "bringing the database to the server's schemas")
    _restart(backups, SERVER, "the server")
    _again(backups, ACCOUNTS, "setting the accounts of this platform")
    for server in PIPELINES if pipelines == "restored" else ():
        _restart(backups, server, server)
    return pipelines


def _of_pipelines(log: str) -> str | None:
    """What the script says of them that fetched the backup: components/scripts/repository.sh."""
    said = [line.removeprefix(_SAID).strip() for line in log.splitlines() if line.startswith(_SAID)]
    return said[-1] if said else None


@contextmanager
def _foreign(
    backups: Backups, job: Object, source: str | None, prefix: str | None, password: str | None
) -> Generator[Mapping[str, Any]]:
    """The variables by which another platform's repository is read; its password is in a Secret meanwhile."""
    values: dict[str, Any] = {}
    if source:
        own = _variable(job, "RESTIC_REPOSITORY")
        bucket = own.rpartition("/")[0]
        values = {"PLATFORM": source, "RESTIC_REPOSITORY": f"{bucket}/{prefix or source}"}
    if password is None:
        yield values
        return
    name = f"restore-password-{secrets.token_hex(3)}"
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": backups.namespace,
            "labels": dict(job["metadata"]["labels"]),
        },
        "type": "Opaque",
        "data": {"password": base64.b64encode(password.encode()).decode()},
    }
    backups.cluster.create(secret)
    try:
        yield {**values, "RESTIC_PASSWORD": {"secretKeyRef": {"name": name, "key": "password"}}}
    finally:
        backups.cluster.delete("v1", "Secret", backups.namespace, name)


def _variable(job: Object, name: str) -> str:
    containers = job["spec"]["template"]["spec"]["initContainers"]
    return next(
        str(each["value"]) for container in containers for each in container["env"] if each["name"] == name
    )


def _again(backups: Backups, app: str, title: str) -> None:
    """Runs once more what a Job of the platform did."""
    selector = f"app.kubernetes.io/name={app}"
    found = backups.cluster.objects("batch/v1", "Job", backups.namespace, selector)
    if not found:
        raise ZigguratError(
            f"there is no Job of {app} to be run again",
            where=backups.namespace,
            remedy="the data is restored; ziggurat up --refresh makes the Job, which does the rest",
        )
    latest = max(found, key=lambda each: str(each["metadata"]["creationTimestamp"]))
    backups.run(jobs.again(latest, "restored"), title)


def _restart(backups: Backups, server: str, called: str) -> None:
    """New pods of a server, and the old ones gone: they remember what was in the database before, and answer
    on connections that are open until they end."""
    cluster, namespace = backups.cluster, backups.namespace
    selector = f"app.kubernetes.io/name={server}"
    old = {pod["metadata"]["name"] for pod in cluster.objects("v1", "Pod", namespace, selector)}
    with backups.progress.step(f"restarting {called}"):
        for name in old:
            cluster.delete("v1", "Pod", namespace, name)
        deadline = time.monotonic() + _READY_SECONDS
        while not _ready(cluster.objects("v1", "Pod", namespace, selector), old):
            if time.monotonic() > deadline:
                raise ZigguratError(
                    f"{called} is not ready after {_READY_SECONDS:.0f} s",
                    where=namespace,
                    remedy=f"the data is restored; ziggurat status says what {called} lacks",
                )
            time.sleep(1)


def _ready(pods: list[Object], old: set[str]) -> bool:
    if not old.isdisjoint(pod["metadata"]["name"] for pod in pods):
        return False
    conditions = [
        {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions") or ()}
        for pod in pods
    ]
    return bool(pods) and all(each.get("Ready") == "True" for each in conditions)
