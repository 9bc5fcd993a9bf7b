"""`ziggurat run`: runs one of the blueprint's MLflow Projects on the cluster, now."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json, timeout
from ziggurat.commands.platform import open_serving, stack_options

if TYPE_CHECKING:
    from blueprints import Blueprint
    from blueprints.model.projects import Project
    from components.manifests.metadata import App
    from ziggurat.cluster import Cluster, Object

_RUN_ID = re.compile(r"=== Run \(ID '(?P<id>[0-9a-f]+)'\) succeeded ===")
"""How `mlflow run` says which run of the tracking server it was."""


@dataclass(frozen=True)
class ProjectRun:
    """A run that has been started, or that has succeeded."""

    project: str
    team: str
    namespace: str
    job: str
    experiment: str
    seconds: float | None = None
    """How long it took; None if it was not waited for."""
    run_id: str | None = None
    """Its run in MLflow; None if its log does not say."""

    def as_json(self) -> dict[str, Any]:
        """The run for a machine."""
        return {
            "project": self.project,
            "team": self.team,
            "namespace": self.namespace,
            "job": self.job,
            "experiment": self.experiment,
            "finished": self.seconds is not None,
            "seconds": self.seconds,
            "runId": self.run_id,
        }

    def text(self) -> str:
        """The run for a person."""
        if self.seconds is None:
            follow = f"kubectl logs -n {self.namespace} -f job/{self.job}"
            return f"{self.project}: started as Job {self.namespace}/{self.job}\nfollow it:  {follow}"
        run = f", MLflow run {self.run_id}" if self.run_id else ""
        where = f"experiment {self.experiment} of team {self.team}"
        return f"{self.project}: succeeded in {self.seconds:.0f} s, {where}{run}"


def _pairs(_context: click.Context, _parameter: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    wrong = [each for each in given if not re.match(r"[^=\s]+=", each)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]}: a parameter is NAME=VALUE")
    return dict(each.split("=", 1) for each in given)


@click.command(
    epilog="""\b
Examples:
  ziggurat run churn                              of ./blueprint.yaml, to its end
  ziggurat run churn acme.yaml -P months=6        with another value of a parameter
  ziggurat run nightly-eval acme.yaml --no-wait   only start it

\b
Exit codes: 0 it succeeded (or was started, with --no-wait); 1 it failed; 2 wrong usage; 3 the blueprint
is wrong; 4 the cluster does not answer, or runs no containers; 130 no longer waited for (Ctrl-C)."""
)
@click.argument("project")
@blueprint_argument
@click.option(
    "-P",
    "--param",
    "parameters",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="A parameter of the entry point, over or beside those of the blueprint; as often as needed.",
)
@click.option("-e", "--entry-point", metavar="NAME", help="Another entry point than the blueprint's.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for its end.")
@timeout("How long to wait, by default the project's `deadlineSeconds`; the run goes on.")
@stack_options
@json_option
def command(
    project: str,
    blueprint: Path,
    *,
    parameters: dict[str, str],
    entry_point: str | None,
    wait: bool,
    seconds: float | None,
    as_json: bool,
    **target: Any,
) -> None:
    """Run PROJECT, an MLflow Project of the blueprint, on the cluster now.

    It runs as on its schedule: in its team's namespace and queue, with its account, image, resources and
    deadline; but it is tried only once. While it runs the blueprint's `concurrencyPolicy` does not count it.
    Its log goes to standard error when it has succeeded; when it fails, the last lines are in the message.
    """
    from blueprints import load
    from ziggurat.progress import Progress

    declared = load(blueprint).blueprint
    chosen = _project(declared, project, str(blueprint))
    cluster, _ = open_serving(blueprint, quiet=as_json, purpose="no project runs", **target)
    app = _app(declared, project, chosen)
    job = _job(cluster, app, project, entry_point, parameters)
    started = ProjectRun(
        project, chosen.team, app.namespace, job["metadata"]["name"], chosen.experiment or project
    )
    if wait:
        limit = seconds or float(chosen.deadline_seconds)
        started = _follow(cluster, job, started, Progress(quiet=as_json), limit, show_log=not as_json)
    else:
        cluster.create(job)
    if as_json:
        print_json(started.as_json())
    else:
        click.echo(started.text())


def _project(declared: Blueprint, name: str, where: str) -> Project:
    from ziggurat.errors import ZigguratError

    if name in declared.projects:
        return declared.projects[name]
    near = get_close_matches(name, declared.projects, 1)
    there = ", ".join(sorted(declared.projects))
    raise ZigguratError(
        f"there is no project {name}",
        where=f"{where}: projects: {there or 'none'}",
        remedy=f"did you mean `{near[0]}`?" if near else "name one of these, or add it to `projects`",
    )


def _app(declared: Blueprint, name: str, project: Project) -> App:
    from components.projects import project_app

    return project_app(declared.name, name, project.team)


def _job(
    cluster: Cluster, app: App, name: str, entry_point: str | None, parameters: dict[str, str]
) -> Object:
    """A Job of the project's CronJob on the cluster, which is what was last provisioned."""
    from components.projects import MAIN, overridden
    from ziggurat import jobs
    from ziggurat.errors import ZigguratError

    template = cluster.find("batch/v1", "CronJob", app.namespace, app.name)
    if template is None:
        raise ZigguratError(
            f"the platform does not have the project {name} yet",
            where=f"CronJob {app.namespace}/{app.name} is not there",
            remedy="ziggurat up provisions what the blueprint says",
        )
    job = jobs.from_cron_job(template, "run")
    containers = job["spec"]["template"]["spec"]["containers"]
    main = next(each for each in containers if each["name"] == MAIN)
    main["args"] = overridden(main["args"], entry_point, parameters)
    return job


def _follow(
    cluster: Cluster, job: Object, started: ProjectRun, progress: Any, seconds: float, *, show_log: bool
) -> ProjectRun:
    from dataclasses import replace

    from ziggurat import jobs
    from ziggurat.errors import ZigguratError

    begun = time.monotonic()
    try:
        log = jobs.run(cluster, job, f"running {started.project}", progress, seconds=seconds, shown=True)
    except jobs.Failure as failure:
        step = f", container {failure.container}" if failure.container else ""
        raise ZigguratError(
            f"{started.project} failed: {failure.said}",
            where=f"Job {failure.job}{step}",
            remedy=f"the whole log, kept for a day: kubectl logs -n {started.namespace} job/{started.job} "
            "--all-containers",
        ) from None
    if show_log and log.strip():
        click.echo(log.rstrip(), err=True)
    found = _RUN_ID.search(log)
    return replace(started, seconds=round(time.monotonic() - begun, 1), run_id=found["id"] if found else None)
