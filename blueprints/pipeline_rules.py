"""The rules of `pipelines`: what Kubeflow Pipelines cannot do, and who gets in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.storage import AzureArtifacts, GcsArtifacts, S3Artifacts


def engine(blueprint: Blueprint) -> Iterator[Finding]:
    """PostgreSQL does not carry version 2 of Kubeflow Pipelines."""
    pipelines = blueprint.pipelines
    if pipelines is not None and pipelines.database.engine == "postgresql":
        yield Finding(
            ("pipelines", "database", "engine"),
            "does not carry Kubeflow Pipelines before its version 3",
            "postgresql",
            "version 2 writes MySQL's dialect whatever the engine, and its metadata store fails on "
            "PostgreSQL where two runs make the same type",
            "write `engine: mysql`, or leave it out; MLflow stays on PostgreSQL",
        )


def store(blueprint: Blueprint) -> Iterator[Finding]:
    """Runs can reach the bucket, each team with an identity of its own."""
    pipelines, artifacts = blueprint.pipelines, blueprint.artifacts
    if pipelines is None:
        return
    if isinstance(artifacts, AzureArtifacts):
        yield Finding(
            ("pipelines",),
            "cannot keep artifacts in Azure Blob Storage",
            artifacts.mode,
            "version 2 of Kubeflow Pipelines knows S3 and Google Cloud Storage alone",
            "use `artifacts.mode`: embedded, s3 or gcs, or take pipelines out",
        )
        return
    for team in pipelines.identities:
        if team not in blueprint.teams:
            yield Finding(
                ("pipelines", "identities", team),
                "is not a team",
                team,
                f"one of {', '.join(sorted(blueprint.teams))}",
                "name a team, or take it away",
            )
    yield from _identities(blueprint, _kind(blueprint))


def _kind(blueprint: Blueprint) -> str | None:
    """What a pod takes on to enter the store: the key of `artifacts` that names it, or None for nothing."""
    match blueprint.artifacts:
        case S3Artifacts(role_arn=role) if role:
            return "roleArn"
        case GcsArtifacts(service_account=account) if account:
            return "serviceAccount"
        case _:
            return None


def _identities(blueprint: Blueprint, kind: str | None) -> Iterator[Finding]:
    pipelines = blueprint.pipelines
    assert pipelines is not None  # noqa: S101  # for the type checker: the caller looked
    if kind is None:
        if pipelines.identities:
            yield Finding(
                ("pipelines", "identities"),
                "are of no use",
                rule="pods take on a role with `artifacts.roleArn`, a service account with "
                "`artifacts.serviceAccount`",
                remedy="take them away",
            )
        return
    for team, identity in pipelines.identities.items():
        if identity.startswith("arn:") != (kind == "roleArn"):
            yield Finding(
                ("pipelines", "identities", team),
                "is of another cloud",
                identity,
                f"the store is entered by `artifacts.{kind}`",
                "name one of that kind",
            )
    for team in blueprint.teams:
        if team not in pipelines.identities:
            yield Finding(
                ("pipelines", "identities"),
                f"lack team {team}",
                rule=f"with `artifacts.{kind}` the runs of each team take on an identity of their own: "
                "MLflow's reads the artifacts of every team",
                remedy="add it, for the bucket's prefix `kfp/<team>/`",
            )


def members(blueprint: Blueprint) -> Iterator[Finding]:
    """Each member is listed once."""
    for name, team in blueprint.teams.items():
        for index, member in enumerate(team.members):
            if member in team.members[:index]:
                where = ("teams", name, "members", index)
                yield Finding(where, "is given twice", member, "each person once", "take one away")


PIPELINE_RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (engine, store, members)
"""What makes a blueprint with pipelines invalid."""


_BY_NAME = {"pipelines": "Kubeflow Pipelines", "tuning": "Katib"}
"""The parts whose pages know people by their names alone."""


def nobody_enters(blueprint: Blueprint) -> Iterator[Finding]:
    """These pages are opened by people, who are known by name."""
    there = [key for key in _BY_NAME if getattr(getattr(blueprint, key), "host", None)]
    titles = " and ".join(_BY_NAME[key] for key in there)
    for name, team in blueprint.teams.items():
        if team.members and not there:
            yield Finding(
                ("teams", name, "members"),
                "have no effect",
                rule="they are who opens the pages of Kubeflow Pipelines (`pipelines.host`) and of Katib "
                "(`tuning.host`)",
                remedy="add one of these, or take them out",
            )
        elif there and not team.members:
            yield Finding(
                ("teams", name),
                f"has nobody who may use {' or '.join(there)} in a browser",
                rule=f"{titles} {'ask' if len(there) > 1 else 'asks'} Kubernetes about a person by name and "
                f"{'know' if len(there) > 1 else 'knows'} no groups",
                remedy="name its `members` as the issuer does",
            )


PIPELINE_WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (nobody_enters,)
"""What is allowed around pipelines and probably not meant."""
