"""How many connections a database that Ziggurat runs has for the tracking servers, and the rules of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.storage import (
    AzureArtifacts,
    Database,
    EmbeddedDatabase,
    HighlyAvailableDatabase,
)
from blueprints.quantities import amount

MAX_CONNECTIONS = 200
"""Of each instance of a cluster."""
POOLER_CLIENTS = 1000
"""Of each PgBouncer."""
_EMBEDDED = 96
"""PostgreSQL's own default is 100, of which three are the superuser's; a Job wants one, too."""
_CLUSTER = 180
_POOLS = 4
"""Connection pools in each process of MLflow 3.17: of runs, models, accounts and workspaces."""
_READING_POOLS = 2
"""Those of runs and models have a second one each, where reads go elsewhere."""
_LEAST = 2
"""MLflow takes no overflow of 0 for an answer, and a pool holds at least one."""


def pool(blueprint: Blueprint) -> int | None:
    """The most connections that each of MLflow's pools may open, so that all of them together fit.

    None where the database is brought: how many it has is its owner's to know.
    """
    processes = blueprint.tracking.replicas * blueprint.tracking.workers
    fits = [limit // (processes * pools) for limit, pools in _limits(blueprint.database)]
    return min(fits) if fits else None


def _limits(database: Database) -> list[tuple[int, int]]:
    """Where connections are made to: how many each takes, and how many pools of a process lead to it."""
    match database:
        case EmbeddedDatabase():
            return [(_EMBEDDED, _POOLS)]
        case HighlyAvailableDatabase():
            reading = _READING_POOLS if database.read_replica else 0
            if database.pooler is None:
                return [(_CLUSTER, _POOLS + reading)]
            pooled = (POOLER_CLIENTS * database.pooler.instances * 9 // 10, _POOLS)
            return [pooled, *([(_CLUSTER, reading)] if reading else [])]
        case _:
            return []


def connections(blueprint: Blueprint) -> Iterator[Finding]:
    """The database has connections for all tracking servers."""
    most = pool(blueprint)
    if most is None or most >= _LEAST:
        return
    tracking, database = blueprint.tracking, blueprint.database
    pooled = isinstance(database, HighlyAvailableDatabase) and database.pooler
    yield Finding(
        ("tracking", "replicas"),
        f"make {tracking.replicas * tracking.workers} processes, more than the database has connections for",
        f"{tracking.replicas} x {tracking.workers} workers",
        f"with `database.mode: {database.mode}` at most {_most(blueprint)} processes (replicas x workers)",
        "lower one of the two"
        + ("" if pooled else "; `database: {mode: highlyAvailable, pooler: {}}` has room for more"),
    )


def _most(blueprint: Blueprint) -> int:
    return min(limit // (pools * _LEAST) for limit, pools in _limits(blueprint.database))


def resources(blueprint: Blueprint) -> Iterator[Finding]:
    """A container's limit is not under its request: Kubernetes refuses such a pod."""
    database = blueprint.database
    if not isinstance(database, HighlyAvailableDatabase):
        return
    asked = database.resources
    if amount(asked.memory_limit) < amount(asked.memory):
        yield Finding(
            ("database", "resources", "memoryLimit"),
            "is less than the request",
            asked.memory_limit,
            f"at least `memory`, which is {asked.memory}",
            "raise the limit or lower the request",
        )


def archive(blueprint: Blueprint) -> Iterator[Finding]:
    """An archive has what makes it, and a bucket that it can get into."""
    database = blueprint.database
    if not isinstance(database, HighlyAvailableDatabase) or database.archive is None:
        return
    if database.operator == "embedded" and blueprint.certificates is None:
        yield Finding(
            ("database", "archive"),
            "has nobody to make the certificates that CloudNativePG and its plugin trust each other by",
            rule="where the platform runs the operator, an archive wants cert-manager",
            remedy="add `certificates: {}`, with `controller: existing` where the cluster has it",
        )
    artifacts = blueprint.artifacts
    if database.archive.destination is None and isinstance(artifacts, AzureArtifacts) and artifacts.secret:
        yield Finding(
            ("database", "archive", "destination"),
            "is missing",
            rule="into Azure an archive is written by workload identity (`artifacts.clientId`) alone",
            remedy="name a bucket that speaks S3, or enter the container by `clientId`",
        )


def recovery(blueprint: Blueprint) -> Iterator[Finding]:
    """A cluster that is recovered writes an archive of its own, to another place than it was read from."""
    database = blueprint.database
    if not isinstance(database, HighlyAvailableDatabase) or database.recover is None:
        return
    begun, own = database.recover, database.archive
    if own is None:
        yield Finding(
            ("database", "recover"),
            "has no archive to go on with",
            rule="a cluster is recovered from an archive, and writes one",
            remedy="add `archive: {serverName: ...}`, with a folder that is empty",
        )
        return
    same = begun.destination is None or begun.destination == own.destination
    if same and begun.server_name == own.server_name:
        yield Finding(
            ("database", "recover", "serverName"),
            "is the folder that the cluster writes to",
            begun.server_name,
            "a recovered cluster writes to a folder that is empty: else it would spoil what it is read from",
            f"give `archive` another one, such as `serverName: {own.server_name}-2`",
        )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (connections, resources, archive, recovery)


def two_instances(blueprint: Blueprint) -> Iterator[Finding]:
    """With two instances, the loss of one leaves a single copy."""
    database = blueprint.database
    if isinstance(database, HighlyAvailableDatabase) and database.instances == 2:
        yield Finding(
            ("database", "instances"),
            "leave one copy while one of them is away",
            "2",
            "a commit is on two instances as long as two are well",
            "write 3",
        )


def idle_operator_namespace(blueprint: Blueprint) -> Iterator[Finding]:
    """Where the platform runs the operator, it is in the platform's namespace."""
    database = blueprint.database
    given = "operator_namespace" in database.model_fields_set
    if isinstance(database, HighlyAvailableDatabase) and given and database.operator == "embedded":
        yield Finding(
            ("database", "operatorNamespace"),
            "has no effect",
            database.operator_namespace,
            "it says where an operator runs that is there already (`operator: existing`)",
            "take it out, or write `operator: existing`",
        )


def recovery_begins(blueprint: Blueprint) -> Iterator[Finding]:
    """What a cluster begins with says nothing about one that is there."""
    database = blueprint.database
    if isinstance(database, HighlyAvailableDatabase) and database.recover is not None:
        yield Finding(
            ("database", "recover"),
            "has no effect on a cluster that is there already",
            database.recover.server_name,
            "it says what a cluster begins with when it is made",
            "docs/operations.md (Any moment of the past) has the steps, and how to take it out",
        )


WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    two_instances,
    idle_operator_namespace,
    recovery_begins,
)
