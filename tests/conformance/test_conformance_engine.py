"""The plugin under Pulumi's own engine: a program provisioned, changed, refreshed and destroyed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from ziggurat.progress import silent
from ziggurat.settings import Settings
from ziggurat.toolchain import engine_environment

PROGRAM = """
import json, os
from importlib.metadata import version
import pulumi

given = json.loads(os.environ["OBJECTS"])
provider = pulumi.ProviderResource(
    "kubernetes",
    "kubernetes",
    {"kubeconfig": os.environ["CLUSTER"], "clusterIdentifier": "conformance"},
    pulumi.ResourceOptions(version=version("pulumi-kubernetes")),
)
namespace = None
for name, manifest in given.items():
    api = manifest["apiVersion"]
    if "secret" in manifest:
        manifest["stringData"] = {"password": pulumi.Output.secret(manifest.pop("secret"))}
    made = pulumi.CustomResource(
        f"kubernetes:{api if '/' in api else 'core/' + api}:{manifest['kind']}",
        name,
        manifest,
        pulumi.ResourceOptions(provider=provider, depends_on=[namespace] if namespace else []),
    )
    namespace = namespace or made
"""
CANARY = "canary-" + uuid.uuid4().hex


@dataclass
class Stack:
    """A project of one case's own."""

    folder: Path
    pulumi: Path
    variables: dict[str, str]

    def run(self, *arguments: str, objects: dict, candidate, check: bool = True) -> str:
        environment = {
            **os.environ,
            **self.variables,
            "PULUMI_HOME": str(candidate.home),
            "OBJECTS": json.dumps(objects),
        }
        done = subprocess.run(
            [self.pulumi, *arguments, "--non-interactive"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        printed = done.stdout + done.stderr
        assert CANARY not in printed
        assert (done.returncode == 0) is check, printed
        return printed

    def up(self, objects, candidate, *more, **options):
        return self.run(
            "up", "--yes", "--skip-preview", *more, objects=objects, candidate=candidate, **options
        )

    def unchanged(self, objects, candidate, *more):
        arguments = ("preview", "--expect-no-changes", "--diff", *more)
        self.run(*arguments, objects=objects, candidate=candidate)

    def state(self, candidate) -> dict[str, dict]:
        self.run("stack", "export", "--file", "state.json", objects={}, candidate=candidate)
        resources = json.loads((self.folder / "state.json").read_text())["deployment"]["resources"]
        return {item["urn"].rpartition("::")[2]: item for item in resources}


@pytest.fixture(scope="session")
def engine() -> tuple[Path, dict[str, str]]:
    found = engine_environment(Settings.from_environment(), sandbox=True, progress=silent())
    return found.pulumi, found.variables


@pytest.fixture
def stack(tmp_path, engine, kubeconfig, candidate) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: conformance\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "backend").mkdir()
    pulumi, variables = engine
    own = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/backend",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "CLUSTER": str(kubeconfig),
        # The language host takes the first python there is.
        "PATH": os.pathsep.join([str(pulumi.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    made = Stack(tmp_path, pulumi, variables | own)
    made.run("stack", "init", "test", objects={}, candidate=candidate)
    return made


def objects(namespace: str, *, replicas: int = 1, role: str = "view", node: str = "") -> dict:
    labels = {"app": "a"}
    container = {"name": "c", "image": "x:1", "stdin": False, "resources": {"requests": {"cpu": "0.1"}}}
    pod: dict = {"containers": [container]}
    if node:
        pod["nodeSelector"] = {"no-node": node}
    rbac = "rbac.authorization.k8s.io"
    place = {"namespace": namespace}
    timeout = {"annotations": {"pulumi.com/timeoutSeconds": "3"}} if node else {}
    return {
        "namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        "settings": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": {"role": role}},
        "secret": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a", **place},
            "secret": CANARY,
        },
        "quota": {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "a", **place},
            "spec": {"hard": {"requests.cpu": "4000m"}},
        },
        "deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a", **place, **timeout},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        "service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "a", **place},
            "spec": {"clusterIP": "None", "selector": labels, "ports": [{"port": 80}]},
        },
        "binding": {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "a", **place},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "default", **place}],
        },
    }


@pytest.fixture
def own_namespace() -> str:
    return f"engine-{uuid.uuid4().hex[:8]}"


def test_the_life_of_a_stack(stack, candidate, cluster, own_namespace):
    first = objects(own_namespace)
    stack.up(first, candidate)
    stack.unchanged(first, candidate, "--refresh")
    assert "ciphertext" in json.dumps(stack.state(candidate)["secret"]["outputs"]["data"])
    second = objects(own_namespace, replicas=2, role="edit")
    shown = stack.run("up", "--yes", objects=second, candidate=candidate)
    assert "~ 1 to update" in shown
    assert "+-2 to replace" in shown
    stack.unchanged(second, candidate, "--refresh")
    assert cluster.get(second["deployment"])["spec"]["replicas"] == 2
    assert cluster.get(second["binding"])["roleRef"]["name"] == "edit"
    # Changed by hand: found by a refresh, and repaired.
    cluster.patch(second["deployment"], {"spec": {"replicas": 1}}, "kubectl-edit")
    repaired = stack.up(second, candidate, "--refresh")
    assert "~ 1 updated" in repaired
    assert cluster.get(second["deployment"])["spec"]["replicas"] == 2
    stack.run("destroy", "--yes", "--skip-preview", objects=second, candidate=candidate)
    assert cluster.get(second["namespace"]) is None
    for file in (stack.folder / "backend").rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file


def test_a_run_that_fails_half_way_is_finished_by_the_next(stack, candidate, own_namespace):
    failed = stack.up(objects(own_namespace, node="none"), candidate, check=False)
    assert "timed out after 3 s" in failed or candidate.is_official
    assert stack.state(candidate)["deployment"]["initErrors"]
    good = objects(own_namespace)
    stack.up(good, candidate)
    stack.unchanged(good, candidate, "--refresh")


@pytest.mark.parametrize("maker", ["stand-in", "official"])
def test_the_other_plugin_takes_over_without_a_change(stack, homes, own_namespace, maker):
    if "official" not in homes:
        pytest.skip("ZIGGURAT_CONFORMANCE_PULUMI_HOME names no PULUMI_HOME with Pulumi's own plugin")
    first, second = objects(own_namespace), objects(own_namespace, replicas=2, role="edit")
    mine = homes[maker]
    other = next(candidate for name, candidate in homes.items() if name != maker)
    stack.up(first, mine)
    stack.unchanged(first, other)
    stack.unchanged(first, other, "--refresh")
    stack.up(second, other)
    stack.unchanged(second, mine)
    stack.unchanged(second, mine, "--refresh")
    stack.run("destroy", "--yes", "--skip-preview", objects=second, candidate=mine)
