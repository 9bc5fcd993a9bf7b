"""The database's archive: Barman's own plugin beside CloudNativePG's own operator, and a recovery from it."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime

import pytest
from onenode import barman, cnpg
from onenode.gates import asked_for
from onenode.platform import until
from onenode.writing import note, writing

from blueprints import load
from components.manifests.cnpg import PLUGIN
from components.monitoring import data_rules
from components.versions import PLUGIN_BARMAN_CLOUD, ImageSource

pytestmark = asked_for("NODE_ARCHIVE", "builds CloudNativePG's operator, Barman's plugin and images for both")
TABLE = "The archive of the highly available database"
NAME, PORT = "acme-arc", 5003
INSTANCES = 2
OLD, NEW = "postgresql", "postgresql-2"
KINDS = {
    "objectstores.barmancloud.cnpg.io": "postgresql-archive",
    "scheduledbackups.postgresql.cnpg.io": "postgresql-archive",
    "clusters.postgresql.cnpg.io": "postgresql",
}
_BACKUP = "backup: {scratch: 1Gi}\n"
_STORE = """
import boto3, botocore.exceptions, json, os, sys
verb, bucket, name, *keys = sys.argv[1:]
login = dict(zip(("aws_access_key_id", "aws_secret_access_key"), keys))
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], **login)
try:
    if verb == "list":
        pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=name)
        said = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}
    elif verb == "put":
        said = store.put_object(Bucket=bucket, Key=name, Body=b"x") and "done"
    else:
        said = getattr(store, verb + "_object")(Bucket=bucket, Key=name) and "done"
except botocore.exceptions.ClientError as error:
    said = error.response["Error"]["Code"]
print(json.dumps(said))
"""


def archive(server, recover=""):
    return f"  archive: {{serverName: {server}}}\n{recover}"


@pytest.fixture(scope="module")
def archived(node, platform, table):
    """A platform whose database is archived, in the store beside it."""
    start = time.monotonic()
    with (
        cnpg.operator(platform),
        barman.plugin(platform),
        cnpg.provisioned(node, platform, "archived", NAME, INSTANCES, archive(OLD) + _BACKUP) as servers,
    ):
        note(table, f"(up: {time.monotonic() - start:.0f} s)")
        servers.wait_whole()
        yield servers


def store(archived, who, verb, bucket, name=""):
    """What the store says to one of its users."""
    keys = archived.platform.secret(NAME, f"seaweedfs-{who}")
    login = keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]
    return json.loads(archived.platform.in_server(_STORE, verb, bucket, name, *login))


def in_bucket(archived, server, folder=""):
    """The objects of a server's archive, as the archive's own user sees them."""
    return store(archived, "archive", "list", "archive", f"{server}/{folder}")


def condition(archived, kind):
    conditions = archived.cluster()["status"].get("conditions", ())
    return next((each for each in conditions if each["type"] == kind), {})


def said(archived):
    """The last words of the container that archives."""
    where = ("-n", NAME, archived.primary(), "-c", "plugin-barman-cloud")
    return archived.platform.kubectl("logs", *where, "--tail=20", check=False)


def ship(archived):
    """Has the primary begin another file of its log, and waits until the one before is archived."""
    primary = archived.primary()
    (file,) = archived.sql(primary, "SELECT pg_walfile_name(pg_switch_wal())")
    last = "SELECT last_archived_wal FROM pg_stat_archiver"
    until(lambda: archived.sql(primary, last) >= [file], True, lambda: said(archived), 120)
    return file


def test_the_definitions_take_what_the_platform_made_and_nothing_else(archived):
    """The makers' own definitions and the operator's own webhook, strictly."""
    platform = archived.platform
    for kind, name in KINDS.items():
        found = json.loads(platform.kubectl("get", kind, name, "-n", NAME, "-o", "json"))
        kept = {key: found["metadata"][key] for key in ("name", "namespace")}
        spec = found["spec"]

        def refusal(spec, found=found, kept=kept):
            again = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": kept, "spec": spec}
            words = ("replace", "--dry-run=server", "--validate=strict", "-f", "-")
            return platform.kubectl(*words, stdin=json.dumps(again), check=False)

        assert "replaced" in refusal(spec), kind
        assert 'unknown field "spec.surprise"' in refusal({**spec, "surprise": 1}), kind


def test_each_server_has_the_container_that_archives(archived):
    _, sidecar = PLUGIN_BARMAN_CLOUD.images
    pods = archived.platform.objects("pods", NAME)
    servers = [pod for pod in pods if pod["metadata"]["labels"].get("cnpg.io/podRole") == "instance"]
    assert len(servers) == INSTANCES
    for pod in servers:
        (beside,) = [each for each in pod["spec"]["initContainers"] if each["name"] == "plugin-barman-cloud"]
        assert beside["image"] == ImageSource().reference(sidecar)
        assert beside["resources"]["requests"] == {"cpu": "50m", "memory": "128Mi"}


def test_the_log_arrives_in_the_bucket(archived, table):
    until(
        lambda: condition(archived, "ContinuousArchiving").get("status"),
        "True",
        lambda: condition(archived, "ContinuousArchiving"),
        120,
    )
    start = time.monotonic()
    file = ship(archived)
    note(table, f"a file of the log is archived: {time.monotonic() - start:.1f} s")
    assert [name for name in in_bucket(archived, OLD, "wals/") if name.endswith(f"/{file}.gz")]


def test_a_base_backup_is_made_at_once(archived, table):
    def backups():
        return archived.platform.objects("backups.postgresql.cnpg.io", NAME)

    def phases():
        return {each["status"].get("phase") for each in backups()}

    until(phases, {"completed"}, backups, 360)
    (made,) = backups()
    status = made["status"]
    assert (status["method"], made["spec"]["pluginConfiguration"]["name"]) == ("plugin", PLUGIN)
    names = in_bucket(archived, OLD, f"base/{status['backupId']}/")
    assert {name.rpartition("/")[2] for name in names} == {"backup.info", "data.tar.gz"}
    times = [datetime.fromisoformat(status[key]) for key in ("startedAt", "stoppedAt")]
    note(table, f"the first base backup: {(times[1] - times[0]).total_seconds():.0f} s")
    (found,) = archived.platform.objects("objectstores.barmancloud.cnpg.io", NAME)
    window = found["status"]["serverRecoveryWindow"]
    assert window.keys() == {OLD}
    assert window[OLD]["firstRecoverabilityPoint"]
    assert "lastFailedBackupTime" not in window[OLD]


def test_the_servers_show_what_the_alerts_look_at(archived):
    wanted = {
        name
        for each in data_rules.archive(load(archived.platform.blueprint).blueprint)
        for name in re.findall(r"(\w+)\{", each["expr"])
    }
    assert len(wanted) == 3
    pod = f"/api/v1/namespaces/{NAME}/pods/{archived.primary()}:9187/proxy/metrics"
    shown = archived.platform.kubectl("get", "--raw", pod)
    assert wanted <= set(re.findall(r"^(\w+)[{ ]", shown, re.MULTILINE))


def test_nobody_else_gets_into_the_archive(archived, table):
    some = next(iter(in_bucket(archived, OLD)))
    tried = [(verb, name) for verb, name in (("list", ""), ("get", some), ("put", "x"), ("delete", some))]
    for who in ("mlflow", "backup"):
        for verb, name in tried:
            assert store(archived, who, verb, "archive", name) == "AccessDenied", (who, verb)
    for verb in ("list", "get", "put", "delete"):
        assert store(archived, "archive", verb, "artifacts", "mlflow/x") == "AccessDenied", verb
    for verb in ("put", "delete"):  # by which old base backups go
        assert store(archived, "archive", verb, "archive", "x") == "done"
    assert some in in_bucket(archived, OLD)
    note(table, "other users of the store in the archive, and its user elsewhere: AccessDenied")


def test_a_deleted_cluster_is_recovered_to_a_moment_between_two_writes(archived, python, table, tmp_path):
    """The steps of docs/operations.md, one after the other."""
    platform = archived.platform
    with (
        platform.forwarded(PORT) as uri,
        writing(platform, python, tmp_path, "(before the recovery)", table, uri) as writer,
    ):
        moment = int(time.time()) + 1
        time.sleep(moment - time.time())
    after = writer.acknowledged_after(moment)
    assert len(after) > 1

    platform.kubectl("scale", "deployment", "mlflow", "--replicas=0", "-n", NAME)
    ship(archived)
    before = len(archived.cluster()["status"]["instanceNames"])
    assert before == INSTANCES
    for kind in ("scheduledbackups.postgresql.cnpg.io", "clusters.postgresql.cnpg.io"):
        platform.kubectl("delete", kind, KINDS[kind], "-n", NAME, "--timeout=120s")
    claims = ("get", "persistentvolumeclaims", "-l", "cnpg.io/cluster=postgresql", "-n", NAME, "-o", "name")
    until(lambda: platform.kubectl(*claims), "", lambda: platform.kubectl(*claims), 120)

    first = platform.blueprint.read_text()
    target = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    recover = f'  recover: {{serverName: {OLD}, targetTime: "{target}"}}\n'
    platform.blueprint.write_text(first.replace(archive(OLD), archive(NEW, recover)))
    start = time.monotonic()
    platform.ziggurat(*platform.up_words, "--take-over")
    note(table, f"recovered, and MLflow on it (up --take-over): {time.monotonic() - start:.0f} s")
    archived.wait_whole()
    old = in_bucket(archived, OLD)
    with platform.forwarded(PORT):
        found = writer.verify(moment)
    table.add(
        fault=f"the cluster deleted, recovered to {target}",
        acknowledged=found["acknowledged"],
        lost=len(found["lost"]),
        refused_and_tried_again="-",
        longest_downtime="-",
    )
    assert found["lost"] == []
    # What was on its way at that moment may be there; nothing that began later is.
    assert set(found["later"]) <= {after[0]}

    again = tmp_path / "again"
    again.mkdir()
    with platform.forwarded(PORT) as uri, writing(platform, python, again, "(after it)", table, uri):
        pass
    file = ship(archived)
    assert [name for name in in_bucket(archived, NEW, "wals/") if name.endswith(f"/{file}.gz")]
    until(lambda: bool(in_bucket(archived, NEW, "base/")), True, lambda: in_bucket(archived, NEW), 360)
    assert in_bucket(archived, OLD) == old  # nobody writes there any more


def test_how_the_cluster_began_can_be_taken_out_again(archived):
    """As docs/operations.md has it: by hand first, as the webhook takes one way to begin alone."""
    platform = archived.platform
    platform.blueprint.write_text(re.sub(r"  recover: .*\n", "", platform.blueprint.read_text()))
    refused = platform.ziggurat("preview", str(platform.blueprint), "--stand-in", check=False)
    assert "Only one bootstrap method can be specified" in refused.stderr
    patch = [
        {
            "op": "replace",
            "path": "/spec/bootstrap",
            "value": {"initdb": {"database": "mlflow", "owner": "mlflow"}},
        },
        {"op": "remove", "path": "/spec/externalClusters"},
    ]
    words = ("patch", "clusters.postgresql.cnpg.io", "postgresql", "-n", NAME, "--type=json", "-p")
    platform.kubectl(*words, json.dumps(patch))
    platform.up()
    archived.wait_whole()
    assert archived.cluster()["spec"]["bootstrap"].keys() == {"initdb"}
    assert platform.ziggurat("preview", str(platform.blueprint), "--stand-in").stdout.count("no change") == 1
    ship(archived)
