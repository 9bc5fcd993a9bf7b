"""Dex: its configuration without a secret, its kinds and rights, passwords that are the same each time."""

from __future__ import annotations

import asyncio
import base64
import json

import bcrypt
import pytest
import yaml
from signon_blueprints import EMBEDDED

from blueprints.model.access import Connector
from components.credentials import Credentials, Label
from components.signon.dex import (
    KINDS,
    client_variable,
    config_text,
    connector_ports,
    definition,
    issuer_args,
    pod,
    rights,
    secrets,
)
from components.versions import ImageSource

LDAP = """
  connectors:
    corp-a:
      type: ldap
      name: Acme
      config: {host: "ldap.acme.dev:1636", bindPW: $PASSWORD, userSearch: {filter: "(mail=${PASSWORD})"}}
      secrets: {PASSWORD: {secretName: directory, key: password}}
"""


def value(make):
    """The value of the Output that `make` makes: Outputs belong to the loop that they are made in."""

    async def wait():
        return await make().future()

    return asyncio.run(wait())


@pytest.fixture
def args(blueprint, pages, credentials):
    return issuer_args(blueprint(EMBEDDED + LDAP), ImageSource(), credentials, ())


def test_each_page_is_a_client_with_its_own_way_back(args):
    clients = json.loads(config_text(args))["staticClients"]
    assert {client["id"]: client["redirectURIs"] for client in clients} == {
        "mlflow": ["https://mlflow.acme.dev/oauth2/callback"],
        "pipelines": ["https://pipelines.acme.dev/oauth2/callback"],
        "katib": ["https://katib.acme.dev/oauth2/callback"],
        "grafana": ["https://grafana.acme.dev/login/generic_oauth"],
    }
    assert all("secret" not in client for client in clients)


def test_every_variable_that_the_configuration_names_is_in_the_pod(args):
    document = json.loads(config_text(args))
    env = {each["name"] for each in pod(args, {})["spec"]["containers"][0]["env"]}
    named = {client["secretEnv"] for client in document["staticClients"]}
    named |= {user["hashFromEnv"] for user in document["staticPasswords"]}
    (connector,) = document["connectors"]
    assert connector["config"]["bindPW"] == "${CONNECTOR_CORP_A_PASSWORD}"
    assert connector["config"]["userSearch"]["filter"] == "(mail=${CONNECTOR_CORP_A_PASSWORD})"
    assert named | {"CONNECTOR_CORP_A_PASSWORD"} == env


def test_it_is_yaml_and_tells_the_issuer_by_its_public_name(args):
    document = yaml.safe_load(config_text(args))
    assert document["issuer"] == "https://login.acme.dev"
    assert document["storage"] == {
        "type": "kubernetes",
        "config": {"inCluster": True, "crdHandling": "check"},
    }
    (user,) = document["staticPasswords"]
    assert (user["email"], user["username"], user["groups"]) == ("ann@acme.dev", "ann", ["ml-vision"])


def test_it_may_touch_its_own_kinds_in_its_own_namespace_and_nothing_else(args):
    role, binding = rights(args.app)
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "acme")
    assert [rule["apiGroups"] for rule in role["rules"]] == [["dex.coreos.com"]]
    assert set(role["rules"][0]["resources"]) == set(KINDS)
    assert binding["roleRef"]["kind"] == "Role"
    names = {definition(args.app, plural)["spec"]["names"]["kind"] for plural in KINDS}
    assert len(names) == 10


def test_passwords_and_their_hashes_are_the_same_each_time_and_belong_together(credentials):
    label = Label.login_user("ann@acme.dev")
    password, hashed = value(lambda: credentials.password(label)), value(lambda: credentials.bcrypt(label))
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    assert value(lambda: credentials.bcrypt(label)) == hashed
    assert hashed.startswith("$2b$10$")  # Dex refuses what is cheaper
    assert value(lambda: credentials.bcrypt(Label.login_user("eve@acme.dev")))[:29] != hashed[:29]


def test_a_rotated_password_has_another_hash(credentials):
    label = Label.login_user("ann@acme.dev")
    rotated = Credentials("acme", _root(), {label: 1})
    password, hashed = value(lambda: rotated.password(label)), value(lambda: rotated.bcrypt(label))
    assert hashed != value(lambda: credentials.bcrypt(label))
    assert bcrypt.checkpw(password.encode(), hashed.encode())


def _root():
    return base64.b64encode(bytes(range(32))).decode()


def test_its_pods_change_with_a_password_and_a_client(blueprint, pages, credentials):
    def hash_with(rotations):
        made = Credentials("acme", _root(), rotations)
        args = issuer_args(blueprint(EMBEDDED), ImageSource(), made, ())
        return pod(args, {})["metadata"]["annotations"]

    plain = hash_with({})
    assert plain == hash_with({})
    assert plain != hash_with({Label.login_user("ann@acme.dev"): 1})
    assert plain != hash_with({Label.login_client("grafana"): 1})


def test_the_secret_of_each_page_is_where_its_client_looks_for_it(args):
    async def make():
        return secrets(args)

    made = {each["metadata"]["name"]: set(each["stringData"]) for each in asyncio.run(make())}
    for site in args.sites:
        assert made[f"login-{site.name}"] == {"client-secret"}
        assert client_variable(site).isidentifier()


@pytest.mark.parametrize(
    ("kind", "config", "ports"),
    [
        ("ldap", {"host": "ldap.acme.dev:1636"}, [1636]),
        ("ldap", {"host": "ldap.acme.dev"}, [636]),
        ("ldap", {"host": "ldap.acme.dev", "startTLS": True}, [389]),
        ("github", {"clientID": "a"}, [443]),
        ("oidc", {"issuer": "https://login.acme.dev:8443/realm"}, [443, 8443]),
    ],
)
def test_connectors_may_reach_their_servers(kind, config, ports):
    assert connector_ports(Connector(type=kind, name="x", config=config)) == ports
