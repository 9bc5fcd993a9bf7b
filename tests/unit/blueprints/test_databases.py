"""How many connections MLflow's pools may open."""

import pytest

from blueprints import databases
from blueprints.loader import loads

HEAD = "apiVersion: ziggurat/v1\nname: acme\nphase: orchestration\nteams: {vision: {}}\n"


def pool(tracking: str, database: str) -> int | None:
    text = f"{HEAD}tracking: {tracking}\ndatabase: {database}\n"
    return databases.pool(loads(text, "b").blueprint)


@pytest.mark.parametrize(
    ("tracking", "database", "most"),
    [
        ("{replicas: 1}", "{mode: embedded}", 12),
        ("{replicas: 2}", "{mode: embedded}", 6),
        ("{replicas: 3}", "{mode: highlyAvailable}", 7),
        ("{replicas: 3}", "{mode: highlyAvailable, readReplica: true}", 5),
        ("{replicas: 3}", "{mode: highlyAvailable, pooler: {}}", 75),
        ("{replicas: 3}", "{mode: highlyAvailable, pooler: {}, readReplica: true}", 15),
        ("{replicas: 3}", "{mode: external, host: db.acme.dev, secret: {secretName: db}}", None),
    ],
)
def test_all_pools_together_fit(tracking: str, database: str, most: int | None) -> None:
    assert pool(tracking, database) == most


def test_two_replicas_are_what_an_enterprise_has_by_default() -> None:
    login = "{mode: embedded, host: login.acme.dev, adminGroups: [ml], users: {ann@acme.dev: {}}}"
    text = HEAD.replace("orchestration", "enterprise")
    text = f"{text}tracking: {{host: mlflow.acme.dev}}\nauth: {login}\n"
    assert loads(text, "b").blueprint.tracking.replicas == 2
    assert loads(HEAD, "b").blueprint.tracking.replicas == 1


@pytest.mark.parametrize(
    ("database", "warned"),
    [
        ("{mode: highlyAvailable}", []),
        ("{mode: highlyAvailable, instances: 2}", ["database.instances"]),
        ("{mode: highlyAvailable, operatorNamespace: ops}", ["database.operatorNamespace"]),
        ("{mode: highlyAvailable, operatorNamespace: ops, operator: existing}", []),
    ],
)
def test_warnings(database: str, warned: list[str]) -> None:
    found = loads(f"{HEAD}database: {database}\n", "b")
    assert [warning.path for warning in found.warnings] == warned
