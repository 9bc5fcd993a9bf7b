# pyright: basic, reportMissingImports=false
# Runs inside the MLflow server, with the libraries of its image.
"""MLflow's authorization function for a single sign-on: who a request is from.

MLflow calls `authenticate` in Flask's request context, several times in each request. Machines log in with
user name and password, as without a single sign-on. People come with an ID token of the issuer, which
oauth2-proxy puts on each request of a browser, or which a program got from the issuer itself. The token is
verified here, whoever sent it: signature, issuer, audience, times. Its groups give the teams; account and
roles in MLflow are made to match, so MLflow's own access control decides everything else.

The settings are in oidc.json beside this file (components/auth.py writes both).
"""

import base64
import json
import secrets
import ssl
import threading
import time
import urllib.request
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from flask import Response, request
from mlflow.exceptions import MlflowException
from mlflow.server import auth as mlflow_auth
from werkzeug.datastructures import Authorization

LEEWAY = 30  # seconds by which clocks may differ
KEYS_SECONDS = 3600  # how long the issuer's keys are kept
RETRY_SECONDS = 30  # how often at most they are asked for
ACCOUNT_SECONDS = 60  # how long an account is taken to match its groups
MAX_TOKEN = 16_384  # characters
SEEDED = ("admin", "user")  # the roles that MLflow makes in each workspace

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": ("P-256", ec.SECP256R1, 32), "ES384": ("P-384", ec.SECP384R1, 48)}
# Only signatures with a public key: `none` and the symmetric algorithms are not here.
ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES}


class RefusedError(Exception):
    """Why a token is not accepted; the text may be shown to whoever sent it."""

    def __init__(self, reason, status=401):
        super().__init__(reason)
        self.status = status


@cache
def settings():
    return json.loads((Path(__file__).parent / "oidc.json").read_text())


def authenticate():
    """An Authorization with the user's name, or the response that refuses the request."""
    given = request.authorization
    if given is None:
        return refusal("You are not logged in.", 401)
    if given.type == "basic":
        return mlflow_auth.authenticate_request_basic_auth()
    if given.type != "bearer" or not given.token:
        return refusal("Log in with user name and password, or with a token of the issuer.", 401)
    try:
        user = sign_in(verify(given.token))
    except RefusedError as refused:
        return refusal(str(refused), refused.status)
    return Authorization("bearer", {"username": user})


def refusal(reason, status):
    response = Response(f"{reason}\n", status, mimetype="text/plain")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="mlflow"'
    return response


# --- the token ---------------------------------------------------------------------------------------------


def verify(token):
    """The claims of a token that is valid now, for us, from our issuer; RefusedError says why not."""
    try:
        message, _, signature = token.rpartition(".")
        header, claims = (json.loads(decode(part)) for part in message.split("."))
        algorithm, key_id, signature = header["alg"], header.get("kid"), decode(signature)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError("The token is not a signed JWT.") from None
    if len(token) > MAX_TOKEN or not isinstance(claims, dict) or "crit" in header:
        raise RefusedError("The token is not one that is understood here.")
    if algorithm not in ALGORITHMS:
        raise RefusedError("The token's algorithm is not accepted.")
    check_signature(algorithm, KEYS.find(key_id), message.encode(), signature)
    check_claims(claims)
    return claims


def decode(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def check_signature(algorithm, keys, message, signature):
    """Whether one of the issuer's keys, given as JWKs, made the signature."""
    for key in keys:
        if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
            continue
        try:
            verify_with(key, algorithm, message, signature)
        except (InvalidSignature, ValueError, KeyError, TypeError):
            continue
        return
    raise RefusedError("The token's signature is not the issuer's.")


def number(text):
    return int.from_bytes(decode(text), "big")


def verify_with(key, algorithm, message, signature):
    digest = HASHES[algorithm[2:]]()
    if algorithm in CURVES:
        name, curve, size = CURVES[algorithm]
        if key["kty"] != "EC" or key["crv"] != name or len(signature) != 2 * size:
            raise ValueError("another kind of key")
        public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), curve()).public_key()
        pair = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
        public.verify(encode_dss_signature(*pair), message, ec.ECDSA(digest))
        return
    if key["kty"] != "RSA":
        raise ValueError("another kind of key")
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    if public.key_size < 2048:
        raise ValueError("a key too short")
    salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
    public.verify(signature, message, salted if algorithm.startswith("PS") else padding.PKCS1v15(), digest)


def check_claims(claims):
    wanted, now = settings(), time.time()
    audience = claims.get("aud")
    if claims.get("iss") != wanted["issuer"]:
        raise RefusedError("The token is of another issuer.")
    if wanted["audience"] not in (audience if isinstance(audience, list) else [audience]):
        raise RefusedError("The token is for somebody else (audience).")
    if not is_time(claims.get("exp")) or claims["exp"] + LEEWAY < now:
        raise RefusedError("The token has expired.")
    if "nbf" in claims and not (is_time(claims["nbf"]) and claims["nbf"] - LEEWAY <= now):
        raise RefusedError("The token is not valid yet.")


def is_time(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


class Keys:
    """The issuer's public keys, fetched when they are first wanted and when an unknown one is named."""

    def __init__(self):
        self.lock = threading.Lock()
        self.keys, self.fetched, self.asked = None, 0.0, 0.0

    def find(self, key_id):
        """The keys called `key_id`, or all if the token names none; RefusedError if they cannot be had."""
        found = self.named(key_id)
        now = time.monotonic()
        if (not found or now - self.fetched > KEYS_SECONDS) and self.may_ask(now):
            try:
                self.keys, self.fetched = fetch_keys(settings()), now
            except (OSError, ValueError, KeyError, TypeError) as error:
                print(f"cannot fetch the issuer's keys: {error}", flush=True)
            found = self.named(key_id)
        if self.keys is None:
            raise RefusedError("The issuer cannot be reached; try again.", 503)
        return found

    def named(self, key_id):
        return [key for key in self.keys or () if key_id is None or key.get("kid") == key_id]

    def may_ask(self, now):
        with self.lock:
            if self.asked and now - self.asked < RETRY_SECONDS:
                return False
            self.asked = now
            return True


KEYS = Keys()


def fetch_keys(wanted):
    """The issuer's keys, from where the settings say they are, else from where it says so itself."""
    issuer, url = wanted["issuer"], wanted.get("keysUrl")
    if url is None:
        found = fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found["issuer"] != issuer:
            raise ValueError(f"{issuer} calls itself {found['issuer']}")
        url = found["jwks_uri"]
    return [key for key in fetch(url)["keys"] if isinstance(key, dict)]


def fetch(url):
    # Without `ca`, whom everybody trusts.
    trusted = ssl.create_default_context(cafile=settings().get("ca"))
    with urllib.request.urlopen(url, timeout=5, context=trusted) as answer:  # noqa: S310  # the issuer's own
        return json.loads(answer.read(1_000_000))


# --- the account -------------------------------------------------------------------------------------------


def sign_in(claims):
    """The name of the account that the claims speak of, which is there and has the roles of its groups."""
    wanted = settings()
    name = claims.get(wanted["usernameClaim"])
    if not isinstance(name, str) or not name.strip():
        raise RefusedError(f"The token does not say who you are (claim {wanted['usernameClaim']}).")
    if wanted["usernameClaim"] == "email" and claims.get("email_verified") is False:
        raise RefusedError("The issuer has not verified your e-mail address.", 403)
    if name.lower() in {reserved.lower() for reserved in wanted["reserved"]}:
        raise RefusedError(f"The name {name} belongs to an account of the platform.", 403)
    groups = claims.get(wanted["groupsClaim"]) or []
    groups = set(groups) if isinstance(groups, list) else {groups}
    teams = frozenset(team for team, theirs in wanted["teams"].items() if groups & set(theirs))
    is_admin = bool(groups & set(wanted["adminGroups"]))
    if not teams and not is_admin:
        raise RefusedError(
            f"You are {name}, but none of your groups belongs to a team of this platform.", 403
        )
    ACCOUNTS.ensure(name, teams, is_admin)
    return name


class Accounts:
    """Accounts that match what the issuer says of them; remembered for a while, as requests are many."""

    def __init__(self):
        self.lock = threading.Lock()
        self.known = {}

    def ensure(self, name, teams, is_admin):
        state, now = (teams, is_admin), time.monotonic()
        known, until = self.known.get(name, (None, 0.0))
        if known == state and now < until:
            return
        with self.lock:
            ensure_account(name, teams, is_admin)
            if len(self.known) > 10_000:
                self.known.clear()
            self.known[name] = (state, now + ACCOUNT_SECONDS)


ACCOUNTS = Accounts()


def ensure_account(name, teams, is_admin):
    """The account, its rights as administrator, and the role `user` in exactly the workspaces of `teams`."""
    store = mlflow_auth.store
    if not store.has_user(name):
        # Nobody knows its password: it is for the single sign-on only.
        unless_there(store.create_user, name, secrets.token_urlsafe(32), is_admin)
        print(f"account {name}: made", flush=True)
    user = store.get_user(name)
    if user.is_admin != is_admin:
        store.update_user(name, is_admin=is_admin)
        print(f"account {name}: {'now' if is_admin else 'no longer'} an administrator", flush=True)
    held = {(role.workspace, role.name): role.id for role in store.list_user_roles(user.id)}
    for team in teams:
        if (team, "user") not in held:
            role = role_of(store, team)
            if role is not None:
                unless_there(store.assign_role_to_user, user.id, role)
                print(f"account {name}: role user in {team} given", flush=True)
    for (workspace, role_name), role in held.items():
        if role_name in SEEDED and workspace not in teams:
            store.unassign_role_from_user(user.id, role)
            print(f"account {name}: role {role_name} in {workspace} taken away", flush=True)


def role_of(store, team):
    """The id of the role `user` of a team; None as long as its workspace is not made."""
    try:
        return store.get_role_by_name(team, "user").id
    except MlflowException:
        return None


def unless_there(change, *args):
    """Another process may be doing the same for another request of the same user."""
    try:
        change(*args)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
