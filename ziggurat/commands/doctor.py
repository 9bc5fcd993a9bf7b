"""`ziggurat doctor`: what was found, what is missing and what to do."""

from __future__ import annotations

from dataclasses import asdict

import click

from ziggurat.commands.options import json_option, print_json
from ziggurat.exit_codes import ExitCode

_MARKS = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}


@click.command(
    epilog="""\b
Examples:
  ziggurat doctor
  ziggurat doctor --json | jq '.findings[] | select(.level != "ok")'

\b
Exit codes: 0 everything needed is here or can be got; 5 something needed is missing."""
)
@json_option
def command(as_json: bool) -> ExitCode:
    """Say what was found, what is missing and what to do. Changes nothing."""
    from ziggurat.settings import Settings
    from ziggurat.toolchain.examination import examine

    findings = examine(Settings.from_environment())
    missing = any(finding.level == "missing" for finding in findings)
    if as_json:
        print_json({"healthy": not missing, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{_MARKS[finding.level]} {finding.subject:<24} {finding.found}")
            if finding.remedy:
                click.echo(f"{'':<32} to do: {finding.remedy}")
    return ExitCode.TOOL if missing else ExitCode.OK
