"""The drill: database and bucket are destroyed, the backup is restored, and everything is there again."""

from __future__ import annotations

import json
import re
import time

import pytest
from onenode.platform import run_client

TABLE = "Backup and restore"
TEAMS = ("vision", "pricing")
_WIPE = """
import boto3, os
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
pages = store.get_paginator("list_objects_v2").paginate(Bucket="artifacts", Prefix="mlflow/")
for key in [item["Key"] for page in pages for item in page.get("Contents", ())]:
    store.delete_object(Bucket="artifacts", Key=key)
"""
_HARM_PACKS = """
import boto3, os, sys
keys = dict(aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], **keys)
pages = store.get_paginator("list_objects_v2").paginate(Bucket="backups", Prefix="acme-ml/data/")
packs = [item["Key"] for page in pages for item in page.get("Contents", ())]
assert packs
for key in packs:
    if sys.argv[1] == "delete":
        store.delete_object(Bucket="backups", Key=key)
    else:
        body = bytearray(store.get_object(Bucket="backups", Key=key)["Body"].read())
        body[len(body) // 3] ^= 255
        store.put_object(Bucket="backups", Key=key, Body=bytes(body))
"""


@pytest.fixture
def client(platform, uri, python, tmp_path):
    """Runs one of the client's scripts as a member of a team."""

    def run(team, script, *arguments, check=True, **env):
        return run_client(python, platform.connect(team) | env, tmp_path, script, *arguments, check=check)

    return run


@pytest.fixture
def inventory(client):
    """What each team has, and how many of each there are."""

    def take():
        return {team: json.loads(client(team, "inventory.py").stdout) for team in TEAMS}

    return take


def backup(platform, verb, *, check=True):
    options = (str(platform.blueprint), "--stand-in", "--json")
    return platform.ziggurat("backup", verb, *options, check=check)


def restore(platform, *options, check=True):
    fixed = ("restore", str(platform.blueprint), "--stand-in", "--confirm", platform.name)
    return platform.ziggurat(*fixed, *options, check=check)


def destroy_content(platform):
    sql = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; ALTER SCHEMA public OWNER TO pg_database_owner"
    platform.in_server(_WIPE)
    platform.sql(sql)


def amounts(found):
    runs = [run for team in found.values() for run in team["runs"].values()]
    return {
        "runs": len(runs),
        "metric_points": sum(len(points) for run in runs for points in run["metrics"].values()),
        "models": sum(len(team["models"]) for team in found.values()),
        "files": sum(len(run["artifacts"]) for run in runs) + sum(len(files) for files in _versions(found)),
    }


def _versions(found):
    return [
        files
        for team in found.values()
        for each in team["models"].values()
        for files in each["versions"].values()
    ]


def timed(action):
    start = time.monotonic()
    result = action()
    return result, round(time.monotonic() - start, 1)


def test_what_was_destroyed_comes_back(platform, client, inventory, table):
    for team in TEAMS:
        client(team, "roundtrip.py", "1", str(1 << 20))
    before = inventory()
    assert min(amounts(before).values()) > 0
    made, seconds = timed(lambda: json.loads(backup(platform, "now").stdout)["made"])
    table.add(what="backup now", seconds=seconds, **amounts(before))
    assert made["kind"] == "manual"
    assert made["files"] > amounts(before)["files"]
    _, seconds = timed(lambda: backup(platform, "verify"))
    table.add(what="backup verify", seconds=seconds, **dict.fromkeys(amounts(before), ""))

    destroy_content(platform)
    gone = client("vision", "inventory.py", check=False, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert gone.returncode != 0

    _, seconds = timed(lambda: restore(platform, "--snapshot", made["id"]))
    after = inventory()
    table.add(what="restore", seconds=seconds, **amounts(after))
    assert after == before
    kinds = [each["kind"] for each in json.loads(backup(platform, "list").stdout)["backups"]]
    assert kinds[-1] == "before-restore"
    assert platform.ziggurat("preview", str(platform.blueprint), "--stand-in").stdout.count("no change") == 1


def test_a_damaged_backup_is_refused_before_anything_is_overwritten(platform, inventory, table):
    backup(platform, "now")
    before = inventory()
    keys = platform.secret(platform.name, "seaweedfs-backup")

    def harm(how):
        platform.in_server(_HARM_PACKS, how, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])

    def refused(how):
        found = backup(platform, "verify", check=False)
        tried = restore(platform, "--skip-backup", check=False)
        assert (found.returncode, tried.returncode) == (1, 1), tried.stderr
        assert "step fetch" in tried.stderr
        table.add(what=f"restore of a backup, {how}: refused", seconds="", **amounts(before))

    try:
        harm("change")
        refused("one byte of each pack changed")
        harm("change")  # and back
        backup(platform, "verify")
        harm("delete")
        refused("its packs deleted")
        assert inventory() == before
    finally:
        _forget_repository(platform)


def _forget_repository(platform):
    """The damaged repository is of no more use: the next backup begins a new one."""
    keys = platform.secret(platform.name, "seaweedfs-backup")
    wipe = re.sub(r'Bucket="artifacts"', 'Bucket="backups"', _WIPE).replace('"mlflow/"', '"acme-ml/"')
    wipe = wipe.replace('["MLFLOW_S3_ENDPOINT_URL"]', '["MLFLOW_S3_ENDPOINT_URL"], **keys')
    code = (
        f"import sys\nkeys = dict(aws_access_key_id=sys.argv[1], aws_secret_access_key=sys.argv[2])\n{wipe}"
    )
    platform.in_server(code, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
