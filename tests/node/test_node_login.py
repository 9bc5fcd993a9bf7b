"""One login: two teams come by Dex and oauth2-proxy to MLflow, as browsers do."""

from __future__ import annotations

import copy
import time
from contextlib import ExitStack

import pytest
from onenode.browser import Browser
from onenode.gates import asked_for
from onenode.platform import ask

from components.signon.dex import user_secret

pytestmark = asked_for("NODE_LOGIN", "takes three minutes")
TABLE = "One login: who gets what of MLflow through Dex and oauth2-proxy"
HOST, ISSUER = "mlflow.acme.internal", "login.acme.internal"
PORTS = {HOST: 5011, ISSUER: 5012}
SERVICES = {HOST: ("oauth2-proxy", 4180, "/ping"), ISSUER: ("dex", 5556, "/healthz")}
PAGE = f"https://{HOST}"
API = f"{PAGE}/ajax-api/2.0/mlflow"
ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"
_TEAMS = """\
teams:
  vision:
    quota: {cpu: 8, memory: 32Gi}
    groups: [ml-vision]
  pricing: {groups: [ml-pricing]}
"""
_LOGIN = f"""\
tracking: {{host: {HOST}}}
auth:
  mode: embedded
  host: {ISSUER}
  users:
    {ANN}: {{groups: [ml-vision]}}
    {BOB}: {{groups: [ml-pricing]}}
    {EVE}: {{groups: [strangers]}}
"""


@pytest.fixture(scope="module")
def single(platform, table):
    """The running platform, its accounts by password now with a login for people beside them."""
    before = platform.blueprint.read_text()
    first, last = before.index("teams:"), before.index("backup:")
    start = time.monotonic()
    with platform.changed(before[:first] + _TEAMS + before[last:] + _LOGIN), ExitStack() as open_ports:
        table.add(who="-", what=f"up, onto the running starter: {time.monotonic() - start:.0f} s", answer="")
        for host, (service, port, health) in SERVICES.items():
            open_ports.enter_context(platform.reached(service, port, PORTS[host], health))
        yield platform


@pytest.fixture(scope="module")
def people(single):
    """A browser for each, logged in, and what was shown then."""

    def log_in(email):
        browser = Browser(PORTS)
        password = single.secret(single.name, user_secret(email))["password"]
        return browser, browser.log_in(f"{PAGE}/", email, password)

    return {email: log_in(email) for email in (ANN, BOB, EVE)}


def in_team(browser, path, team, data=None):
    headers = {"X-MLFLOW-WORKSPACE": team, "Origin": PAGE}
    return browser.open(f"{API}/{path}", data=data, headers=headers)


def test_nobody_is_sent_to_the_login(single, table):
    browser = Browser(PORTS)
    page = browser.open(f"{PAGE}/", follow=False)
    table.add(who="nobody", what="GET /", answer=f"{page.status}, to {page.location.split('?')[0]}")
    assert (page.status, page.location.split("?")[0]) == (302, f"https://{ISSUER}/auth")
    assert "code_challenge_method=S256" in page.location
    assert in_team(browser, "experiments/search?max_results=9", "vision").status == 401
    forged = {"X-Forwarded-Email": ANN, "X-Forwarded-User": ANN, "Authorization": "Bearer x.y.z"}
    for path in ("ajax-api/2.0/mlflow/users/current", "api/2.0/mlflow/users/current"):
        answer = browser.open(f"{PAGE}/{path}", headers=forged, follow=False)
        table.add(who="nobody", what=f"GET /{path}, with headers made up", answer=answer.status)
        assert answer.status == 401


def test_a_wrong_password_opens_nothing(single):
    browser = Browser(PORTS)
    page = browser.log_in(f"{PAGE}/", ANN, "a guess")
    assert page.url.startswith(f"https://{ISSUER}/")
    assert browser.open(f"{PAGE}/", follow=False).status == 302


def test_members_see_their_own_team_and_no_other(people, table):
    name = f"login-{time.time_ns()}"
    (ann, shown), (bob, _) = people[ANN], people[BOB]
    assert (shown.status, shown.url) == (200, f"{PAGE}/")
    assert "MLflow" in shown.body
    assert ANN in in_team(ann, "users/current", "vision").body
    made = in_team(ann, "experiments/create", "vision", {"name": name})
    assert made.status == 200, made
    wanted = {
        (ANN, "vision"): 200,
        (ANN, "pricing"): 404,
        (BOB, "vision"): 403,
        (BOB, "pricing"): 404,
    }
    for (email, team), status in wanted.items():
        answer = in_team(people[email][0], f"experiments/get-by-name?experiment_name={name}", team)
        table.add(who=email, what=f"the experiment of {ANN} in {team}", answer=answer.status)
        assert (answer.status == 200) == (status == 200), (email, team, answer)
        assert answer.status in (status, 403, 404)
    assert in_team(bob, "experiments/create", "pricing", {"name": name}).status == 200
    assert in_team(bob, "experiments/create", "vision", {"name": "stolen"}).status == 403


def test_who_belongs_to_no_team_is_refused(people, table):
    browser, shown = people[EVE]
    table.add(who=EVE, what="in no team", answer=shown.status)
    assert shown.status == 403
    assert in_team(browser, "experiments/search?max_results=9", "vision").status in (401, 403)


def test_the_session_is_a_cookie_that_only_https_carries(people):
    browser, _ = people[ANN]
    session = [cookie for cookie in browser.cookies if cookie.name.startswith("__Host-ziggurat")]
    assert session
    assert all(cookie.secure and cookie.has_nonstandard_attr("HttpOnly") for cookie in session)
    assert {cookie.domain for cookie in session} == {HOST}
    thief = Browser(PORTS)
    for cookie in map(copy.copy, session):
        cookie.value = f"{cookie.value[:-3]}AAA"
        thief.cookies.set_cookie(cookie)
    assert thief.open(f"{PAGE}/", follow=False).status == 302


def test_a_session_ends_when_it_is_ended(people):
    browser, _ = people[BOB]
    assert browser.open(f"{PAGE}/", follow=False).status == 200
    browser.open(f"{PAGE}/oauth2/sign_out", follow=False)
    assert browser.open(f"{PAGE}/", follow=False).status == 302


def test_machines_keep_their_accounts(single, table):
    secret = single.secret(f"{single.name}-vision", "mlflow-vision")
    user = secret["MLFLOW_TRACKING_USERNAME"], secret["MLFLOW_TRACKING_PASSWORD"]
    url = f"http://127.0.0.1:{PORTS[HOST]}/api/2.0/mlflow/experiments/search?max_results=9"
    headers = {"X-MLFLOW-WORKSPACE": "vision", "Host": HOST}
    for password, status in ((user[1], 200), ("a guess", 401)):
        answer = ask(url, (user[0], password), headers=headers)
        table.add(who="vision's account", what="search by the API, with a password", answer=answer.status)
        assert answer.status == status, answer
