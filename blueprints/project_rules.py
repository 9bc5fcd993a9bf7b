"""The rules of `projects`: each has a team, an account, a pool, a source and room enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from blueprints.document import Where
from blueprints.findings import Finding
from blueprints.model.blueprint import Blueprint
from blueprints.model.projects import Project
from blueprints.quantities import amount


def project_accounts(blueprint: Blueprint) -> Iterator[Finding]:
    """A project runs for a team of the platform, as one of its accounts."""
    for name, project in blueprint.projects.items():
        team = blueprint.teams.get(project.team)
        if team is None:
            yield Finding(
                ("projects", name, "team"),
                "is no team of this platform",
                project.team,
                f"one of {', '.join(sorted(blueprint.teams))}",
                _nearest(project.team, blueprint.teams) or "name one of these, or add it to `teams`",
            )
        elif project.user and project.user not in (accounts := team.accounts(project.team)):
            yield Finding(
                ("projects", name, "user"),
                f"is no account of team {project.team}",
                project.user,
                f"one of {', '.join(sorted(accounts))}",
                _nearest(project.user, accounts)
                or f"name one of these, or add it to `teams.{project.team}.users`",
            )


def project_pools(blueprint: Blueprint) -> Iterator[Finding]:
    """A project's GPUs are in a pool of the platform, on one node."""
    for name, project in blueprint.projects.items():
        pool = blueprint.gpu_pools.get(project.gpu_pool or "")
        where = ("projects", name, "resources", "gpus")
        if project.gpu_pool is None:
            if project.gpus:
                yield Finding(
                    where,
                    "are in no pool",
                    str(project.gpus),
                    "GPUs are in the nodes of a pool",
                    "name the pool as `gpuPool`",
                )
        elif pool is None:
            known = sorted(blueprint.gpu_pools)
            yield Finding(
                ("projects", name, "gpuPool"),
                "is no pool of this platform",
                project.gpu_pool,
                f"one of {', '.join(known)}" if known else "there is no pool in `gpuPools`",
                _nearest(project.gpu_pool, known) or "name a pool of `gpuPools`, or add it there",
            )
        elif project.gpus > pool.gpus_per_node:
            yield Finding(
                where,
                "are more than a node has",
                str(project.gpus),
                f"pool {project.gpu_pool} has {pool.gpus_per_node} in each node",
                "ask for fewer",
            )


def project_requests(blueprint: Blueprint) -> Iterator[Finding]:
    """Each run of a project fits its team's quota: Kubernetes would refuse its pod."""
    for name, project in blueprint.projects.items():
        team, asked = blueprint.teams.get(project.team), project.resources
        if team is None:
            continue
        quota = team.quota
        wanted = {
            "cpu": (asked.cpu, quota.cpu),
            "memory": (asked.memory, quota.memory),
            "gpus": (str(project.gpus), str(quota.gpus)),
        }
        for key, (request, most) in wanted.items():
            if amount(request) > amount(most):
                implied = key == "gpus" and asked.gpus is None
                yield Finding(
                    ("projects", name, "gpuPool") if implied else ("projects", name, "resources", key),
                    "asks for one GPU, more than the team's quota"
                    if implied
                    else "is more than the team's quota",
                    "" if implied else request,
                    f"`teams.{project.team}.quota.{key}` is {most}",
                    "raise the quota, or ask for less",
                )
        limit = asked.memory_limit
        if limit and amount(limit) < amount(asked.memory):
            yield Finding(
                ("projects", name, "resources", "memoryLimit"),
                "is less than the request",
                limit,
                f"at least `memory`, which is {asked.memory}",
                "raise the limit or lower the request",
            )


_REMOTE = re.compile(r"https?://[^\s/@?#]+/[^\s?#]*")
_FOLDER = re.compile(r"[A-Za-z0-9_/-]+")


def project_sources(blueprint: Blueprint) -> Iterator[Finding]:
    """A project's source can be had from inside a pod."""
    for name, project in blueprint.projects.items():
        yield from _project_uri(("projects", name, "uri"), project)
        for key in ("version", "secret"):
            if getattr(project, key) is not None and project.source != "git":
                yield Finding(
                    ("projects", name, key),
                    "has no effect",
                    rule="it is for git repositories, and `uri` names none",
                    remedy="take it away",
                )
        if project.image and project.image.endswith(":latest"):
            yield Finding(
                ("projects", name, "image"),
                "is another image tomorrow",
                project.image,
                "an image has a tag that stays, or a digest",
                "name the version that you mean",
            )


def _project_uri(where: Where, project: Project) -> Iterator[Finding]:
    location, mark, folder = project.uri.partition("#")
    if mark and not _FOLDER.fullmatch(folder):
        yield Finding(
            where,
            "names no folder after #",
            project.uri,
            "letters, digits, dashes, underscores and slashes, as MLflow takes them",
            "for a commit, tag or branch write `version`",
        )
    elif project.source == "path":
        if not project.image:
            yield Finding(
                where,
                "is a path, and no image holds it",
                project.uri,
                "the platform's own image holds no projects",
                "name the `image` that holds it, or the URL of a git repository",
            )
    elif re.match(r"https?://[^/]*@", location):
        yield Finding(
            where,
            "may hold a password",
            # Not the value: it would show it.
            rule="a URL has no user name and no password in it",
            remedy="put them into a Secret of the team's namespace, and name that as `secret`",
        )
    elif not _REMOTE.fullmatch(location):
        yield Finding(
            where,
            "cannot be fetched by a pod",
            project.uri,
            "the http(s) URL of a git repository or of a .zip file, or an absolute path inside `image`",
            "write the repository's https URL, and `secret` if it is private"
            if re.match(r"ssh://|[\w.-]+@", location)
            else "write one of these",
        )


def _nearest(word: str, words: Iterable[str]) -> str:
    near = get_close_matches(word, list(words), 1)
    return f"did you mean `{near[0]}`?" if near else ""


PROJECT_RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    project_accounts,
    project_pools,
    project_requests,
    project_sources,
)
