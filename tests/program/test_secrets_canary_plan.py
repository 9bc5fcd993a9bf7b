"""A root secret is planted; neither it nor anything derived from it may show in what a plan leads to."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pulumi
import pytest
from rich.console import Console

from blueprints import load
from components.credentials import Credentials, Label
from ziggurat.plan import compare, plan, report
from ziggurat.plan.recording import record
from ziggurat.plan.rendering import render_files, render_stream, write_folder

CANARY = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeS0wMQ=="
FILES = [
    *sorted((Path(__file__).parents[2] / "blueprints").glob("*.yaml")),
    *sorted((Path(__file__).parent / "variants").glob("*.yaml")),
]


def derived(loaded) -> set[str]:
    """Every password and key, by the labels that the components use."""
    credentials = Credentials(loaded.blueprint.name, CANARY)
    accounts = {user for name, team in loaded.blueprint.teams.items() for user in team.accounts(name)}
    labels = [value for name, value in vars(Label).items() if name.isupper()]
    labels += [Label.account(user) for user in {*accounts, loaded.blueprint.auth.admin}]
    found: set[str] = set()

    def reveal() -> None:
        for label in labels:
            for secret in (credentials.password(label), credentials.key(label)):
                secret.apply(found.add)

    record(reveal)
    assert len(found) == 2 * len(labels)
    return found


def forms(secret: str) -> set[str]:
    """A secret as it is, and as careless code would disguise it."""
    raw = secret.encode()
    return {secret, quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex(), secret.rstrip("=")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_secret_shows(file, tmp_path, caplog, monkeypatch):
    loaded = load(file)
    made: set[str] = set()
    secret = pulumi.Output.secret

    def watched(value):
        if isinstance(value, str):
            made.add(value)
        return secret(value)

    monkeypatch.setattr(pulumi.Output, "secret", watched)
    caplog.set_level(logging.DEBUG)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        planned = plan(loaded, CANARY)
        console = Console(file=printed, width=200)
        for part in report.draw_plan(planned):
            console.print(part)
        for part in report.draw_difference(compare(plan(loaded), planned), "public", "canary"):
            console.print(part)
    write_folder(render_files(planned), tmp_path / "rendered")

    known = derived(loaded)
    assert made & known, "the program derives its credentials under labels that this test does not know"
    shown = "\n".join(
        [
            printed.getvalue(),
            repr(planned),
            json.dumps(report.plan_as_json(planned), ensure_ascii=False),
            render_stream(planned),
            caplog.text,
            *(path.read_text() for path in tmp_path.rglob("*") if path.is_file()),
        ]
    )
    root = base64.b64decode(CANARY).decode()
    for value in {CANARY, root, *known, *(value for value in made if len(value) >= 16)}:
        for form in forms(value):
            assert form not in shown
