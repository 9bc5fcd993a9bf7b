"""A single sign-on as a whole: a browser, oauth2-proxy with the platform's flags, an issuer, and MLflow.

It needs a Python with MLflow (see mlflow_server.py) and, in ZIGGURAT_TEST_OAUTH2_PROXY, the path of an
oauth2-proxy 7.15.3. The flags are those of the platform but for the address that the proxy listens on; the
browser here is lenient in one thing, it sends Secure cookies to http://127.0.0.1.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from mlflow_server import (
    ADMIN,
    Answer,
    Mlflow,
    free_port,
    make_team_accounts,
    oidc_auth,
    oidc_files,
    request,
    start,
)
from test_oidc_function import TEAMS, claims, encoded, key_set, token

from blueprints.model.access import OidcAuth
from components.auth import OIDC_FUNCTION
from components.credentials import Credentials, Label
from components.signon.issuer import Client, issuer_of
from components.signon.proxies import PROXY_PORT, LoginProxy, flags, proxy_app
from components.sites import Login
from components.sites import Site as LoginPage
from components.versions import ImageSource

CLIENT_SECRET = "the-secret-of-the-client"
PASSWORD = "the-password-of-vision"
CURRENT = "/api/2.0/mlflow/users/current"
BROWSER_CURRENT = "/ajax-api/2.0/mlflow/users/current"
PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"email": "ann@acme.dev", "groups": ["ml-vision"]},
    "eve": {"email": "eve@acme.dev", "groups": ["strangers"]},
    "una": {"email": "una@acme.dev", "groups": ["ml-vision"], "email_verified": False},
    "rita": {"email": "rita@acme.dev", "groups": ["ml-vision"]},
}


class Issuer(BaseHTTPRequestHandler):
    """Logs in at once whoever `person` names; strict about client, redirect, PKCE and nonce."""

    person = "ann"
    lie: dict[str, Any] = {}
    """Claims that the next tokens get wrong."""
    lifetime = 300
    codes: dict[str, dict[str, str]] = {}
    scopes: set[str] = set()
    redirects: set[str] = set()

    def do_GET(self) -> None:
        here, asked = f"http://{self.headers['Host']}", urlsplit(self.path)
        match asked.path:
            case "/.well-known/openid-configuration":
                self.answer(
                    200,
                    {
                        "issuer": here,
                        "jwks_uri": f"{here}/keys",
                        "authorization_endpoint": f"{here}/authorize",
                        "token_endpoint": f"{here}/token",
                        "id_token_signing_alg_values_supported": ["RS256"],
                        "code_challenge_methods_supported": ["S256"],
                    },
                )
            case "/keys":
                self.answer(200, key_set())
            case "/authorize":
                given = {key: values[0] for key, values in parse_qs(asked.query).items()}
                assert given["redirect_uri"] in Issuer.redirects
                Issuer.scopes = set(given["scope"].split())
                code = secrets.token_urlsafe(16)
                Issuer.codes[code] = {**given, "person": Issuer.person}
                back = urlencode({"code": code, "state": given["state"]})
                self.send_response(302)
                self.send_header("Location", f"{given['redirect_uri']}?{back}")
                self.end_headers()
            case _:
                self.answer(404, {})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {key: values[0] for key, values in parse_qs(text).items()}
        pair = base64.b64encode(f"ziggurat:{CLIENT_SECRET}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {pair}":
            self.answer(401, {"error": "invalid_client"})
            return
        if given["grant_type"] == "refresh_token":
            person, nonce = given["refresh_token"].partition(".")[0], {}
        else:
            asked = Issuer.codes.pop(given["code"])
            challenge = encoded(hashlib.sha256(given["code_verifier"].encode()).digest())
            assert (asked["code_challenge_method"], asked["code_challenge"]) == ("S256", challenge)
            person, nonce = asked["person"], {"nonce": asked["nonce"]} if "nonce" in asked else {}
        now = int(time.time())
        payload = {**claims(f"http://{self.headers['Host']}", exp=now + Issuer.lifetime), **PEOPLE[person]}
        refresh = {"refresh_token": f"{person}.{secrets.token_hex(4)}"} if person == "rita" else {}
        self.answer(
            200,
            {
                "access_token": secrets.token_urlsafe(16),
                "token_type": "Bearer",
                "expires_in": Issuer.lifetime,
                "id_token": token({**payload, **nonce, **Issuer.lie}),
                **refresh,
            },
        )

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    text: str
    path: tuple[str, ...]
    """The addresses on the way."""


@dataclass
class Browser:
    """Keeps cookies for each address and follows redirects."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    attributes: list[str] = field(default_factory=list[str])

    def get(self, url: str, headers: Mapping[str, str] = {}, *, follow: bool = True) -> Page:
        way: list[str] = []
        for _ in range(10):
            # The platform's redirect URL is https; the proxy itself speaks http behind the TLS of an ingress.
            place = urlsplit(url)
            way.append(f"{place.netloc}{place.path}")
            jar = self.cookies.setdefault(place.netloc, {})
            connection = http.client.HTTPConnection(place.netloc, timeout=60)
            sent = {**headers, "Cookie": "; ".join(f"{key}={value}" for key, value in jar.items())}
            connection.request("GET", f"{place.path or '/'}?{place.query}", headers=sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            for line in answer.headers.get_all("Set-Cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self.attributes.append(line.replace(value, "") if value else line)
                if value:
                    jar[name] = value
                else:
                    jar.pop(name, None)
            location = answer.headers.get("Location")
            if not (follow and location and answer.status in (301, 302, 303, 307)):
                return Page(answer.status, dict(answer.headers), text, tuple(way))
            url = location if "//" in location else f"http://{place.netloc}{location}"
        raise AssertionError(f"redirected for ever: {way}")


@dataclass(frozen=True)
class Site:
    mlflow: Mlflow
    issuer: str
    uri: str
    """The proxy."""
    auth: OidcAuth

    @property
    def proxy(self) -> str:
        return urlsplit(self.uri).netloc

    def login(self, person: str, uri: str | None = None) -> tuple[Browser, Page]:
        Issuer.person = person
        browser = Browser()
        return browser, browser.get(f"{uri or self.uri}/")


async def cookie_key() -> str:
    root = base64.b64encode(bytes(range(32))).decode()
    value = await Credentials("acme-ml", root).key(Label.OIDC_COOKIE).future()
    assert value is not None
    return value


def platform_flags(auth: OidcAuth, host: str) -> list[str]:
    """The flags of the platform's login proxy of MLflow, under this host."""
    issuer = issuer_of(auth, "acme-ml")
    assert issuer is not None
    app = proxy_app("acme-ml", "mlflow")
    page = LoginPage("mlflow", "MLflow", host, app, 5000, Login.BEARER)
    client = Client(auth.client_id, auth.client_secret.secret_name)
    credentials = Credentials("acme-ml", base64.b64encode(bytes(range(32))).decode())
    return flags(LoginProxy(app, page, issuer, client, (), ImageSource(), credentials))


@contextmanager
def proxy(auth: OidcAuth, mlflow: Mlflow, *more: str) -> Generator[str]:
    """The URI of an oauth2-proxy with the platform's flags, then `more`."""
    host = f"127.0.0.1:{free_port()}"
    Issuer.redirects.add(f"https://{host}/oauth2/callback")
    options = platform_flags(auth, host)
    (upstream,) = (index for index, option in enumerate(options) if option.startswith("--upstream="))
    options[upstream] = f"--upstream={mlflow.uri}"
    options[options.index(f"--http-address=0.0.0.0:{PROXY_PORT}")] = f"--http-address={host}"
    process = start_proxy([*options, *more], f"http://{host}", mlflow.folder / "proxy.log")
    try:
        yield f"http://{host}"
    finally:
        process.terminate()
        process.wait()


def start_proxy(flags: list[str], uri: str, log: Path) -> subprocess.Popen[bytes]:
    cookie = asyncio.run(cookie_key())
    environment = {"OAUTH2_PROXY_COOKIE_SECRET": cookie, "OAUTH2_PROXY_CLIENT_SECRET": CLIENT_SECRET}
    with log.open("a") as out:
        process = subprocess.Popen(
            [os.environ["ZIGGURAT_TEST_OAUTH2_PROXY"], *flags], env=environment, stdout=out, stderr=out
        )
    for _ in range(100):
        assert process.poll() is None, log.read_text()
        try:
            assert request(uri, "GET", "/ready", {}).status == 200
        except OSError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def site(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if "ZIGGURAT_TEST_OAUTH2_PROXY" not in os.environ:
        pytest.skip("name an oauth2-proxy 7.15.3 in ZIGGURAT_TEST_OAUTH2_PROXY")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{server.server_port}"
    auth = oidc_auth(issuer)
    folder = tmp_path_factory.mktemp("proxy")
    for mlflow in start(mlflow_python, folder, OIDC_FUNCTION, oidc_files(auth, TEAMS)):
        make_team_accounts(mlflow, PASSWORD)
        with proxy(auth, mlflow) as uri:
            yield Site(mlflow, issuer, uri, auth)
    server.shutdown()
    server.server_close()


def basic(user: str = "vision", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def username(answer: Answer | Page) -> str:
    assert answer.status == 200, answer
    body = json.loads(answer.text) if isinstance(answer, Page) else answer.body
    return body["user"]["username"]


def test_a_browser_is_led_to_the_issuer_and_back_to_mlflow(site: Site) -> None:
    browser, page = site.login("ann")

    assert page.status == 200, page
    assert "<title>MLflow" in page.text
    issuer = urlsplit(site.issuer).netloc
    assert page.path == (
        f"{site.proxy}/",
        f"{issuer}/authorize",
        f"{site.proxy}/oauth2/callback",
        f"{site.proxy}/",
    )
    assert Issuer.scopes == {"openid", "email", "profile", "groups"}
    assert username(browser.get(f"{site.uri}{BROWSER_CURRENT}")) == "ann@acme.dev"
    # What browsers ask of the prefix __Host-: https only, the whole host, no other host.
    for cookie in browser.attributes:
        assert cookie.startswith("__Host-ziggurat"), cookie
        wanted = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
        assert wanted <= set(cookie.split("; ")), cookie
        assert "Domain" not in cookie


def test_somebody_without_a_team_is_told_so(site: Site) -> None:
    browser, page = site.login("eve")

    assert (page.status, "none of your groups" in page.text) == (403, True), page
    assert browser.get(f"{site.uri}{BROWSER_CURRENT}").status == 403


def test_an_address_that_the_issuer_has_not_verified_is_refused(site: Site) -> None:
    browser, page = site.login("una")

    assert page.status == 500, page  # oauth2-proxy's word for it
    assert browser.get(f"{site.uri}{BROWSER_CURRENT}").status == 401


def test_an_id_token_made_for_another_login_is_refused(site: Site) -> None:
    Issuer.lie = {"nonce": "of-another-login"}
    try:
        browser, page = site.login("ann")
    finally:
        Issuer.lie = {}

    assert page.status == 403, page
    assert browser.get(f"{site.uri}{BROWSER_CURRENT}").status == 401


def test_a_call_of_the_page_without_a_login_is_refused_not_redirected(site: Site) -> None:
    page = Browser().get(f"{site.uri}{BROWSER_CURRENT}", follow=False)

    assert (page.status, page.headers.get("Location")) == (401, None)
    forged = {"X-Forwarded-User": ADMIN, "X-Forwarded-Email": ADMIN, "X-Auth-Request-User": ADMIN}
    assert Browser().get(f"{site.uri}{BROWSER_CURRENT}", forged, follow=False).status == 401
    assert Browser().get(f"{site.uri}{BROWSER_CURRENT}", basic(), follow=False).status == 401


def test_programs_go_on_as_themselves(site: Site) -> None:
    assert username(request(site.uri, "GET", CURRENT, basic())) == "vision"
    assert request(site.uri, "GET", CURRENT, basic(password="wrong")).status == 401
    assert request(site.uri, "GET", CURRENT, {}).status == 401

    given = token(claims(site.issuer, email="carl@acme.dev"))
    assert (
        username(request(site.uri, "GET", CURRENT, {"Authorization": f"Bearer {given}"})) == "carl@acme.dev"
    )
    stranger = token(claims(site.issuer, groups=["strangers"]))
    assert request(site.uri, "GET", CURRENT, {"Authorization": f"Bearer {stranger}"}).status == 403


def test_what_clients_ask_beside_the_api_reaches_mlflow(site: Site) -> None:
    assert request(site.uri, "GET", "/version", basic()) == Answer(200, "3.17.2")
    assert request(site.uri, "GET", "/health", {}) == Answer(200, "OK")
    traces = "/v1/traces"
    answers = [request(at, "POST", traces, basic(), {}) for at in (site.uri, site.mlflow.uri)]
    assert answers[0].status == answers[1].status != 401, answers
    assert request(site.uri, "POST", traces, {}, {}).status == 401


def test_headers_and_cookies_that_somebody_makes_up_gain_nothing(site: Site) -> None:
    kinds = ("Forwarded-User", "Forwarded-Email", "Auth-Request-User", "Auth-Request-Email", "Remote-User")
    forged = {f"X-{kind}": ADMIN for kind in kinds}
    cookie = {"Cookie": "__Host-ziggurat=YWRtaW4=|1790000000|forged"}

    assert request(site.uri, "GET", CURRENT, {**forged, **cookie}).status == 401
    assert username(request(site.uri, "GET", CURRENT, {**basic(), **forged, **cookie})) == "vision"
    browser, _ = site.login("ann")
    assert username(browser.get(f"{site.uri}{BROWSER_CURRENT}", forged)) == "ann@acme.dev"
    jar = browser.cookies[site.proxy]
    stolen = {
        name: f"{value[:40]}{'A' if value[40] != 'A' else 'B'}{value[41:]}" for name, value in jar.items()
    }
    browser.cookies[site.proxy] = stolen
    assert browser.get(f"{site.uri}{BROWSER_CURRENT}").status == 401


def test_a_browser_with_both_session_and_password_is_nobody_else(site: Site) -> None:
    browser, _ = site.login("ann")

    for path in (CURRENT, BROWSER_CURRENT):
        page = browser.get(f"{site.uri}{path}", basic())
        assert page.status == 401, page  # two credentials in one header are none


def test_logging_out_ends_the_session(site: Site) -> None:
    browser, _ = site.login("ann")
    page = browser.get(f"{site.uri}/oauth2/sign_out", follow=False)

    assert (page.status, page.headers["Location"]) == (302, "/")
    assert not browser.cookies[site.proxy]
    assert browser.get(f"{site.uri}{BROWSER_CURRENT}").status == 401


def test_a_session_lives_as_long_as_the_issuer_renews_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Issuer, "lifetime", 2)
    with proxy(site.auth, site.mlflow, "--cookie-refresh=1s") as uri:
        renewed, page = site.login("rita", uri)  # whom the issuer gives a refresh token
        assert page.status == 200
        ended, page = site.login("ann", uri)
        assert page.status == 200
        time.sleep(3)

        assert username(renewed.get(f"{uri}{BROWSER_CURRENT}")) == "rita@acme.dev"
        assert ended.get(f"{uri}{BROWSER_CURRENT}").status == 401
        page = ended.get(f"{uri}/")
        assert page.status == 200
        assert f"{urlsplit(site.issuer).netloc}/authorize" in page.path
