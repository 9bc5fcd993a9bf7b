"""The node enforces NetworkPolicies: a connection that must fail fails, and one that must work works."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

TABLE = "NetworkPolicy on the node"
_POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: docker.io/library/python:3.11-slim, command: {command}}}]
---
"""
_POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-friends, namespace: policy-a}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}], ports: [{port: 8080}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-way-out, namespace: policy-a}
spec: {podSelector: {matchLabels: {app: prisoner}}, policyTypes: [Egress]}
"""
_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: server, namespace: policy-a}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
"""


@pytest.fixture(scope="module")
def kubectl(node):
    def run(*arguments, stdin=None, check=True):
        command = ["kubectl", "--kubeconfig", str(node.kubeconfig), *arguments]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=check)

    spaces = ("policy-a", "policy-b")
    for space in spaces:
        run("create", "namespace", space, check=False)
    sleep, serve = '[sleep, "3600"]', '[python3, -m, http.server, "8080"]'
    pods = [("server", "policy-a", serve), ("friend", "policy-a", sleep), ("prisoner", "policy-a", sleep)]
    pods += [("friend", "policy-b", sleep)]
    text = "".join(_POD.format(name=name, namespace=space, command=command) for name, space, command in pods)
    run("apply", "-f", "-", stdin=f"{text}{_SERVICE}")
    for space in spaces:
        run("wait", "-n", space, "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    yield run
    run("delete", "namespace", *spaces, "--wait=false")


def reaches(kubectl, space, pod, target) -> bool:
    done = kubectl(
        "exec",
        "-n",
        space,
        pod,
        "--",
        "curl",
        "-sf",
        "-o",
        "/dev/null",
        "-m",
        "2",
        f"http://{target}/",
        check=False,
    )
    return done.returncode == 0


def test_connections_fail_and_work_as_the_policies_say(kubectl, table):
    """Each without policies first (all work), then with: by the Service and by the pod's address."""
    pod = json.loads(kubectl("get", "pod", "server", "-n", "policy-a", "-o", "json").stdout)
    targets = {"Service": "server.policy-a.svc.cluster.local", "pod": f"{pod['status']['podIP']}:8080"}
    expected = {
        ("policy-a", "friend"): True,
        ("policy-b", "friend"): False,
        ("policy-a", "prisoner"): False,
    }
    before = {
        (who, name): reaches(kubectl, *who, target) for who in expected for name, target in targets.items()
    }
    assert all(before.values()), before
    kubectl("apply", "-f", "-", stdin=_POLICY)
    time.sleep(2)
    for who, allowed in expected.items():
        for name, target in targets.items():
            found = reaches(kubectl, *who, target)
            table.add(pod="/".join(who), to=name, without="works", allowed=allowed, found=found)
            assert found == allowed, (who, name)
