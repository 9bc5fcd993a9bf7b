"""A second platform, with a store that the user brings, takes over what the first one has: by its backup."""

from __future__ import annotations

import json
import time

import pytest
from onenode import store as elsewhere
from onenode.gates import asked_for
from onenode.platform import Platform, run_client

pytestmark = asked_for("NODE_SECOND", "takes five minutes")
TABLE = "The backup of one platform, restored into another with a store of the user's"
TEAMS = ("vision", "pricing")
NAME, KEYS = "acme-dr", "store-keys"
PORT = 5001
_DESTINATION = "destination: {bucket: vault, endpoint: 'ENDPOINT', secret: {secretName: store-keys}}"
_BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: acme-dr
phase: starter
cluster: {{context: node, kubeconfig: KUBECONFIG}}
teams:
  vision: {{}}
  pricing: {{}}
artifacts: {{mode: s3, bucket: lake, endpoint: 'ENDPOINT', secret: {{secretName: store-keys}}}}
backup: {{scratch: 5Gi, {_DESTINATION}}}
"""


@pytest.fixture(scope="module")
def store(platform):
    made = elsewhere.Store(platform)
    made.up("vault", "lake")
    yield made
    made.down()


@pytest.fixture(scope="module")
def first(platform, store):
    """The first platform, its backups in the user's bucket."""
    before = platform.blueprint.read_text()
    platform.blueprint.write_text(filled(before.replace("5Gi}", f"5Gi, {_DESTINATION}}}"), platform))
    platform.up()
    store.give_keys(platform.name, KEYS)
    yield platform
    platform.kubectl("delete", "secret", KEYS, "-n", platform.name)
    platform.blueprint.write_text(before)
    platform.up()


@pytest.fixture(scope="module")
def second(node, platform, store):
    """Another platform: provisioned while its user brings the keys, and taken down with everything."""
    made = Platform(NAME, node.platforms["second"], platform.kubeconfig, platform.cache)
    made.write(filled(_BLUEPRINT, platform))
    run = made.start(*made.up_words)
    try:
        store.give_keys(NAME, KEYS)
        _, said = run.communicate()
        assert run.returncode == 0, said
        yield made
    finally:
        run.kill()
        made.ziggurat("destroy", str(made.blueprint), "--with-data", "--stand-in", "--confirm", NAME)


def filled(blueprint, platform):
    return blueprint.replace("ENDPOINT", elsewhere.ENDPOINT).replace("KUBECONFIG", str(platform.kubeconfig))


def inventory(platform, python, folder, **env):
    def of(team):
        done = run_client(python, platform.connect(team) | env, folder, "inventory.py")
        return json.loads(done.stdout)

    return {team: of(team) for team in TEAMS}


def restore(platform, *options, check=True):
    words = ("restore", str(platform.blueprint), "--stand-in", "--confirm", NAME, "--skip-backup")
    return platform.ziggurat(*words, *options, check=check)


def test_what_the_first_has_is_in_the_second(first, second, uri, python, table, tmp_path):
    run_client(python, first.connect("vision"), tmp_path, "roundtrip.py", "1", str(1 << 20))
    before = inventory(first, python, tmp_path)
    assert before["vision"]["runs"]
    assert before["vision"]["models"]
    options = (str(first.blueprint), "--stand-in", "--json")
    made = json.loads(first.ziggurat("backup", "now", *options).stdout)["made"]
    key = tmp_path / "key"
    with second.forwarded(PORT) as address:
        reached = {"MLFLOW_TRACKING_URI": address}
        empty = inventory(second, python, tmp_path, **reached)
        assert not any(team["runs"] for team in empty.values())

        key.write_text("wrong\n")
        refused = restore(second, "--from", first.name, "--password-file", str(key), check=False)
        assert refused.returncode == 1
        assert "the password is not the repository's" in refused.stderr
        assert inventory(second, python, tmp_path, **reached) == empty

        key.write_text(json.loads(first.ziggurat("backup", "password", *options).stdout)["password"])
        start = time.monotonic()
        restore(second, "--from", first.name, "--password-file", str(key), "--snapshot", made["id"])
        seconds = round(time.monotonic() - start, 1)
        after = inventory(second, python, tmp_path, **reached)
    runs = sum(len(team["runs"]) for team in after.values())
    table.add(what=f"restored into {NAME}: {runs} runs, {made['files']} files", seconds=seconds)
    assert after == before
    assert "restore-password" not in second.kubectl("get", "secrets", "-n", NAME, "-o", "name")


def test_the_second_works_for_its_teams(second):
    """Its own accounts, not those of the first, and artifacts in the store that the user brought."""
    done = second.ziggurat("check", str(second.blueprint), "--json", "--stand-in", check=False)
    found = json.loads(done.stdout)
    assert found["passed"], found
    assert {item["team"] for item in found["checks"] if item["outcome"] == "ok"} >= set(TEAMS)
