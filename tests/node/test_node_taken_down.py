"""A platform is taken down and made again: its data is there, unless the user named it.

These tests come after all that need the platform: nothing of it is left.
"""

from __future__ import annotations

import json

import pytest
from onenode.faults import volume_folder
from onenode.platform import run_client

from ziggurat.exit_codes import ExitCode

CLAIMS = ("postgresql-data", "seaweedfs-data")
INSTANCE = "app.kubernetes.io/instance={}"
_NOT_LISTABLE = ("events", "events.events.k8s.io", "componentstatuses")


@pytest.fixture
def client(platform, uri, python, tmp_path):
    def run(script, *arguments):
        return run_client(python, platform.connect("vision"), tmp_path, script, *arguments).stdout

    return run


def of_the_platform(platform, *kinds):
    shown = platform.kubectl(
        *("get", ",".join(kinds), "-A", "-o", "name", "-l", INSTANCE.format(platform.name)), check=False
    )
    return [line for line in shown.splitlines() if "/" in line and not line.startswith("Warning: ")]


def kinds(platform):
    listed = platform.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    return [each for each in listed if each not in _NOT_LISTABLE]


def test_what_is_destroyed_is_found_again(platform, client):
    client("roundtrip.py", "1", str(1 << 20))
    before = json.loads(client("inventory.py"))
    assert before["runs"]
    assert before["models"]
    folders = [volume_folder(platform, claim) for claim in CLAIMS]

    gone = platform.ziggurat("destroy", str(platform.blueprint), "--yes", "--stand-in")

    assert all(claim in gone.stdout for claim in CLAIMS), gone.stdout  # it says what it keeps
    assert of_the_platform(platform, "deployments", "statefulsets", "services") == []
    assert [volume_folder(platform, claim) for claim in CLAIMS] == folders
    platform.up()
    assert [volume_folder(platform, claim) for claim in CLAIMS] == folders
    assert json.loads(client("inventory.py")) == before
    shown = platform.ziggurat("preview", str(platform.blueprint), "--stand-in", "--refresh")
    assert "no change" in shown.stdout


def test_destroyed_with_its_data_nothing_is_left(platform, client):
    client("roundtrip.py", "1")
    folders = [volume_folder(platform, claim) for claim in CLAIMS]
    words = ("destroy", str(platform.blueprint), "--with-data", "--stand-in")

    for refused in (words, (*words, "--yes"), (*words, "--confirm", "another")):
        assert platform.ziggurat(*refused, check=False).returncode == ExitCode.USAGE
    assert all(any(folder.iterdir()) for folder in folders)
    assert of_the_platform(platform, "deployments")

    platform.ziggurat(*words, "--confirm", platform.name)

    assert of_the_platform(platform, *kinds(platform)) == []
    names = [each["metadata"]["name"] for each in platform.objects("namespaces")]
    assert [name for name in names if name.startswith(platform.name)] == []
    claimed = [each["spec"]["claimRef"]["namespace"] for each in platform.objects("pv")]
    assert platform.name not in claimed
    assert not any(folder.exists() for folder in folders)
