"""The rules that no single value can break: pure functions from a blueprint to what is wrong with it.

To add a rule, write a function that yields a Finding for each breach and list it in RULES. What is
allowed, but probably not meant, is a warning: WARNINGS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blueprints import access_rules, databases, kubeflow_rules, pool_rules
from blueprints.document import Document, path_text, shorten
from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.storage import AzureArtifacts, EmbeddedArtifacts, GcsArtifacts, S3Artifacts
from blueprints.monitoring_rules import MONITORING_RULES
from blueprints.names import MAX_LABEL, team_namespace
from blueprints.pipeline_rules import PIPELINE_RULES, PIPELINE_WARNINGS
from blueprints.problems import Problem
from blueprints.project_rules import PROJECT_RULES
from blueprints.quantities import amount
from blueprints.secret_rules import SECRET_RULES

RESERVED_PLATFORMS = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has; `kube-` is Kubernetes' own prefix."""

RESERVED_TEAM = "default"
"""The MLflow workspace that always exists, and holds what was written before there were teams."""


def platform_name(blueprint: Blueprint) -> Iterator[Finding]:
    """The platform's name is that of a namespace which is Ziggurat's own."""
    if blueprint.name in RESERVED_PLATFORMS or blueprint.name.startswith("kube-"):
        yield Finding(
            ("name",),
            "is reserved by Kubernetes",
            blueprint.name,
            f"not {', '.join(RESERVED_PLATFORMS)}, and nothing that begins with kube-",
            "choose another name",
        )


def team_names(blueprint: Blueprint) -> Iterator[Finding]:
    """A team's namespace can be made, and its MLflow workspace is its own."""
    for team in blueprint.teams:
        namespace = team_namespace(blueprint.name, team)
        if len(namespace) > MAX_LABEL:
            yield Finding(
                ("teams", team),
                f"makes a namespace of {len(namespace)} characters",
                namespace,
                f"`<name>-<team>` has at most {MAX_LABEL} characters",
                "shorten the team's name or the platform's",
            )
        if team == RESERVED_TEAM:
            yield Finding(
                ("teams", team),
                "is reserved by MLflow",
                team,
                "the workspace `default` always exists and belongs to no team",
                "choose another name",
            )


def accounts(blueprint: Blueprint) -> Iterator[Finding]:
    """No team's account is the administrator's."""
    admin = blueprint.auth.admin
    for name, team in blueprint.teams.items():
        if admin in team.users:
            yield Finding(
                ("teams", name, "users", admin),
                "is the platform's administrator",
                admin,
                "an account of a team is not the administrator's",
                "choose another name, or another `auth.admin`",
            )
        elif admin == name and not team.users:
            yield Finding(
                ("teams", name),
                "gets an account that is the platform's administrator",
                name,
                "a team without `users` gets an account with its own name",
                "name its `users`, or choose another `auth.admin`",
            )


def tracking_resources(blueprint: Blueprint) -> Iterator[Finding]:
    """A container's limit is not under its request: Kubernetes refuses such a pod."""
    resources = blueprint.tracking.resources
    if amount(resources.memory_limit) < amount(resources.memory):
        yield Finding(
            ("tracking", "resources", "memoryLimit"),
            "is less than the request",
            resources.memory_limit,
            f"at least `memory`, which is {resources.memory}",
            "raise the limit or lower the request",
        )


def store_identity(blueprint: Blueprint) -> Iterator[Finding]:
    """A brought store is entered in one way, not in two and not in none."""
    artifacts = blueprint.artifacts
    match artifacts:
        case S3Artifacts():
            ways = {"secret": artifacts.secret, "roleArn": artifacts.role_arn}
            # On AWS neither is right too: EKS Pod Identity. Other stores know nothing of it.
            needed = artifacts.endpoint is not None
        case GcsArtifacts():
            ways = {"secret": artifacts.secret, "serviceAccount": artifacts.service_account}
            needed = False  # Workload Identity can bind the Kubernetes ServiceAccount itself
        case AzureArtifacts():
            ways = {"secret": artifacts.secret, "clientId": artifacts.client_id}
            needed = True
        case EmbeddedArtifacts():
            return
    if isinstance(artifacts, S3Artifacts) and artifacts.endpoint and artifacts.role_arn:
        yield Finding(
            ("artifacts", "roleArn"),
            "is an IAM role, and the store is not AWS",
            artifacts.role_arn,
            "with `endpoint`, `secret` is the way in",
            "write `secret` instead",
        )
        return
    given = [way for way, value in ways.items() if value is not None]
    choice = " or ".join(f"`{way}`" for way in ways)
    if len(given) > 1:
        yield Finding(
            ("artifacts", given[1]), "is one way in too many", rule=f"{choice}, not both", remedy="keep one"
        )
    if needed and not given:
        only = "`secret`" if isinstance(artifacts, S3Artifacts) else choice
        yield Finding(
            ("artifacts",), "has no way in", rule=f"the store is entered by {only}", remedy="add it"
        )


def backup_store(blueprint: Blueprint) -> Iterator[Finding]:
    """A backup can read the artifacts, and has somewhere to go that is not where they are."""
    backup, artifacts = blueprint.backup, blueprint.artifacts
    if backup is None:
        return
    if isinstance(artifacts, GcsArtifacts | AzureArtifacts):
        yield Finding(
            ("backup",),
            "cannot copy these artifacts",
            artifacts.mode,
            "backups read artifacts by S3 (`artifacts.mode`: embedded or s3)",
            "take it away; use your cloud's own versioning and backup for bucket and database",
        )
    elif backup.destination is None and not isinstance(artifacts, EmbeddedArtifacts):
        yield Finding(
            ("backup", "destination"),
            "is missing",
            rule="only the embedded store has a second bucket of its own",
            remedy="name a bucket and the Secret with its keys",
        )


def admission(blueprint: Blueprint) -> Iterator[Finding]:
    """Each registry is listed once, and nothing is asked about queues that are not there."""
    policies = blueprint.admission
    if policies is None:
        return
    listed = policies.allowed_registries or ()
    for index, registry in enumerate(listed):
        if registry in listed[:index]:
            where = ("admission", "allowedRegistries", index)
            yield Finding(where, "is given twice", registry, "each registry once", "take one away")
    if policies.gpu_queue and blueprint.queues is None:
        yield Finding(
            ("admission", "gpuQueue"),
            "asks for queues that are not there",
            policies.gpu_queue,
            "work can wait in its team's queue only where there are `queues`",
            "add `queues: {}`, or take this out",
        )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    platform_name,
    team_names,
    accounts,
    tracking_resources,
    store_identity,
    backup_store,
    *access_rules.RULES,
    *pool_rules.RULES,
    *databases.RULES,
    admission,
    *PROJECT_RULES,
    *MONITORING_RULES,
    *PIPELINE_RULES,
    *kubeflow_rules.RULES,
    *SECRET_RULES,
)
"""What makes a blueprint invalid."""


def pod_identity(blueprint: Blueprint) -> Iterator[Finding]:
    """A bucket without credentials works only where the cluster was told who its pods are."""
    artifacts = blueprint.artifacts
    if blueprint.cluster is None or not isinstance(artifacts, S3Artifacts) or artifacts.endpoint:
        return
    if artifacts.secret is None and artifacts.role_arn is None:
        yield Finding(
            ("artifacts",),
            "relies on EKS Pod Identity",
            rule="neither `secret` nor `roleArn` is given",
            remedy="associate a role with the tracking server's ServiceAccount, or add one of the two",
        )


WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    *access_rules.WARNINGS,
    pod_identity,
    *pool_rules.WARNINGS,
    *databases.WARNINGS,
    *PIPELINE_WARNINGS,
)
"""What is allowed and probably not meant."""


def check(blueprint: Blueprint, document: Document) -> tuple[Problem, ...]:
    """Notes in the document what breaks a rule; the warnings.

    Nothing is said of places that are known to be wrong, nor of what surrounds them.
    """
    for rule in RULES:
        for finding in rule(blueprint):
            if not document.is_suspect(finding.where):
                document.refuse(
                    finding.where,
                    finding.message,
                    value=finding.value,
                    rule=finding.rule,
                    remedy=finding.remedy,
                )
    return tuple(_warning(finding, document) for warn in WARNINGS for finding in warn(blueprint))


def _warning(finding: Finding, document: Document) -> Problem:
    place = document.place(finding.where)
    return Problem(
        document.file,
        place.line,
        place.column,
        path_text(finding.where),
        finding.message,
        shorten(finding.value),
        finding.rule,
        finding.remedy,
    )
