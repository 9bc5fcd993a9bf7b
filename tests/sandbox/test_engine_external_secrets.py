"""A platform whose credentials a store holds, on a real API server: External Secrets is played, nothing else.

What the controller does is done here while `up` runs: it makes the Secret of an ExternalSecret's template,
owned by it, and says so in the condition Ready (External Secrets, `pkg/controllers/externalsecret`). With
ZIGGURAT_TEST_CRDS the definitions are its own.
"""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ziggurat.cluster import Cluster, Refused
from ziggurat.errors import ZigguratError
from ziggurat.exit_codes import ExitCode

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

NAME = "stored"
API = "external-secrets.io/v1"
REAL = bool(os.environ.get("ZIGGURAT_TEST_CRDS"))
BLUEPRINT = f"""\
apiVersion: ziggurat/v1
name: {NAME}
phase: enterprise
tracking: {{host: mlflow.acme.dev}}
auth:
  mode: oidc
  issuer: https://login.acme.dev
  clientSecret: {{secretName: oidc-client}}
  adminGroups: [ml-platform]
teams: {{vision: {{users: {{nightly: {{}}}}}}}}
backup: {{}}
externalSecrets: {{store: vault, prefix: ml}}
"""
SPACES = (NAME, f"{NAME}-vision")
LONG = 600
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
"""What every entry of the store is: it will do for a password and for a key."""


class Controller(threading.Thread):
    """External Secrets, as far as it is seen: fills each Secret, and says that it is Ready."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.ended = threading.Event()
        self.waited: set[str] = set()
        """The ExternalSecrets that were seen before their Secret was there."""
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.ended.wait(0.5):
            for space in SPACES:
                try:
                    self._fill(space)
                except Refused as refused:
                    if refused.status not in (404, 409):
                        self.wrong.append(refused.message)
                except ZigguratError:
                    pass  # the kind is not there yet, or the API server is busy

    def _fill(self, space: str) -> None:
        for made in self.cluster.objects(API, "ExternalSecret", space):
            ready = [each for each in made.get("status", {}).get("conditions", ()) if each["type"] == "Ready"]
            if ready or made["metadata"].get("deletionTimestamp"):
                continue
            self.waited.add(made["metadata"]["name"])
            self.cluster.request("POST", f"/api/v1/namespaces/{space}/secrets", secret_of(made))
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            said = {
                "type": "Ready",
                "status": "True",
                "reason": "SecretSynced",
                "message": "secret synced",
                "lastTransitionTime": now,
            }
            made["status"] = {"conditions": [said], "refreshTime": now, "binding": {"name": name_of(made)}}
            path = f"/apis/{API}/namespaces/{space}/externalsecrets/{made['metadata']['name']}/status"
            self.cluster.request("PUT", path, made)


def name_of(made: dict[str, Any]) -> str:
    return made["spec"]["target"]["name"]


def secret_of(made: dict[str, Any]) -> dict[str, Any]:
    """The Secret of an ExternalSecret: its template, filled with the entries that it refers to."""
    entries = {each["secretKey"] for each in made["spec"]["data"]}
    template = made["spec"]["target"]["template"]

    def filled(text: str) -> str:
        asked = set(re.findall(r"\{\{ \.(\w+) \}\}", text))
        assert asked <= entries, f"{made['metadata']['name']}: no entries for {asked - entries}"
        return re.sub(r"\{\{ \.\w+ \}\}", KEY, text)

    owner = {
        "apiVersion": API,
        "kind": "ExternalSecret",
        "name": made["metadata"]["name"],
        "uid": made["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = template["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), "reconcile.external-secrets.io/managed": "true"},
            "name": name_of(made),
            "namespace": made["metadata"]["namespace"],
            "ownerReferences": [owner],
        },
        "type": template["type"],
        "data": {
            key: base64.b64encode(filled(text).encode()).decode() for key, text in template["data"].items()
        },
    }


@pytest.fixture(scope="module")
def controller(machine: Any) -> Iterator[Controller]:
    played = Controller(machine.cluster)
    played.start()
    yield played
    played.ended.set()
    played.join()


@pytest.fixture(scope="module")
def up(machine: Any, blueprint: Path, controller: Controller) -> dict[str, Any]:
    ran = machine.finish(machine.start("up", blueprint, "--yes", "--json"), LONG)
    assert ran.code == 0, ran.text
    return ran.json


def stored(machine: Any) -> list[dict[str, Any]]:
    return [made for space in SPACES for made in machine.cluster.objects(API, "ExternalSecret", space)]


def test_a_run_waits_for_each_secret_and_no_value_is_its_own(
    machine: Any, up: dict[str, Any], controller: Controller
) -> None:
    made = stored(machine)
    assert made
    assert controller.wrong == []
    assert controller.waited == {each["metadata"]["name"] for each in made}
    assert not [each for each in up["changes"] if each["kind"] == "Secret"]
    asked = {entry["remoteRef"]["key"] for each in made for entry in each["spec"]["data"]}
    assert asked == set(up["outputs"]["externalSecrets"])
    assert all(key.startswith("ml/") for key in asked)


def test_every_secret_that_pods_read_is_there(machine: Any, up: dict[str, Any]) -> None:
    brought = {"oidc-client"}
    for space in SPACES:
        there = {each["metadata"]["name"] for each in machine.cluster.objects("v1", "Secret", space)}
        for kind, version in (("Deployment", "apps/v1"), ("StatefulSet", "apps/v1")):
            for each in machine.cluster.objects(version, kind, space):
                pod = each["spec"]["template"]["spec"]
                read = {
                    variable["valueFrom"]["secretKeyRef"]["name"]
                    for container in (*pod.get("initContainers", ()), *pod["containers"])
                    for variable in container.get("env", ())
                    if "secretKeyRef" in variable.get("valueFrom", {})
                }
                read |= {
                    volume["secret"]["secretName"] for volume in pod.get("volumes", ()) if "secret" in volume
                }
                assert read <= there | brought, each["metadata"]["name"]


def test_a_second_look_finds_no_change(machine: Any, blueprint: Path, up: dict[str, Any]) -> None:
    ran = machine.finish(machine.start("preview", blueprint, "--expect-no-changes", "--json"), LONG)
    assert ran.code == 0, ran.text


def test_evidence_says_that_no_credential_is_in_the_state(
    machine: Any, blueprint: Path, up: dict[str, Any]
) -> None:
    shown = machine.run("evidence", blueprint, "--json", code=None).json
    (found,) = [each for each in shown["controls"] if each["control"] == "secrets"]
    assert found["result"] == "holds"
    count = len(stored(machine))
    assert found["detail"] == (
        f"none is in the stack's state: {count} ExternalSecrets are filled from store vault"
    )


def test_the_store_rotates_and_ziggurat_refuses_to(machine: Any, blueprint: Path, up: dict[str, Any]) -> None:
    listed = machine.run("rotate", blueprint, "--list", "--json").json
    assert (listed["rotations"], listed["store"]) == ([], "vault")
    refused = machine.run("rotate", blueprint, "--all", "--yes", code=ExitCode.BLOCKED)
    assert "the credentials are in the store vault: nothing was rotated" in refused.err
    assert "change the entry in the store" in refused.err


def test_status_and_connect_find_the_credentials(machine: Any, blueprint: Path, up: dict[str, Any]) -> None:
    assert machine.run("status", blueprint, "--json").json["ready"]
    shown = machine.run("connect", blueprint, "--team", "vision", "--user", "nightly", "--json", code=None)
    assert shown.code == 0, shown.text
    where = shown.json["passwordSecret"]
    found = machine.cluster.find("v1", "Secret", where["namespace"], where["name"])
    assert found is not None
    assert base64.b64decode(found["data"][where["key"]]).decode() == KEY


def test_destroy_leaves_nothing(
    machine: Any, blueprint: Path, up: dict[str, Any], controller: Controller
) -> None:
    command = machine.start("destroy", blueprint, "--with-data", "--confirm", NAME, "--json")
    ran = machine.finish(command, LONG)
    assert ran.code == 0, ran.text
    # Its definitions stay, as every ExternalSecret of the cluster would go with them.
    assert [each for each in ran.json["left"] if not each.endswith("external-secrets.io")] == []
    for space in SPACES:
        assert machine.cluster.find("v1", "Namespace", "", space) is None
