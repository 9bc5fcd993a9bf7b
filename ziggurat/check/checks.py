"""The checks, as tables: what each does, and the small function that does it.

A function returns what it found, and raises CheckFailed or CheckSkipped. Those of a team work on what the
ones before them made, which `clean_up` takes away.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from ziggurat.check.server import (
    API,
    ARTIFACTS,
    Account,
    CheckFailed,
    CheckSkipped,
    Server,
)
from ziggurat.cluster import Cluster, Refused

METRIC = 0.25  # exact in binary: it comes back equal from any database
ALIAS = "checked"
FULL_PERCENT = 90


@dataclass
class Visit:
    """What the checks of one team work with, and what they have made so far."""

    server: Server
    owner: Account
    stranger: Account | None
    """An account of another team only; None if there is none."""
    name: str = ""
    experiment: str = ""
    run: str = ""
    folder: str = ""
    """The run's artifacts, below the server's artifact root."""
    artifact: bool = False
    model: bool = False

    def __post_init__(self) -> None:
        self.name = self.name or f"ziggurat-check-{secrets.token_hex(6)}"

    def call(self, method: str, path: str, **data: Any) -> dict[str, Any]:
        """A call that the team's account must be granted."""
        return self.server.call(method, f"{API}/{path}", self.owner, **data)

    @property
    def file(self) -> str:
        """The path of the artifact."""
        return f"{ARTIFACTS}/{self.folder}/{self.name}.bin"


@dataclass(frozen=True)
class ServerCheck:
    """A check of the server that needs no account."""

    name: str
    what: str
    run: Callable[[Server], str]


@dataclass(frozen=True)
class TeamCheck:
    """A check of what a team's account can do."""

    name: str
    what: str
    run: Callable[[Visit], str]


# The server


def health(server: Server) -> str:
    """`/health` answers to anybody."""
    answer = server.ask("GET", "/health")
    if answer.status != 200:
        raise CheckFailed(f"GET /health: {answer.status} {answer.message}", "ziggurat status says more")
    return ""


def anonymous(server: Server) -> str:
    """Nobody gets anything of the API without an account, nor with one that does not exist."""
    unknown = Account(f"nobody-{secrets.token_hex(4)}", secrets.token_urlsafe(16))
    attempts = [
        ("GET", "/api/3.0/mlflow/workspaces"),
        ("GET", f"{API}/experiments/search?max_results=1"),
        ("GET", f"{API}/registered-models/search"),
        ("GET", f"{ARTIFACTS}?path=workspaces"),
    ]
    for method, path in attempts:
        for account in (None, unknown):
            status = server.ask(method, path, account).status
            if status != 401:
                who = "an unknown account" if account else "nobody"
                raise CheckFailed(
                    f"{method} {path} by {who}: {status}, not 401",
                    "close the way to the server until this is mended; see the server's log and its auth.ini",
                )
    return f"{2 * len(attempts)} requests answered 401"


# A team


def log_run(visit: Visit) -> str:
    """A run with a parameter and a metric comes back as it was written."""
    visit.experiment = str(visit.call("POST", "experiments/create", name=visit.name)["experiment_id"])
    made = visit.call("POST", "runs/create", experiment_id=visit.experiment, run_name=visit.name)
    info = made["run"]["info"]
    visit.run = str(info["run_id"])
    visit.folder = str(info["artifact_uri"]).removeprefix("mlflow-artifacts:/").strip("/")
    visit.call("POST", "runs/log-parameter", run_id=visit.run, key="parameter", value=visit.name)
    visit.call("POST", "runs/log-metric", run_id=visit.run, key="metric", value=METRIC, timestamp=1, step=0)
    data = visit.call("GET", "runs/get", run_id=visit.run)["run"]["data"]
    found = {item["key"]: item["value"] for item in (*data.get("params", ()), *data.get("metrics", ()))}
    if found != {"parameter": visit.name, "metric": METRIC}:
        raise CheckFailed(
            f"read back {found}", "the database does not keep what it acknowledges: see its log"
        )
    return f"run {visit.run[:8]} read back equal"


def store_artifact(visit: Visit) -> str:
    """1 KiB goes through the server into the store and back."""
    if not visit.run:
        raise CheckSkipped("there is no run to write it to")
    sent = secrets.token_bytes(1024)
    visit.artifact = True  # from here on it may be there
    visit.server.granted("PUT", visit.file, visit.owner, raw=sent)
    answer = visit.server.granted("GET", visit.file, visit.owner)
    digest = hashlib.sha256(sent).hexdigest()
    if hashlib.sha256(answer.body).hexdigest() != digest:
        raise CheckFailed(
            f"read back {len(answer.body)} bytes that are others", "see the logs of the server and the store"
        )
    listed = visit.call("GET", "artifacts/list", run_id=visit.run).get("files", [])
    if [(each["path"], int(each["file_size"])) for each in listed] != [(f"{visit.name}.bin", len(sent))]:
        raise CheckFailed(
            f"the run's list of artifacts is {listed}", "see the logs of the server and the store"
        )
    return f"1024 bytes read back equal (sha256 {digest[:8]}) and listed"


def register_model(visit: Visit) -> str:
    """A registered model with a version and an alias comes back."""
    if not visit.run:
        raise CheckSkipped("there is no run to make it from")
    visit.model = True
    visit.call("POST", "registered-models/create", name=visit.name)
    source = f"mlflow-artifacts:/{visit.folder}"
    made = visit.call("POST", "model-versions/create", name=visit.name, source=source, run_id=visit.run)
    version = str(made["model_version"]["version"])
    visit.call("POST", "registered-models/alias", name=visit.name, alias=ALIAS, version=version)
    found = visit.call("GET", "registered-models/alias", name=visit.name, alias=ALIAS)["model_version"]
    if (found["name"], str(found["version"]), found["run_id"]) != (visit.name, version, visit.run):
        raise CheckFailed(
            f"read back {found}", "the database does not keep what it acknowledges: see its log"
        )
    return f"version {version} read back by its alias"


def keep_strangers_out(visit: Visit) -> str:
    """An account of another team gets nothing of it, in whichever workspace it asks."""
    stranger = visit.stranger
    if stranger is None:
        raise CheckSkipped("no other team has an account that is not this team's too")
    attempts = _attempts(visit)
    if not attempts:
        raise CheckSkipped("there is nothing that it could be refused")
    # Else a wrong password would pass for order.
    visit.server.granted("GET", f"{API}/users/current", stranger)
    for method, path, data in attempts:
        for workspace in (visit.owner.workspace, stranger.workspace):
            query = data if method == "GET" else None
            answer = visit.server.ask(
                method, path, stranger, workspace=workspace, query=query, data=None if query else data or None
            )
            if answer.status not in (403, 404):
                raise CheckFailed(
                    f"{stranger.user}: {method} {path} in {workspace}: {answer.status}, not refused",
                    f"take the roles of {stranger.user} away at MLflow; ziggurat up sets the blueprint's",
                )
    return f"{2 * len(attempts)} requests of {stranger.user} refused"


def _attempts(visit: Visit) -> list[tuple[str, str, dict[str, str]]]:
    found: list[tuple[str, str, dict[str, str]]] = []
    if visit.experiment:
        found.append(("GET", f"{API}/experiments/get", {"experiment_id": visit.experiment}))
    if visit.run:
        tag = {"run_id": visit.run, "key": "stranger", "value": "was here"}
        found += [("GET", f"{API}/runs/get", {"run_id": visit.run}), ("POST", f"{API}/runs/set-tag", tag)]
    if visit.artifact:
        found.append(("GET", visit.file, {}))
    if visit.model:
        found.append(("GET", f"{API}/registered-models/get", {"name": visit.name}))
    return found


def clean_up(visit: Visit) -> str:
    """Deletes what the checks made, and makes sure that it is gone; tries everything before it fails."""
    made: tuple[tuple[Any, str, Callable[[Visit], None]], ...] = (
        (visit.model, "registered model", _delete_model),
        (visit.artifact, "artifact", _delete_artifact),
        (visit.run, "run", _delete_run),
        (visit.experiment, "experiment", _delete_experiment),
    )
    steps = [(name, delete) for there, name, delete in made if there]
    if not steps:
        raise CheckSkipped("nothing was made")
    problems: list[str] = []
    for name, delete in steps:
        try:
            delete(visit)
        except CheckFailed as failed:
            problems.append(f"{name} {visit.name}: {failed}")
    if problems:
        raise CheckFailed(
            "still there: " + "; ".join(problems), "delete these in MLflow, as the administrator"
        )
    return f"{', '.join(name for name, _ in steps)} deleted"


def _delete_model(visit: Visit) -> None:
    answer = visit.server.ask(
        "DELETE", f"{API}/registered-models/delete", visit.owner, data={"name": visit.name}
    )
    query = {"filter": f"name='{visit.name}'"}
    left = visit.server.call("GET", f"{API}/registered-models/search", visit.owner, **query)
    if left.get("registered_models"):
        raise CheckFailed(f"{answer.status} {answer.message}")


def _delete_artifact(visit: Visit) -> None:
    """Where the store is an S3, MLflow answers 500, not 404, for a file that is not there; its list tells."""
    deleted = visit.server.ask("DELETE", visit.file, visit.owner)
    listed = visit.call("GET", "artifacts/list", run_id=visit.run).get("files", [])
    if listed or visit.server.ask("GET", visit.file, visit.owner).status == 200:
        raise CheckFailed(f"it is still listed or read after deleting: {deleted.status} {deleted.message}")


def _delete_run(visit: Visit) -> None:
    visit.call("POST", "runs/delete", run_id=visit.run)


def _delete_experiment(visit: Visit) -> None:
    visit.call("POST", "experiments/delete", experiment_id=visit.experiment)


SERVER_CHECKS: tuple[ServerCheck, ...] = (
    ServerCheck("health", "asks for its health", health),
    ServerCheck("anonymous", "asks without an account, and with an unknown one", anonymous),
)
TEAM_CHECKS: tuple[TeamCheck, ...] = (
    TeamCheck("run", "logs a run with a parameter and a metric, and reads it back", log_run),
    TeamCheck("artifact", "writes an artifact, reads it back and lists it", store_artifact),
    TeamCheck("model", "registers a model with a version and an alias, and reads it back", register_model),
    TeamCheck("isolation", "tries to read and change these as another team", keep_strangers_out),
)
CLEAN_UP = TeamCheck("cleanup", "deletes what it made", clean_up)


# The cluster


def quota(cluster: Cluster, namespace: str, *, expected: bool) -> str:
    """A team's namespace has its quota, and something of it is left."""
    found = cluster.objects("v1", "ResourceQuota", namespace)
    if not found:
        if expected:
            raise CheckFailed(f"{namespace} has no ResourceQuota", "ziggurat up --refresh makes it again")
        raise CheckSkipped("the blueprint sets none")
    used = sorted(_used(found), reverse=True)
    spent = [name for share, name in used if share >= 1]
    if spent:
        raise CheckFailed(
            f"nothing is left of {', '.join(spent)}",
            "raise the team's quota, or delete what it does not need",
        )
    return "nothing is used" if not used or not used[0][0] else f"most used: {used[0][1]} {used[0][0]:.0%}"


def _used(quotas: Iterable[dict[str, Any]]) -> Iterable[tuple[Decimal, str]]:
    """The share in use of each resource; what a quota forbids altogether (0) is not counted."""
    from kubernetes.utils import quantity as quantities

    parse: Callable[[str], Decimal] = cast("Any", quantities).parse_quantity

    for item in quotas:
        status = cast("dict[str, dict[str, str]]", item.get("status") or {})
        for name, hard in status.get("hard", {}).items():
            most = parse(hard)
            if most:
                yield parse(status.get("used", {}).get(name, "0")) / most, name


def volumes(cluster: Cluster, namespace: str) -> str:
    """The platform's volumes have room, as the kubelets count it; what they do not tell is not guessed."""
    pods = cluster.objects("v1", "Pod", namespace)
    nodes = {str(pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName") and _claims(pod)}
    if not nodes:
        raise CheckSkipped("no pod of the platform has a volume of its own")
    shares: dict[str, float] = {}
    for node in sorted(nodes):
        try:
            told = cluster.request("GET", f"/api/v1/nodes/{node}/proxy/stats/summary")
        except Refused as refused:
            raise CheckSkipped(f"the kubelet of {node} may not be asked: {refused.message}") from None
        shares |= dict(_shares(told, namespace))
    if not shares:
        raise CheckSkipped("the kubelet does not count volumes of this kind")
    text = ", ".join(f"{name} {share:.0f}% full" for name, share in sorted(shares.items()))
    if max(shares.values()) > FULL_PERCENT:
        raise CheckFailed(text, "raise its size in the blueprint, if its StorageClass can grow volumes")
    return text


def _claims(pod: dict[str, Any]) -> bool:
    found = cast("list[dict[str, Any]]", pod["spec"].get("volumes") or [])
    return any("persistentVolumeClaim" in volume for volume in found)


def _shares(told: dict[str, Any], namespace: str) -> Iterable[tuple[str, float]]:
    """Each claim's used part of what may be used, as `df` shows it: blocks kept for root are not to be had,
    so `capacityBytes` is more than the sum of both."""
    for pod in cast("list[dict[str, Any]]", told.get("pods") or []):
        for volume in cast("list[dict[str, Any]]", pod.get("volume") or []):
            claim = cast("dict[str, str]", volume.get("pvcRef") or {})
            capacity, free = int(volume.get("capacityBytes") or 0), volume.get("availableBytes")
            if claim.get("namespace") == namespace and capacity and free is not None:
                used = int(volume.get("usedBytes", capacity - int(free)))
                yield claim["name"], 100 * used / max(used + int(free), 1)
