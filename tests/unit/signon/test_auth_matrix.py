"""The auth matrix: a row for everybody at every page, and what the probing makes of answers."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from click.testing import CliRunner
from signon_blueprints import BROUGHT, EMBEDDED, HEAD

from ziggurat.check.matrix import Expected, Probe, matrix
from ziggurat.check.probing import Prober
from ziggurat.check.report import Outcome
from ziggurat.check.ways import Host
from ziggurat.commands.check_auth import command


def answers(rows, page, path="/"):
    return {row.who: row.expected for row in rows if row.page == page and row.path == path and row.door}


def test_nobody_gets_a_page_and_teams_no_page_of_administrators(blueprint, pages):
    rows = matrix(blueprint(EMBEDDED))
    everybody = {"anonymous", "team vision", "team pricing", "administrator"}
    for page in ("MLflow", "Pipelines", "Katib", "Grafana"):
        found = answers(rows, page)
        assert set(found) == everybody
        assert found["anonymous"] is Expected.LOGIN
        assert found["administrator"] is Expected.OPEN
    assert answers(rows, "Katib")["team vision"] is Expected.FORBIDDEN
    assert answers(rows, "Pipelines")["team vision"] is Expected.OPEN


def test_programs_of_a_team_get_their_own_workspace_alone(blueprint, pages):
    rows = [row for row in matrix(blueprint(BROUGHT)) if row.probe is Probe.ACCOUNT]
    assert {(row.team, row.workspace): row.expected.value for row in rows} == {
        ("vision", "vision"): "200",
        ("vision", "pricing"): "403",
        ("pricing", "pricing"): "200",
        ("pricing", "vision"): "403",
    }


def test_a_team_without_groups_and_an_issuer_without_administrators_let_nobody_in(blueprint, pages):
    text = EMBEDDED.replace("  adminGroups: [ml-platform]\n", "").replace(
        '{groups: ["CN=pricing,OU=ml"]}', "{}"
    )
    found = answers(matrix(blueprint(text)), "MLflow")
    assert found["team pricing"] is found["administrator"] is Expected.FORBIDDEN


def test_without_a_sign_on_mlflow_asks_for_an_account(blueprint):
    rows = matrix(blueprint(HEAD))
    assert answers(rows, "MLflow")["anonymous"] is Expected.REFUSED
    assert {row.page for row in rows} == {"MLflow"}


def test_the_plan_is_a_table_and_json(tmp_path):
    file = tmp_path / "b.yaml"
    file.write_text(EMBEDDED)
    shown = CliRunner().invoke(command, [str(file), "--plan"])
    assert shown.exit_code == 0
    assert "https://mlflow.acme.dev/" in shown.output
    rows = json.loads(CliRunner().invoke(command, [str(file), "--plan", "--json"]).output)["rows"]
    assert {"page", "url", "who", "expected", "probe"} <= rows[0].keys()


class Pages(http.server.BaseHTTPRequestHandler):
    answer = (200, "")

    def do_GET(self):
        status, place = Pages.answer
        self.send_response(status)
        if place:
            self.send_header("Location", place)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def ask(blueprint):
    """What comes of a row when the page gives this answer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = matrix(blueprint(EMBEDDED))

    def asked(expected, answer):
        row = next(row for row in rows if row.expected is expected and row.probe is Probe.NOBODY)
        Pages.answer = answer
        here = Host(f"127.0.0.1:{server.server_port}", "http")
        prober = Prober(None, "acme", lambda _: None, "login.acme.dev", 5, hosts=lambda *_: here)
        return prober.result(row).outcome

    yield asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("expected", "answer", "outcome"),
    [
        (Expected.LOGIN, (302, "https://login.acme.dev/auth?client_id=mlflow"), Outcome.OK),
        (Expected.LOGIN, (302, "https://evil.example/"), Outcome.FAILED),
        (Expected.LOGIN, (200, ""), Outcome.FAILED),
        (Expected.REFUSED, (401, ""), Outcome.OK),
        (Expected.REFUSED, (200, ""), Outcome.FAILED),
        (Expected.OPEN, (200, ""), Outcome.OK),
        (Expected.OPEN, (503, ""), Outcome.FAILED),
    ],
)
def test_another_answer_than_the_expected_one_fails(ask, expected, answer, outcome):
    assert ask(expected, answer) is outcome


def test_what_needs_a_person_is_skipped(blueprint):
    row = next(row for row in matrix(blueprint(EMBEDDED)) if row.probe is Probe.PERSON)
    assert Prober(None, "acme", lambda _: None, None, 1).result(row).outcome is Outcome.SKIPPED
