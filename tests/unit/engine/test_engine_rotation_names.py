"""What can be named for a rotation, what is refused, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_engine_results import TARGET

from blueprints.loader import loads, plain
from components.credentials import Label
from ziggurat import cli
from ziggurat.commands.rotate import split
from ziggurat.engine.preflight import require_rotations
from ziggurat.engine.rotation import choose, listing, raised, require_settled
from ziggurat.engine.state import Managed, State
from ziggurat.errors import BlockedError, SecretsError, ZigguratError
from ziggurat.exit_codes import ExitCode

STARTER = "apiVersion: ziggurat/v1\nname: acme\nphase: starter\nteams: {vision: {users: {ada: {}}}}\n"
BROUGHT = (
    STARTER
    + "database: {mode: external, host: db.acme.dev, secret: {secretName: db}}\n"
    + "artifacts: {mode: s3, bucket: acme-ml, roleArn: 'arn:aws:iam::123456789012:role/ml'}\n"
    + "tracking: {host: ml.acme.dev}\n"
    + "auth: {mode: oidc, issuer: 'https://login.acme.dev', clientSecret: {secretName: oidc},"
    + " adminGroups: [ml]}\n"
)
STORED = (
    BROUGHT.split("database:")[0].replace("starter", "enterprise")
    + "tracking: {host: ml.acme.dev}\nbackup: {}\n"
    + "auth: {mode: oidc, issuer: 'https://login.acme.dev', clientSecret: {secretName: oidc},"
    + " adminGroups: [ml]}\n"
    + "externalSecrets: {store: vault}\n"
)
SERVER = Managed("urn", "apps/v1", "Deployment", "mlflow", "acme", protected=False, labels={})


def run_of(text: str = STARTER, *, applied: dict[str, int] | None = None, **engine: Any) -> Any:
    """A platform that runs as `text` says; `engine` overrides what its engine knows."""
    loaded = loads(text, "acme.yaml")
    known: dict[str, Any] = {
        "state": State(True, (SERVER,), plain(loaded.blueprint), applied or {}),
        "rotations": applied or {},
        "interrupted": False,
        "target": replace(TARGET, kubeconfig=None),
    }
    return SimpleNamespace(loaded=loaded, target=known["target"], engine=SimpleNamespace(**known | engine))


@pytest.mark.parametrize(
    ("words", "blueprint", "names"),
    [
        (("database",), "blueprint.yaml", ("database",)),
        (("acme.yaml", "database", "admin"), "acme.yaml", ("database", "admin")),
        (("acme.yml",), "acme.yml", ()),
        (("blueprints/acme", "admin"), "blueprints/acme", ("admin",)),
        (("account:ada@acme.yaml",), "blueprint.yaml", ("account:ada@acme.yaml",)),
        ((), "blueprint.yaml", ()),
    ],
)
def test_the_first_word_is_the_blueprint_if_it_looks_like_a_file(words, blueprint, names) -> None:
    assert split(words) == (Path(blueprint), names)


@pytest.mark.parametrize("words", [[], ["--all", "database"], ["--list", "database"], ["--list", "--all"]])
def test_one_of_names_all_and_list_is_wanted(words, capsys) -> None:
    assert cli.run(["rotate", *words, "--yes"]) is ExitCode.USAGE
    assert "--list says what there is" in capsys.readouterr().err


def test_names_mean_their_credentials_each_once() -> None:
    chosen = choose(run_of(), ["account:ada", "database", "database"])

    assert [item.labels for item in chosen] == [
        (Label.account("ada"),),
        (Label.DATABASE_MLFLOW,),
    ]
    assert raised({Label.DATABASE_MLFLOW: 4, Label.MLFLOW_FLASK: 1}, chosen) == {
        Label.DATABASE_MLFLOW: 5,
        Label.MLFLOW_FLASK: 1,
        Label.account("ada"): 1,
    }


@pytest.mark.parametrize("name", ["databse", "account:eve", "mlflow/crypto-kek-passphrase", "kek"])
def test_an_unknown_name_gets_the_list(name: str) -> None:
    with pytest.raises(ZigguratError, match=name) as caught:
        choose(run_of(), ["database", name])

    assert caught.value.remedy == (
        "choose of: database, database-owner, bucket, bucket-provisioner, sessions, admin, account:ada"
    )


@pytest.mark.parametrize(
    ("name", "secret", "workload"), [("database", "db", "mlflow"), ("oidc-client", "oidc", "oauth2-proxy")]
)
def test_what_is_brought_is_the_users_to_change_and_the_way_is_told(name, secret, workload) -> None:
    with pytest.raises(ZigguratError, match="yours to change") as caught:
        choose(run_of(BROUGHT), [name])

    assert caught.value.where == f"Secret acme/{secret}"
    assert caught.value.remedy.endswith(
        f"kubectl --context prod --namespace acme rollout restart deployment/{workload}"
    )


def test_an_identity_has_nothing_to_rotate() -> None:
    with pytest.raises(ZigguratError, match="identity instead of a key"):
        choose(run_of(BROUGHT), ["bucket"])


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ({"state": State(False)}, "does not run"),
        ({"interrupted": True}, "the last run did not finish"),
        ({"rotations": {Label.MLFLOW_FLASK: 1}}, "the last rotation did not finish"),
        ({"state": State(True, (SERVER,), {"name": "acme"})}, "not applied yet"),
    ],
)
def test_a_platform_is_rotated_only_when_it_is_settled(engine, says) -> None:
    with pytest.raises(BlockedError, match=says) as caught:
        require_settled(run_of(**engine))

    assert caught.value.remedy == "first run: ziggurat up /p/b/acme.yaml"


def test_a_settled_platform_may_be_rotated_again() -> None:
    require_settled(run_of(applied={Label.MLFLOW_FLASK: 1}))


def test_a_configuration_that_is_behind_the_state_is_refused_and_one_ahead_is_not() -> None:
    applied = State(True, (SERVER,), {}, {Label.MLFLOW_FLASK: 2})

    with pytest.raises(SecretsError, match=Label.MLFLOW_FLASK):
        require_rotations(run_of(state=applied, rotations={Label.MLFLOW_FLASK: 1}).engine)
    require_rotations(run_of(state=applied, rotations={Label.MLFLOW_FLASK: 3}).engine)


def test_the_listing_says_how_often_what_restarts_and_what_is_unfinished() -> None:
    run = run_of(state=State(True, (SERVER,), {}, {Label.MLFLOW_FLASK: 2}), rotations={Label.MLFLOW_FLASK: 3})
    found = listing(run)

    by_name = {item["name"]: item for item in found.as_json()["rotations"]}
    assert (by_name["sessions"]["number"], by_name["sessions"]["finished"]) == (3, False)
    assert (by_name["database"]["number"], by_name["database"]["finished"]) == (0, True)
    assert "sessions   rotation 3 (not finished: run `ziggurat up`)" in found.text()
    assert "    restarts:  seaweedfs, then mlflow" in found.text()


def test_the_listing_tells_what_is_brought() -> None:
    found = listing(run_of(BROUGHT))

    assert found.as_json()["brought"] == {"database": "db", "bucket": None, "oidc-client": "oidc"}
    assert "    database: in your Secret db" in found.text()


def test_where_a_store_has_the_credentials_the_list_names_it_and_nothing_to_rotate() -> None:
    shown = listing(run_of(STORED))

    assert (shown.as_json()["rotations"], shown.as_json()["store"]) == ([], "vault")
    assert "every credential is an entry of the store vault: change it there" in shown.text()
    assert listing(run_of()).as_json()["store"] is None
