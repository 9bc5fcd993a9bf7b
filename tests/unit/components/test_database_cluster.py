"""The highly available database as data: its objects, who reaches what, and how."""

from __future__ import annotations

import pytest

from blueprints.loader import loads
from components.apps import Apps
from components.connections import edges
from components.database import cluster
from components.manifests import network
from components.versions import CNPG_POSTGRESQL, POSTGRESQL, ImageSource
from ziggurat.plan import plan

HEAD = "apiVersion: ziggurat/v1\nname: acme\nphase: orchestration\nteams: {vision: {}}\nbackup: {}\n"
APPS = Apps.of("acme")
POOLED = "{mode: highlyAvailable, pooler: {instances: 3}, readReplica: true}"


def planned(database, rotations=None):
    found = plan(
        loads(f"{HEAD}database: {database}\n", "b"), **({"rotations": rotations} if rotations else {})
    )
    assert not found.problems
    return {(each.kind, each.object_name): each for each in found.objects}


def environment(each):
    (container,) = each.manifest["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value") for item in container["env"]}


def reach(database):
    """Who reaches whom on which port, by name."""
    blueprint = loads(f"{HEAD}database: {database}\n", "b").blueprint
    found = edges(blueprint, APPS, sets_passwords=True)
    return {(name(edge.source), name(edge.target), edge.port) for edge in found}


def name(peer):
    return getattr(peer, "name", type(peer).__name__)


def test_the_operand_is_of_the_major_version_of_the_backups_pg_dump():
    assert CNPG_POSTGRESQL.tag.split(".")[0] == POSTGRESQL.tag.split(".")[0]


def test_pods_of_servers_and_poolers_are_told_apart():
    instance = {
        "cnpg.io/cluster": "postgresql",
        "cnpg.io/podRole": "instance",
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": "postgresql",
        "app.kubernetes.io/component": "database",
    }
    joining = {key: value for key, value in instance.items() if key != "cnpg.io/podRole"}
    joining |= {"cnpg.io/jobRole": "join"}
    pooler = instance | {"app.kubernetes.io/component": "pooler", "cnpg.io/podRole": "pooler"}
    pooler |= {"cnpg.io/poolerName": "postgresql-pooler"}  # labels as the operator 1.30 sets them

    def picked(app):
        return [app.selector.items() <= labels.items() for labels in (instance, joining, pooler)]

    assert picked(APPS.servers) == [True, True, False]
    assert picked(APPS.pooler) == [False, False, True]
    assert APPS.servers.labels["app.kubernetes.io/instance"] == "acme"


def test_servers_connect_to_the_primary_or_through_the_pooler():
    plain, pooled = planned("{mode: highlyAvailable}"), planned(POOLED)
    server = environment(plain["Deployment", "mlflow"])
    assert "@" not in server["MLFLOW_BACKEND_STORE_URI"]
    assert server["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql+psycopg2://postgresql-rw:5432/mlflow?")
    assert "MLFLOW_READ_REPLICA_BACKEND_STORE_URI" not in server

    server = environment(pooled["Deployment", "mlflow"])
    assert "://postgresql-pooler:5432/" in server["MLFLOW_BACKEND_STORE_URI"]
    assert "://postgresql-r:5432/" in server["MLFLOW_READ_REPLICA_BACKEND_STORE_URI"]
    assert (server["PGSSLMODE"], server["PGSSLROOTCERT"]) == ("verify-full", "/etc/postgresql-ca/ca.crt")
    accounts = pooled["ConfigMap", "mlflow"].manifest["data"]["auth.ini"]
    assert "postgresql-pooler" in accounts
    assert "read_database_uri" not in accounts  # permissions are never read from a standby


def test_the_schema_and_dumps_go_past_the_pooler():
    pooled = planned(POOLED)
    (upgrade,) = [
        each for (kind, _), each in pooled.items() if kind == "Job" and "upgrade" in each.object_name
    ]
    assert "://postgresql-rw:5432/" in environment(upgrade)["MLFLOW_BACKEND_STORE_URI"]
    backup = pooled["CronJob", "backup"].manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    dump = {item["name"]: item.get("value") for item in backup["initContainers"][0]["env"]}
    assert (dump["PGHOST"], dump["PGSSLMODE"]) == ("postgresql-rw", "verify-full")
    assert "postgresql-ca" in {volume["name"] for volume in backup["volumes"]}


def test_the_certificate_is_good_for_the_pooler_whether_there_is_one_or_not():
    for database in ("{mode: highlyAvailable}", POOLED):
        spec = planned(database)["Cluster", "postgresql"].manifest["spec"]
        assert "postgresql-pooler" in spec["certificates"]["serverAltDNSNames"]


@pytest.mark.parametrize(
    ("database", "number", "commit"),
    [
        ("{mode: highlyAvailable}", 1, None),
        ("{mode: highlyAvailable, instances: 5}", 1, None),
        ("{mode: highlyAvailable, readReplica: true}", 2, "remote_apply"),
        ("{mode: highlyAvailable, instances: 5, readReplica: true}", 4, "remote_apply"),
    ],
)
def test_what_was_written_is_where_it_may_be_read(database, number, commit):
    postgresql = planned(database)["Cluster", "postgresql"].manifest["spec"]["postgresql"]
    assert postgresql["synchronous"]["number"] == number
    assert postgresql["parameters"].get("synchronous_commit") == commit


def test_memory_and_disk_bound_what_postgresql_takes():
    spec = planned(
        "{mode: highlyAvailable, storage: 40Gi, resources: {cpu: 1, memory: 6Gi, memoryLimit: 8Gi}}"
    )
    postgresql = spec["Cluster", "postgresql"].manifest["spec"]["postgresql"]
    assert postgresql["parameters"]["shared_buffers"] == "1536MB"
    assert postgresql["parameters"]["max_slot_wal_keep_size"] == "10240MB"


def test_the_cluster_is_protected_and_comes_after_its_operator_and_credentials():
    found = planned("{mode: highlyAvailable}")
    servers = found["Cluster", "postgresql"]
    assert servers.protected
    wanted = {found["Release", "cloudnative-pg"].urn, found["Secret", "postgresql-mlflow"].urn}
    assert wanted <= set(servers.dependencies)
    assert servers.manifest["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    (upgrade,) = [
        each for (kind, _), each in found.items() if kind == "Job" and "upgrade" in each.object_name
    ]
    assert servers.urn in upgrade.dependencies


def test_an_existing_operator_is_let_in_from_its_own_namespace():
    database = "{mode: highlyAvailable, operator: existing, operatorNamespace: ops}"
    assert not [kind for kind, _ in planned(database) if kind == "Release"]
    found = reach(database)
    assert {("ops", "postgresql", 8000), ("ops", "postgresql", 5432)} <= found
    assert not [edge for edge in found if "cloudnative-pg" in edge]
    blueprint = loads(f"{HEAD}database: {database}\n", "b").blueprint
    policy = network.app_policy(APPS.servers, edges(blueprint, APPS))
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}} in [
        peer for rule in policy["spec"]["ingress"] for peer in rule["from"]
    ]


def test_who_reaches_whom():
    pooled = reach(POOLED)
    inside = {edge for edge in pooled if edge[1] in ("postgresql", "postgresql-pooler", "cloudnative-pg")}
    assert inside == {
        ("mlflow", "postgresql-pooler", 5432),
        ("mlflow", "postgresql", 5432),  # reads
        ("mlflow-upgrade", "postgresql", 5432),
        ("backup", "postgresql", 5432),
        ("postgresql-passwords", "postgresql", 5432),
        ("postgresql-pooler", "postgresql", 5432),
        ("cloudnative-pg", "postgresql", 5432),
        ("cloudnative-pg", "postgresql", 8000),
        ("postgresql", "postgresql", 5432),
        ("postgresql", "postgresql", 8000),
        ("Outside", "cloudnative-pg", 9443),
    }
    assert ("mlflow", "postgresql", 5432) not in reach("{mode: highlyAvailable, pooler: {}}")
    for source in ("cloudnative-pg", "postgresql", "postgresql-pooler"):
        assert {(source, "Outside", 443), (source, "Outside", 6443)} <= pooled


def test_the_operator_has_a_spare_and_looks_after_this_namespace_alone():
    values = cluster.values(APPS.cnpg, ImageSource("mirror.acme", "login"))
    assert values["image"]["repository"] == "mirror.acme/cloudnative-pg/cloudnative-pg"
    assert values["config"] == {"clusterWide": False}
    assert values["replicaCount"] == 2
    assert values["imagePullSecrets"] == [{"name": "login"}]
    # The chart's pods carry these labels: its name, and the release's.
    assert APPS.cnpg.selector == {
        "app.kubernetes.io/name": "cloudnative-pg",
        "app.kubernetes.io/instance": "cloudnative-pg",
    }


def test_a_rotation_sets_the_owner_s_password_alone():
    rotations = {"postgresql/mlflow": 1}
    found = planned("{mode: highlyAvailable}", rotations)
    (job,) = [each for (kind, _), each in found.items() if kind == "Job" and "passwords" in each.object_name]
    variables = environment(job)
    assert (variables["PGHOST"], variables["PGSSLMODE"]) == ("postgresql-rw", "verify-full")
    assert "postgresql-ca" in {
        volume["name"] for volume in job.manifest["spec"]["template"]["spec"]["volumes"]
    }
    secret = found["Secret", "postgresql-mlflow"].manifest
    assert secret["metadata"]["labels"]["cnpg.io/reload"] == "true"
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert not [kind for kind, made in planned("{mode: highlyAvailable}") if "passwords" in made]
    owner = planned("{mode: highlyAvailable}", {"postgresql/postgres": 1})
    assert not [made for _, made in owner if "passwords" in made]  # the superuser has none here
