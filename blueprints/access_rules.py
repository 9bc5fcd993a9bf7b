"""The rules of access: who logs in, where, through what, and with which certificate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, cast

from blueprints.document import Where
from blueprints.findings import Finding
from blueprints.model.access import EmbeddedAuth, OidcAuth
from blueprints.model.blueprint import Blueprint
from blueprints.model.certificates import AcmeIssuer
from blueprints.names import GATEWAY
from blueprints.pages import PAGES, hosts, is_encrypted, signs_on
from blueprints.phases import REQUIREMENTS


def groups(blueprint: Blueprint) -> Iterator[Finding]:
    """A list of groups names each once."""
    auth = blueprint.auth
    lists: dict[Where, tuple[str, ...]] = {
        ("teams", name, "groups"): team.groups for name, team in blueprint.teams.items()
    }
    if isinstance(auth, OidcAuth | EmbeddedAuth):
        lists["auth", "adminGroups"] = auth.admin_groups
    if isinstance(auth, EmbeddedAuth):
        lists |= {("auth", "users", email, "groups"): user.groups for email, user in auth.users.items()}
    for where, listed in lists.items():
        for index, group in enumerate(listed):
            if group in listed[:index]:
                yield Finding((*where, index), "is given twice", group, "each group once", "take one away")


def shared_groups(blueprint: Blueprint) -> Iterator[Finding]:
    """A group belongs to one team: its members would enter both, and neither would be shut to the other."""
    for (one, first), (other, second) in combinations(blueprint.teams.items(), 2):
        for group in sorted(set(first.groups) & set(second.groups)):
            yield Finding(
                ("teams", other, "groups", second.groups.index(group)),
                f"is a group of team {one} too",
                group,
                "a group is of one team: its members would enter both",
                "give each team a group of its own at the issuer; people may be in several",
            )


def sign_on(blueprint: Blueprint) -> Iterator[Finding]:
    """People can log in: the issuer can send them back, and some group lets somebody in."""
    auth = blueprint.auth
    if not isinstance(auth, OidcAuth | EmbeddedAuth):
        return
    if blueprint.tracking.host is None:
        yield Finding(
            ("tracking", "host"),
            "is missing",
            rule=f"with `auth.mode: {auth.mode}` the issuer sends people back to "
            "https://<tracking.host>/oauth2/callback",
            remedy="add it",
        )
    if not auth.admin_groups and not any(team.groups for team in blueprint.teams.values()):
        yield Finding(
            ("auth",),
            "lets nobody log in",
            rule="people enter by their groups",
            remedy="name `groups` of a team, or `auth.adminGroups`",
        )
    if not is_encrypted(blueprint):
        yield Finding(
            ("gateway", "tls"),
            "is missing",
            rule="the issuer sends people back by https only, and this gateway speaks plain HTTP",
            remedy="add `tls: {issuer: ...}`, or `tls: {secretName: ...}`",
        )


def required_modes(blueprint: Blueprint) -> Iterator[Finding]:
    """What the phase asks for is there."""
    for required in REQUIREMENTS:
        mode = str(getattr(blueprint, required.part).mode)
        if blueprint.phase.rank >= required.since.rank and mode not in required.modes:
            yield Finding((required.part, "mode"), "does not do", mode, required.rule, required.remedy)


def embedded_issuer(blueprint: Blueprint) -> Iterator[Finding]:
    """The embedded issuer knows somebody, and each secret that its connectors name."""
    auth = blueprint.auth
    if not isinstance(auth, EmbeddedAuth):
        return
    if not auth.connectors and not auth.users:
        yield Finding(
            ("auth",),
            "knows nobody",
            rule="users come from `connectors`, or are named as `users` for trying",
            remedy="add one of them",
        )
    for name, connector in auth.connectors.items():
        used: set[str] = set()
        for where, text in _texts(("auth", "connectors", name, "config"), connector.config):
            for variable in re.findall(r"\$\{?(\w*)", text):
                used.add(variable)
                if variable not in connector.secrets:
                    yield Finding(
                        where,
                        "names a secret that is not there",
                        text,
                        "Dex puts the value of `secrets.NAME` in the place of $NAME, else nothing",
                        f"add `secrets: {{{variable or 'NAME'}: {{secretName: ..., key: ...}}}}`",
                    )
        for variable in connector.secrets:
            if variable not in used:
                yield Finding(
                    ("auth", "connectors", name, "secrets", variable),
                    "has no effect",
                    variable,
                    f"nothing in `config` says ${variable}",
                    f"write ${variable} where it belongs, or take it away",
                )


def _texts(where: Where, value: Any) -> Iterator[tuple[Where, str]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _texts((*where, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _texts((*where, index), item)
    elif isinstance(value, str):
        yield where, value


def own_hosts(blueprint: Blueprint) -> Iterator[Finding]:
    """Each page has a name of its own, and one that knows no users has a login in front of it."""
    taken: dict[str, str] = {}
    for where, host in hosts(blueprint).items():
        if host in taken:
            yield Finding(
                where,
                "is the host of another page",
                host,
                f"`{taken[host]}.host` is the same",
                "give each page a name of its own",
            )
        taken.setdefault(host, str(where[0]))
    for page in PAGES:
        where = (page.key, "host")
        if not page.knows_users and not signs_on(blueprint) and where in hosts(blueprint):
            yield Finding(
                where,
                "would be open to everybody",
                hosts(blueprint)[where],
                f"{page.title} knows no users: it needs a single sign-on in front of it",
                "write `auth: {mode: oidc, ...}` or `auth: {mode: embedded, ...}`, or take the host out",
            )


def gateway(blueprint: Blueprint) -> Iterator[Finding]:
    """A gateway has something behind it, and a namespace of its own where the platform runs it."""
    chosen = blueprint.gateway
    if chosen is None:
        return
    if not hosts(blueprint):
        yield Finding(
            ("gateway",),
            "has nothing behind it",
            rule="it leads host names to pages, and no page has one",
            remedy="add `tracking.host`",
        )
    if GATEWAY in blueprint.teams and chosen.controller == "embedded":
        yield Finding(
            ("teams", GATEWAY),
            "is reserved where the platform runs a gateway",
            GATEWAY,
            f"the namespace {blueprint.name}-{GATEWAY} is for that",
            "choose another name",
        )


def brought_gateway(blueprint: Blueprint) -> Iterator[Finding]:
    """A Gateway that exists already is named in whole, and is not the platform's to run."""
    chosen = blueprint.gateway
    if chosen is None:
        return
    if (chosen.name is None) != (chosen.namespace is None):
        missing = "namespace" if chosen.name else "name"
        yield Finding(
            ("gateway", missing),
            "is missing",
            rule="a Gateway that exists already is told by `name` and `namespace`",
            remedy="add it",
        )
    if chosen.name and chosen.controller == "embedded":
        yield Finding(
            ("gateway", "name"),
            "is a Gateway that exists already",
            chosen.name,
            "what runs it is not the platform's, then",
            "write `controller: existing`, or take it out",
        )
    if chosen.name and chosen.tls:
        yield Finding(
            ("gateway", "tls"),
            "has no effect",
            rule="a Gateway that exists already has certificates of its own",
            remedy="take it out",
        )


def gateway_login(blueprint: Blueprint) -> Iterator[Finding]:
    """A gateway that logs people in itself can."""
    auth, chosen = blueprint.auth, blueprint.gateway
    if chosen is None:
        return
    if chosen.login == "securityPolicy" and not signs_on(blueprint):
        yield Finding(
            ("gateway", "login"),
            "logs nobody in",
            chosen.login,
            "it needs an issuer",
            "write `auth: {mode: oidc, ...}` or `auth: {mode: embedded, ...}`",
        )
    if chosen.login == "securityPolicy" and chosen.name:
        yield Finding(
            ("gateway", "login"),
            "needs a Gateway of the platform's own",
            chosen.login,
            "headers that tell who somebody is are taken from requests at the Gateway",
            "take out `name`, or write `login: proxy`",
        )
    if chosen.login == "securityPolicy" and isinstance(auth, OidcAuth):
        if auth.endpoints is None:
            yield Finding(
                ("auth", "endpoints"),
                "are missing",
                rule="with `gateway.login: securityPolicy` the gateway has to be told them",
                remedy="add them, as the issuer's discovery document has them",
            )
        if auth.client_secret.key != "client-secret":
            yield Finding(
                ("auth", "clientSecret", "key"),
                "is not what Envoy Gateway looks for",
                auth.client_secret.key,
                "it takes a client's secret from the key `client-secret`",
                "put it under that key, or write `login: proxy`",
            )


_READ_NO_DISCOVERY = {
    "notebooks": (
        "the issuer's keys are",
        "the door of notebooks (`notebooks.host`) verifies tokens, and reads",
    ),
    "monitoring": ("the issuer is asked for what", "Grafana (`monitoring.host`) reads"),
}
"""Parts with a page that are told where the issuer is: what of it they have to know, and who they are."""


def endpoints(blueprint: Blueprint) -> Iterator[Finding]:
    """What reads no discovery document is told what is in it."""
    auth = blueprint.auth
    if not isinstance(auth, OidcAuth) or auth.endpoints is not None:
        return
    for key, (what, who) in _READ_NO_DISCOVERY.items():
        if getattr(getattr(blueprint, key), "host", None):
            yield Finding(
                ("auth",),
                f"does not say where {what}",
                rule=f"{who} no discovery document",
                remedy=f"add `endpoints`, as that document has them, or take `{key}.host` out",
            )


def certificates(blueprint: Blueprint) -> Iterator[Finding]:
    """Certificates come from one place, and something makes them."""
    tls = blueprint.gateway.tls if blueprint.gateway else None
    if tls and (tls.issuer is None) == (tls.secret_name is None):
        both = tls.issuer is not None
        yield Finding(
            ("gateway", "tls", "secretName") if both else ("gateway", "tls"),
            "is one source too many" if both else "has no certificates",
            rule="`issuer` or `secretName`, not both" if both else "they come from `issuer` or `secretName`",
            remedy="keep one" if both else "add one of them",
        )
    if tls and tls.issuer and blueprint.certificates is None:
        yield Finding(
            ("gateway", "tls", "issuer"),
            "signs nothing",
            tls.issuer,
            "cert-manager makes certificates, and there is none",
            "add `certificates: {}`, or `certificates: {controller: existing}` where the cluster has it",
        )
    issuers = blueprint.certificates.issuers if blueprint.certificates else {}
    for name, issuer in issuers.items():
        if blueprint.gateway is None and isinstance(issuer, AcmeIssuer):
            yield Finding(
                ("certificates", "issuers", name),
                "cannot prove a host name",
                "acme",
                "the authority asks for a token at each host name, through the gateway",
                "add `gateway`, or take the issuer out",
            )


RULES: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (
    groups,
    shared_groups,
    sign_on,
    required_modes,
    embedded_issuer,
    own_hosts,
    gateway,
    brought_gateway,
    gateway_login,
    endpoints,
    certificates,
)
"""What makes access invalid."""


def idle_groups(blueprint: Blueprint) -> Iterator[Finding]:
    """Groups have rights in Kubernetes by the cluster's own authentication; pages ask an issuer for them."""
    if signs_on(blueprint) or not hosts(blueprint):
        return
    for name, team in blueprint.teams.items():
        if team.groups:
            yield Finding(
                ("teams", name, "groups"),
                "open no page",
                rule="pages know the groups that an OIDC issuer names (`auth.mode: oidc` or `embedded`); "
                "without one, groups have rights in the team's namespace and nothing else",
                remedy="name `users` for MLflow, or add an issuer",
            )


def unknown_signer(blueprint: Blueprint) -> Iterator[Finding]:
    """A new cert-manager has no issuer but those that the blueprint names."""
    tls, chosen = blueprint.gateway and blueprint.gateway.tls, blueprint.certificates
    if tls is None or tls.issuer is None or chosen is None or chosen.controller == "existing":
        return
    if tls.issuer not in chosen.issuers:
        yield Finding(
            ("gateway", "tls", "issuer"),
            "is a ClusterIssuer that you have to make",
            tls.issuer,
            "it is none of `certificates.issuers`",
        )


WARNINGS: tuple[Callable[[Blueprint], Iterator[Finding]], ...] = (idle_groups, unknown_signer)
"""What is allowed and needs a thought."""
