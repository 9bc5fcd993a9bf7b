"""The authorization function of a single sign-on, in a real MLflow server, with a real issuer's keys.

The issuer is a local HTTP server with a discovery document and a key set; the keys are made here.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from mlflow_server import (
    ADMIN,
    ADMIN_PASSWORD,
    Answer,
    Mlflow,
    make_team_accounts,
    oidc_auth,
    oidc_files,
    request,
    start,
)

from blueprints.model.teams import Team
from components.auth import OIDC_FUNCTION

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)
TEAMS = {"vision": Team(groups=("ml-vision",)), "pricing": Team(groups=("ml-pricing", "finance"))}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, size: int | None = None) -> str:
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def key_set() -> dict[str, Any]:
    rsa_numbers, ec_numbers = RSA_KEY.public_key().public_numbers(), EC_KEY.public_key().public_numbers()
    return {
        "keys": [
            {"kty": "RSA", "kid": "r1", "use": "sig", "n": number(rsa_numbers.n), "e": number(rsa_numbers.e)},
            {
                "kty": "EC",
                "kid": "e1",
                "crv": "P-256",
                "x": number(ec_numbers.x, 32),
                "y": number(ec_numbers.y, 32),
            },
        ]
    }


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        documents = {
            "/.well-known/openid-configuration": {"issuer": host, "jwks_uri": f"{host}/keys"},
            "/keys": key_set(),
        }
        body = json.dumps(documents[self.path]).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def mlflow(mlflow_python: str, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """A server with the single sign-on, in which the accounts script has made the teams' workspaces."""
    files = oidc_files(oidc_auth(issuer), TEAMS)
    folder: Path = tmp_path_factory.mktemp("oidc")
    for server in start(mlflow_python, folder, OIDC_FUNCTION, files):
        make_team_accounts(server, "the-password-of-vision")
        yield server


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": issuer,
        "aud": "ziggurat",
        "sub": "1",
        "exp": now + 300,
        "iat": now,
        "email": "eve@acme.dev",
    }
    return {
        key: value for key, value in {**base, "groups": ["ml-vision"], **changes}.items() if value is not None
    }


def token(
    payload: dict[str, Any], algorithm: str = "RS256", key: Any = RSA_KEY, kid: str | None = "r1"
) -> str:
    header = {"alg": algorithm, "typ": "JWT", **({"kid": kid} if kid else {})}
    message = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(payload).encode())}"
    if algorithm == "ES256":
        pair = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
        signature = b"".join(part.to_bytes(32, "big") for part in pair)
    elif algorithm == "PS256":
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        signature = key.sign(message.encode(), salted, hashes.SHA256())
    elif algorithm == "HS256":
        mac = hmac.HMAC(key, hashes.SHA256())
        mac.update(message.encode())
        signature = mac.finalize()
    elif algorithm == "none":
        signature = b""
    else:
        signature = key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{message}.{encoded(signature)}"


def bearer(mlflow: Mlflow, text: str, path: str = "/api/3.0/mlflow/workspaces") -> Answer:
    return request(mlflow.uri, "GET", path, {"Authorization": f"Bearer {text}"})


def workspaces(answer: Answer) -> set[str]:
    assert answer.status == 200, answer
    return {workspace["name"] for workspace in answer.body["workspaces"]}


def roles(mlflow: Mlflow, user: str) -> set[tuple[str, str]]:
    basic = base64.b64encode(f"{ADMIN}:{ADMIN_PASSWORD}".encode()).decode()
    path = f"/api/3.0/mlflow/users/roles/list?username={user}"
    answer = request(mlflow.uri, "GET", path, {"Authorization": f"Basic {basic}"})
    return {(role["workspace"], role["name"]) for role in answer.body["roles"]}


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [("RS256", RSA_KEY, "r1"), ("PS256", RSA_KEY, "r1"), ("ES256", EC_KEY, "e1"), ("RS256", RSA_KEY, None)],
)
def test_a_token_of_the_issuer_gives_the_workspaces_of_its_groups(
    mlflow: Mlflow, issuer: str, algorithm: str, key: Any, kid: str | None
) -> None:
    given = token(claims(issuer, email="ann@acme.dev"), algorithm, key, kid)

    assert workspaces(bearer(mlflow, given)) == {"vision"}
    assert bearer(mlflow, given, "/api/2.0/mlflow/users/current").body["user"]["username"] == "ann@acme.dev"
    assert roles(mlflow, "ann@acme.dev") == {("vision", "user")}


def test_artifacts_are_guarded_by_the_same_function(mlflow: Mlflow, issuer: str) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts?path=1"

    assert request(mlflow.uri, "GET", path, {}).status == 401
    assert bearer(mlflow, "x.y.z", path).status == 401
    assert bearer(mlflow, token(claims(issuer)), path).status in (200, 403)


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"iss": "https://elsewhere.dev"}, 401, "another issuer"),
        ({"aud": "somebody"}, 401, "audience"),
        ({"aud": None}, 401, "audience"),
        ({"exp": 1}, 401, "expired"),
        ({"exp": None}, 401, "expired"),
        ({"exp": True}, 401, "expired"),
        ({"nbf": 9_999_999_999}, 401, "not valid yet"),
        ({"email": None}, 401, "who you are"),
        ({"email": ["eve"]}, 401, "who you are"),
        ({"email_verified": False}, 403, "not verified"),
        ({"groups": ["strangers"]}, 403, "none of your groups"),
        ({"groups": None}, 403, "none of your groups"),
        ({"email": "admin", "groups": ["ml-admins"]}, 403, "belongs to an account"),
        ({"email": "Vision"}, 403, "belongs to an account"),
    ],
)
def test_a_token_that_says_the_wrong_things_is_refused(
    mlflow: Mlflow, issuer: str, changes: dict[str, Any], status: int, says: str
) -> None:
    answer = bearer(mlflow, token(claims(issuer, **changes)))

    assert (answer.status, says in answer.body) == (status, True), answer


def test_a_signature_that_is_not_the_issuers_is_refused(mlflow: Mlflow, issuer: str) -> None:
    payload = claims(issuer)
    good = token(payload)
    head, _, signature = good.split(".")
    other = encoded(json.dumps(claims(issuer, groups=["ml-admins"])).encode())
    pem = json.dumps(key_set()).encode()
    forged = [
        token(payload, key=FOREIGN),
        token(payload, key=FOREIGN, kid=None),
        token(payload, kid="unknown"),
        token(payload, "none"),
        token(payload, "HS256", pem),
        f"{head}.{other}.{signature}",
        good[:-4],
        "nonsense",
        "a.b.c",
        f"{good}.x",
    ]

    assert [bearer(mlflow, text).status for text in forged] == [401] * len(forged)


def test_groups_that_change_take_roles_away(mlflow: Mlflow, issuer: str) -> None:
    both = token(claims(issuer, email="carl@acme.dev", groups=["ml-vision", "finance"]))
    one = token(claims(issuer, email="carl@acme.dev", groups=["finance"]))

    assert workspaces(bearer(mlflow, both)) == {"vision", "pricing"}
    assert workspaces(bearer(mlflow, one)) == {"pricing"}
    assert roles(mlflow, "carl@acme.dev") == {("pricing", "user")}


def test_administrators_come_and_go_by_group(mlflow: Mlflow, issuer: str) -> None:
    up = token(claims(issuer, email="dora@acme.dev", groups=["ml-admins"]))
    down = token(claims(issuer, email="dora@acme.dev", groups=["ml-vision"]))
    users = "/api/2.0/mlflow/users/current"

    assert bearer(mlflow, up, users).body["user"]["is_admin"] is True
    assert bearer(mlflow, down, users).body["user"]["is_admin"] is False


def test_machines_go_on_with_their_passwords(mlflow: Mlflow) -> None:
    def current(password: str) -> int:
        basic = base64.b64encode(f"vision:{password}".encode()).decode()
        return request(
            mlflow.uri, "GET", "/api/2.0/mlflow/users/current", {"Authorization": f"Basic {basic}"}
        ).status

    assert (current("the-password-of-vision"), current("a-wrong-password")) == (200, 401)
    assert request(mlflow.uri, "GET", "/api/2.0/mlflow/users/current", {}).status == 401


def test_tokens_are_not_in_the_log(mlflow: Mlflow, issuer: str) -> None:
    given = token(claims(issuer))
    bearer(mlflow, given)

    assert given[-40:] not in (mlflow.folder / "server.log").read_text()
