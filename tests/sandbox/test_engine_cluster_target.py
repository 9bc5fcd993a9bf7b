"""A platform for a cluster of one's own: the user's project and backend, and all that can be wrong with it.

The cluster is the sandbox's, reached by a kubeconfig as any other; its plugin is the stand-in, by the flag.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import tokens
import yaml

from ziggurat import sandbox, toolchain
from ziggurat.exit_codes import ExitCode
from ziggurat.progress import silent

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
NAME = "prod"


@pytest.fixture(scope="module")
def project(machine) -> Path:
    """A project as `ziggurat init` makes it, with the sandbox's kubeconfig as that of a cluster."""
    folder = machine.folder / "project"
    machine.run("init", folder, "--name", NAME)
    status = sandbox.status(machine.settings)
    (folder / "kubeconfig").write_text(status.kubeconfig.read_text())
    write_blueprint(machine, folder, context=status.context)
    return folder


@pytest.fixture(scope="module")
def own(machine, project) -> dict[str, str]:
    """The user's own backend and passphrase."""
    backend = machine.folder / "backend"
    backend.mkdir()
    return {"PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "correct horse"}


def write_blueprint(machine, folder: Path, *, context: str, kubeconfig: str = "kubeconfig") -> Path:
    cluster = f"cluster: {{context: {context}, kubeconfig: {kubeconfig}}}\n"
    return machine.blueprint(NAME, cluster, folder)


def blueprint_for(machine, project: Path, name: str, edit: Any) -> Path:
    """A blueprint beside the project's, whose kubeconfig `edit` has changed."""
    config = yaml.safe_load((project / "kubeconfig").read_text())
    edit(config)
    (project / f"{name}.kubeconfig").write_text(yaml.safe_dump(config))
    context = config["current-context"]
    cluster = f"cluster: {{context: {context}, kubeconfig: {name}.kubeconfig}}\n"
    return machine.blueprint(name, cluster, project)


def token_of(config: dict[str, Any], token: str) -> None:
    for user in config["users"]:
        user["user"] = {"token": token}


def test_a_missing_plugin_is_an_error_and_never_silently_the_stand_in(machine, project, own):
    ran = machine.run(
        "preview", project / f"{NAME}.yaml", code=ExitCode.TOOL, **own, ZIGGURAT_DOWNLOADS="off"
    )

    assert "Kubernetes plugin" in ran.err
    assert "is missing and cannot be had" in ran.err
    assert "stand-in serves" not in ran.err


def test_an_unreachable_cluster_is_said_to_be(machine, project, own):
    def edit(config: dict[str, Any]) -> None:
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = "https://127.0.0.1:9"

    blueprint = blueprint_for(machine, project, "far", edit)
    ran = machine.run("preview", blueprint, "--stand-in", code=ExitCode.CLUSTER, **own)

    assert "the cluster does not answer" in ran.err
    assert "https://127.0.0.1:9" in ran.err


def test_a_context_that_does_not_exist_is_named(machine, project, own):
    def edit(config: dict[str, Any]) -> None:
        config["current-context"] = "prod-eu"

    blueprint = blueprint_for(machine, project, "lost", edit)
    ran = machine.run("status", blueprint, "--stand-in", code=ExitCode.CLUSTER, **own)

    assert "prod-eu" in ran.err


def test_expired_credentials_are_told_from_missing_rights(machine, project, own):
    blueprint = blueprint_for(machine, project, "stale", lambda config: token_of(config, "expired"))
    ran = machine.run("preview", blueprint, "--stand-in", code=ExitCode.CLUSTER, **own)

    assert "refuses the credentials" in ran.err
    assert "log in to the cluster again" in ran.err


def test_missing_rights_are_listed(machine, project, own):
    cluster = machine.cluster
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "guest"}}
    cluster.request("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    viewer = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "guest-views"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "nobody", "namespace": "default"}],
    }
    read = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "guest"},
        "rules": [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}],
    }
    viewer["roleRef"]["name"] = "guest"
    viewer["subjects"][0]["name"] = "guest"
    root = "/apis/rbac.authorization.k8s.io/v1"
    cluster.request("POST", f"{root}/clusterroles", read)
    cluster.request("POST", f"{root}/clusterrolebindings", viewer)
    token = tokens.of_account(cluster, "default", "guest")

    blueprint = blueprint_for(machine, project, "guest", lambda config: token_of(config, token))
    ran = machine.run("preview", blueprint, "--stand-in", code=ExitCode.CLUSTER, **own)

    assert "system:serviceaccount:default:guest may not do all" in ran.err
    assert "create namespaces" in ran.err
    assert "create deployments.apps" in ran.err
    assert "get namespaces," not in ran.err


def test_plain_pulumi_up_and_ziggurat_agree_on_one_stack(machine, project, own):
    tools = toolchain.engine_environment(machine.settings, sandbox=False, progress=silent(), stand_in=True)
    venv = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), tools.variables["PATH"]])}
    environment = {**machine.environment, **tools.variables, **venv, **own}

    def pulumi(*arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            [tools.pulumi, "--non-interactive", *arguments],
            cwd=project,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        machine.said.extend([done.stdout, done.stderr])
        return done.stdout

    pulumi("stack", "init", NAME)
    pulumi("config", "set", "blueprint", f"{NAME}.yaml")
    pulumi("config", "set", "--secret", "rootSecret", text="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==")
    pulumi("config", "set", "--path", "pulumi:disable-default-providers[0]", "kubernetes")
    created = pulumi("up", "--yes", "--skip-preview")
    assert re.search(r"\+ \d+ created", created)

    blueprint = project / f"{NAME}.yaml"
    machine.run("preview", blueprint, "--stand-in", "--expect-no-changes", **own)
    machine.run("up", blueprint, "--stand-in", "--yes", **own)
    assert "unchanged" in pulumi("preview", "--expect-no-changes")

    wrong = machine.run(
        "preview", blueprint, "--stand-in", code=ExitCode.SECRETS, **{**own, "PULUMI_CONFIG_PASSPHRASE": "x"}
    )
    assert "passphrase is not the one" in wrong.err
    unset = {key: value for key, value in own.items() if "PASSPHRASE" not in key}
    missing = machine.run("preview", blueprint, "--stand-in", code=ExitCode.SECRETS, **unset)
    assert "no passphrase is set" in missing.err


def test_what_only_reads_the_stack_needs_no_plugin(machine, project, own):
    blueprint = project / f"{NAME}.yaml"
    closed = {**own, "ZIGGURAT_DOWNLOADS": "off"}

    assert machine.run("status", blueprint, "--json", **closed).json["ready"] is True
    assert "MLFLOW_TRACKING_URI" in machine.run("connect", blueprint, "--team", "vision", **closed).out
    assert NAME in machine.run("outputs", blueprint, **closed).out


def leave_lock(own: dict[str, str], host: str) -> Path:
    """The lock of a run on `host` whose process is gone, as Pulumi writes it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    backend = Path(own["PULUMI_BACKEND_URL"].removeprefix("file://"))
    lock = backend / ".pulumi" / "locks" / "organization" / "ziggurat" / NAME / f"{uuid.uuid4()}.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    said = {"pid": gone.pid, "username": "ada", "hostname": host, "timestamp": "2026-03-01T00:00:00Z"}
    lock.write_text(json.dumps(said))
    return lock


def test_the_lock_of_a_killed_run_is_removed_where_its_process_is_certainly_gone(machine, project, own):
    lock = leave_lock(own, socket.gethostname())

    ran = machine.run("up", project / f"{NAME}.yaml", "--stand-in", "--yes", **own)

    assert "removing the lock of a run that was killed" in ran.err
    assert not lock.exists()


def test_the_lock_of_another_machine_is_left_alone(machine, project, own):
    lock = leave_lock(own, "elsewhere")
    try:
        ran = machine.run("up", project / f"{NAME}.yaml", "--stand-in", "--yes", code=ExitCode.LOCKED, **own)
        assert lock.exists()
    finally:
        lock.unlink()

    assert "of ada on elsewhere" in ran.err
    assert f"pulumi cancel --stack {NAME}" in ran.err


def test_a_context_may_be_renamed(machine, project, own):
    config = yaml.safe_load((project / "kubeconfig").read_text())
    for context in config["contexts"]:
        context["name"] = "renamed"
    config["current-context"] = "renamed"
    (project / "renamed.kubeconfig").write_text(yaml.safe_dump(config))
    status = sandbox.status(machine.settings)
    blueprint = write_blueprint(machine, project, context="renamed", kubeconfig="renamed.kubeconfig")
    try:
        changes = machine.run("preview", blueprint, "--stand-in", "--json", **own).json["changes"]
    finally:
        write_blueprint(machine, project, context=status.context)

    assert not [change for change in changes if change["operation"] in ("replace", "delete", "create")]


def test_another_cluster_than_the_platform_s_is_refused(machine, project, own):
    path = project / f"Pulumi.{NAME}.yaml"
    known = path.read_text()
    path.write_text(re.sub(r"ziggurat:cluster: \S+", "ziggurat:cluster: 00000000-aaaa", known))
    try:
        ran = machine.run("up", project / f"{NAME}.yaml", "--stand-in", "--yes", code=ExitCode.CLUSTER, **own)
    finally:
        path.write_text(known)

    assert "leads to another cluster than the one this platform runs on" in ran.err
    machine.run("destroy", project / f"{NAME}.yaml", "--stand-in", "--with-data", "--confirm", NAME, **own)
