"""`ziggurat render`: the planned objects as YAML, for GitOps."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json
from ziggurat.commands.plan import make_plan, report_problems
from ziggurat.errors import ZigguratError
from ziggurat.exit_codes import ExitCode


@click.command(
    epilog="""\b
Examples:
  ziggurat render acme.yaml --output rendered    write a folder with a kustomization.yaml
  kubectl kustomize rendered                     see what would be applied
  ziggurat render acme.yaml -o - | less          one YAML stream on standard output"""
)
@blueprint_argument
@json_option
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    help="The folder to write; `-` prints one YAML stream on standard output.",
)
@click.option("--force", is_flag=True, help="Replace a folder that holds files which were not rendered.")
@click.option(
    "--kubernetes",
    metavar="VERSION",
    help="Check objects for this Kubernetes version, or the nearest known.  [default: 1.36]",
)
def command(blueprint: Path, as_json: bool, output: str, force: bool, kubernetes: str | None) -> ExitCode:
    """Write the planned objects as YAML: one file for each object, and a kustomization.yaml over them.

    The same blueprint always gives the same files. The folder is written whole or not at all. Values of
    Secrets are never written: secrets.yaml names each Secret with its keys, and is not applied. Charts are
    not templated: charts.yaml names each with its version and values, for what installs charts with you.
    """
    from ziggurat.plan.rendering import (
        CHARTS_FILE,
        KUSTOMIZATION,
        SECRETS_FILE,
        render_files,
        render_stream,
        write_folder,
    )

    if output == "-" and as_json:
        raise click.UsageError("--output - prints YAML; leave out --json, or name a folder")
    planned = make_plan(blueprint, kubernetes)
    if report_problems(planned) is not ExitCode.OK:
        raise ZigguratError(
            "nothing was rendered, as Kubernetes would refuse an object",
            where=str(blueprint),
            remedy="mend what the lines above name, or check for another version with --kubernetes",
        )
    if output == "-":
        click.echo(render_stream(planned), nl=False)
        return ExitCode.OK
    files = render_files(planned)
    write_folder(files, Path(output), force=force)
    secrets = sum(each.kind == "Secret" for each in planned.objects)
    if as_json:
        print_json({"folder": output, "files": list(files), "secretsNotRendered": secrets})
        return ExitCode.OK
    written = len(files.keys() - {KUSTOMIZATION, SECRETS_FILE, CHARTS_FILE})
    click.echo(
        f"{output}: {written} objects and {KUSTOMIZATION}; {SECRETS_FILE} names {secrets} Secrets to make"
    )
    return ExitCode.OK
