"""What fetches models, before a real store: the platform's SeaweedFS, and MLflow's client.

ZIGGURAT_TEST_WEED names SeaweedFS's program, ZIGGURAT_TEST_MLFLOW_PYTHON a Python with MLflow and boto3.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plans import found

from components import artifacts
from ziggurat.plan.model import Plan
from ziggurat.sandbox.processes import free_ports

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "serving-pipelines.yaml"
WEED = os.environ.get("ZIGGURAT_TEST_WEED", "")
PYTHON = os.environ.get("ZIGGURAT_TEST_MLFLOW_PYTHON", "")
pytestmark = pytest.mark.skipif(not WEED, reason="ZIGGURAT_TEST_WEED names SeaweedFS's program")

SECRETS = {"provisioner": "provisioner-key", "kfp-vision": "vision-key", "kfp-pricing": "pricing-key"}
MODEL = "train/7/model"
"""Where below its folder a run of each team keeps a model."""
S3 = """
import boto3, json, sys
for user, secret, call, arguments in json.load(sys.stdin):
    client = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",
                          aws_access_key_id=user, aws_secret_access_key=secret)
    getattr(client, call)(**arguments)
"""
PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


@dataclass(frozen=True)
class Store:
    """SeaweedFS with the platform's identities."""

    url: str

    def call(self, user: str, call: str, **arguments: str) -> subprocess.CompletedProcess[str]:
        """What S3 says to a user of the store."""
        asked = json.dumps([[user, SECRETS[user], call, arguments]])
        command = [PYTHON, "-c", S3, self.url]
        return subprocess.run(command, input=asked, text=True, capture_output=True, check=False)

    def fetch(self, container: dict[str, Any], uri: str, into: Path) -> subprocess.CompletedProcess[str]:
        """Runs the container's own command, as KServe would in the namespace of vision."""
        secret = {"AWS_ACCESS_KEY_ID": "kfp-vision", "AWS_SECRET_ACCESS_KEY": SECRETS["kfp-vision"]}
        env = {"PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}"}
        for each in container["env"]:
            if "value" in each:
                env[each["name"]] = each["value"]
            else:
                env[each["name"]] = secret[each["valueFrom"]["secretKeyRef"]["key"]]
        env |= {"MLFLOW_S3_ENDPOINT_URL": self.url, "HOME": str(into.parent)}
        into.mkdir()
        command = [*container["command"], uri, str(into)]
        return subprocess.run(command, env=env, text=True, capture_output=True, check=False)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def store(planned: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The StatefulSet's own command, on free ports of the loopback address; with a model of each team."""
    there = subprocess.run(
        [PYTHON or "false", "-c", "import mlflow, boto3"], capture_output=True, check=False
    )
    if there.returncode:
        pytest.skip("name a Python with mlflow and boto3 in ZIGGURAT_TEST_MLFLOW_PYTHON")
    folder = tmp_path_factory.mktemp("store")
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps(artifacts.identities(("artifacts",), SECRETS)))
    (server,) = (each for (_, name), each in found(planned, "StatefulSet").items() if name == "seaweedfs")
    (container,) = server["spec"]["template"]["spec"]["containers"]
    kept = [
        each for each in container["args"] if not each.startswith(("-dir=", "-s3.config=", "-s3.ip.bind="))
    ]
    ports = dict(zip((*PORTS, *(f"{each}.grpc" for each in PORTS)), free_ports(2 * len(PORTS)), strict=True))
    mine = [f"-dir={folder}/data", f"-s3.config={folder}/s3.json", "-s3.ip.bind=127.0.0.1"]
    mine += [f"-{name}={port}" for name, port in ports.items()]
    env = {"HOME": str(folder), **{each["name"]: each["value"] for each in container["env"]}}
    made = Store(f"http://127.0.0.1:{ports['s3.port']}")
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([WEED, *kept, *mine], env=env, cwd=folder, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 120
            while not answers(f"{made.url}/status"):
                assert running.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.5)
            fill(made)
            yield made
        finally:
            running.terminate()
            running.wait()


def fill(store: Store) -> None:
    done = [store.call("provisioner", "create_bucket", Bucket="artifacts")]
    for team in ("vision", "pricing"):
        for name in ("MLmodel", "data/weights"):
            key = f"kfp/{team}/{MODEL}/{name}"
            done.append(store.call(f"kfp-{team}", "put_object", Bucket="artifacts", Key=key, Body=team))
    assert [each.stderr for each in done if each.returncode] == []


@pytest.fixture(scope="module")
def container(planned: Plan) -> dict[str, Any]:
    made = found(planned, "ClusterStorageContainer")
    (spec,) = (each["spec"] for (_, name), each in made.items() if name == "acme-ml-bucket")
    return spec["container"]


def test_a_model_of_the_teams_comes_with_the_key_of_its_runs(store, container, tmp_path):
    into = tmp_path / "models"
    done = store.fetch(container, f"s3://artifacts/kfp/vision/{MODEL}", into)
    assert done.returncode == 0, done.stderr
    files = {str(each.relative_to(into)): each.read_text() for each in into.rglob("*") if each.is_file()}
    assert files == {"MLmodel": "vision", "data/weights": "vision"}


def test_a_model_of_another_teams_does_not_come(store, container, tmp_path):
    done = store.fetch(container, f"s3://artifacts/kfp/pricing/{MODEL}", tmp_path / "models")
    assert done.returncode != 0
    assert "Access Denied" in done.stderr
    assert list((tmp_path / "models").iterdir()) == []


def test_where_there_is_no_model_it_says_so(store, container, tmp_path):
    done = store.fetch(container, "s3://artifacts/kfp/vision/train/8/model", tmp_path / "models")
    assert done.returncode != 0
    assert "There is nothing below s3://artifacts/kfp/vision/train/8/model" in done.stderr


def test_the_key_of_its_runs_may_not_what_kserves_own_image_begins_with(store):
    """Should it, one day, then MLflow's client is needed no more."""
    done = store.call("kfp-vision", "head_bucket", Bucket="artifacts")
    assert "403" in done.stderr
