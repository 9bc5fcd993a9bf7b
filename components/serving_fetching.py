"""What fetches the models that KServe serves, by what their `storageUri` begins with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from components import auth
from components.manifests import serving, workloads
from components.manifests.metadata import App, Manifest
from components.serving_store import ServingStore
from components.versions import MLFLOW
from components.versions.model import ImageSource
from components.versions.serving import KSERVE_STORAGE

CLIENT = "kserve-mlflow"
"""The Secret by which a team's models are fetched. An account cannot be called so that its own is this one:
KServe's fetching is of the whole cluster, and can name but one Secret for all namespaces."""
USER = 1000
_FETCHING = "storage-initializer"
"""KServe's own name for the container that fetches."""
_FETCH = 'exec mlflow artifacts download --artifact-uri "$1" --dst-path "$2"'
_FETCH_FOLDER = """\
mlflow artifacts download --artifact-uri "${1%/}/" --dst-path "$2" || exit
ls -A "$2" | grep -q . || { echo "There is nothing below $1" >&2; exit 1; }"""
"""With the slash, what is below the URI comes into the folder, and not one more folder; and where there is
nothing, MLflow says so and ends well."""
SETTINGS = {"HOME": "/tmp", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}  # noqa: S108
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""On the container: KServe's kinds have no security context of the pod."""
_CHARTS = (
    *({"prefix": f"{scheme}://"} for scheme in ("gs", "hdfs", "hf", "webhdfs")),
    *({"regex": rf"https://(.+?).{kind}.core.windows.net/(.+)"} for kind in ("blob", "file")),
    {"regex": r"https?://(.+)/(.+)"},
)
"""What else than `s3://` the ClusterStorageContainer of KServe's chart fetches by."""


def storage_containers(app: App, images: ImageSource, store: ServingStore | None) -> Iterator[Manifest]:
    """The ClusterStorageContainers; no two of them take one URI, as KServe 0.20 would take either, at random.

    The chart's own takes every `s3://`. Where there is one for the platform's bucket, the last is in its
    place: the same but for that bucket's folder of teams.
    """
    name = app.platform
    yield serving.storage_container(app, f"{name}-mlflow", [{"prefix": "models:/"}], fetcher(images))
    if store is None:
        return
    by_key = fetching_container(images, _FETCH_FOLDER, store.env)
    yield serving.storage_container(app, f"{name}-bucket", [{"prefix": store.prefix}], by_key)
    others = workloads.container(
        _FETCHING,
        images.reference(KSERVE_STORAGE),
        resources=workloads.Resources(cpu="100m", memory="100Mi", memory_limit="1Gi"),
    )
    yield serving.storage_container(
        app,
        f"{name}-others",
        other_formats(store.prefix),
        {**others, "securityContext": RESTRICTED},
        several=True,
    )


def fetcher(images: ImageSource) -> Manifest:
    """Downloads a model through the tracking server, as the account of the team in whose namespace it runs.

    The server looks up alias or version, and checks whose the model is; no team needs a way to the store.
    """
    login = workloads.from_secret(CLIENT, {key: key for key in auth.CLIENT_KEYS})
    return fetching_container(images, _FETCH, login)


def fetching_container(images: ImageSource, script: str, env: Sequence[Manifest]) -> Manifest:
    """MLflow's client, to which KServe gives the URI and the folder; the script has them as $1 and $2."""
    container = workloads.container(
        _FETCHING,
        images.reference(MLFLOW),
        resources=workloads.Resources(cpu="100m", memory="256Mi", memory_limit="1Gi"),
        command=["sh", "-c", script, "mlflow"],
        env=[*env, *workloads.plain(SETTINGS)],
    )
    # It may write in its own /tmp: KServe lets a container that fetches have no volume of its own.
    return {**container, "securityContext": {**RESTRICTED, "runAsUser": USER}}


def other_formats(prefix: str) -> tuple[Mapping[str, str], ...]:
    """What KServe's own image fetches by, as in its chart, but for URIs with this `s3://` prefix."""
    scheme, folder = prefix[: len("s3://")], prefix[len("s3://") :]
    return ({"regex": f"^{scheme}{_unlike(folder)}"}, *_CHARTS)


def _unlike(start: str) -> str:
    """What matches texts that do not begin like this: at some character they differ, or end.

    Go's regular expressions have no shorter way to say so.
    """
    regex = ""
    for character in map(re.escape, reversed(start)):
        same = f"|{character}{regex}" if regex else ""
        regex = f"([^{character}]|${same})"
    return regex
