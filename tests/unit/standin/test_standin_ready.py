"""Readiness per kind, and conditions of the user's own."""

import pytest

from standin import waitfor
from standin.awaiting import explain
from standin.ready import AWAITED, awaited

GENERATION = {"generation": 2, "name": "a", "namespace": "ns"}


def verdict(manifest, *others):
    def look(query):
        return [other for other in others if other["kind"] == query.kind]

    return awaited(manifest).check(manifest, look)


def deployment(progress="NewReplicaSetAvailable", available="True", ready=2, observed=2, **status):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": GENERATION,
        "spec": {"replicas": 2},
        "status": {
            "observedGeneration": observed,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": ready,
            "conditions": [
                {"type": "Progressing", "status": "True", "reason": progress},
                {"type": "Available", "status": available},
                *status.get("more", []),
            ],
        },
    }


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, ""),
        ({"observed": 1}, "has not seen"),
        ({"progress": "ReplicaSetUpdated"}, "2 of 2 pods are ready"),
        ({"ready": 1}, "1 of 2 pods are ready"),
        ({"progress": "ProgressDeadlineExceeded"}, "does not get on"),
        (
            {"more": [{"type": "ReplicaFailure", "status": "True", "message": "quota"}]},
            "cannot be created: quota",
        ),
    ],
)
def test_deployment(changes, missing):
    found = verdict(deployment(**changes))
    assert (found.done, missing in found.message) == (not missing, True)


def stateful_set(strategy=None, **status):
    good = {
        "observedGeneration": 2,
        "replicas": 2,
        "readyReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": GENERATION,
        "spec": {"replicas": 2, "updateStrategy": strategy or {}},
        "status": {**good, "currentRevision": "r2", "updateRevision": "r2", **status},
    }


@pytest.mark.parametrize(
    ("strategy", "status", "done"),
    [
        (None, {}, True),
        (None, {"observedGeneration": 1}, False),
        (None, {"readyReplicas": 1}, False),
        (None, {"currentRevision": "r1"}, False),
        (None, {"currentReplicas": 1}, False),
        ({"type": "OnDelete"}, {"currentRevision": "r1"}, True),
        ({"rollingUpdate": {"partition": 1}}, {"currentRevision": "r1", "updatedReplicas": 1}, True),
        ({"rollingUpdate": {"partition": 1}}, {"currentRevision": "r1", "updatedReplicas": 0}, False),
    ],
)
def test_stateful_set(strategy, status, done):
    assert verdict(stateful_set(strategy, **status)).done is done


DAEMONS = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 2,
    "currentNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberAvailable": 2,
    "numberReady": 2,
}


@pytest.mark.parametrize("short", [None, *[key for key in DAEMONS if key != "desiredNumberScheduled"]])
def test_daemon_set(short):
    status = {**DAEMONS, **({short: 1} if short else {})}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": GENERATION,
        "spec": {},
        "status": status,
    }
    assert verdict(manifest).done is (short is None)


def conditions(*names):
    return [{"type": name, "status": "True"} for name in names]


@pytest.mark.parametrize(
    ("status", "done", "failed"),
    [
        ({"phase": "Succeeded"}, True, False),
        ({"phase": "Failed", "message": "evicted"}, False, True),
        ({"phase": "Running", "conditions": conditions("PodScheduled", "Initialized", "Ready")}, True, False),
        ({"phase": "Running", "conditions": conditions("PodScheduled", "Initialized")}, False, False),
        ({"phase": "Pending"}, False, False),
    ],
)
def test_pod(status, done, failed):
    found = verdict({"apiVersion": "v1", "kind": "Pod", "metadata": GENERATION, "status": status})
    assert (found.done, found.failed) == (done, failed)


@pytest.mark.parametrize(
    ("status", "done", "failed"),
    [
        ({"conditions": conditions("Complete")}, True, False),
        (
            {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
            False,
            True,
        ),
        ({"active": 1}, False, False),
    ],
)
def test_job(status, done, failed):
    found = verdict({"apiVersion": "batch/v1", "kind": "Job", "metadata": GENERATION, "status": status})
    assert (found.done, found.failed) == (done, failed)
    assert not failed or "BackoffLimitExceeded" in found.message


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": GENERATION, "spec": spec}


def endpoints(*ready):
    return {"kind": "EndpointSlice", "endpoints": [{"conditions": {"ready": item}} for item in ready]}


@pytest.mark.parametrize(
    ("spec", "others", "done"),
    [
        ({"selector": {"a": "b"}}, [], False),
        ({"selector": {"a": "b"}}, [endpoints(True)], True),
        ({"selector": {"a": "b"}}, [endpoints(True, False)], False),
        ({"selector": {"a": "b"}, "clusterIP": "None"}, [], True),
        ({"type": "ExternalName", "externalName": "x"}, [], True),
        ({}, [], True),
        ({"type": "LoadBalancer"}, [], False),
    ],
)
def test_service(spec, others, done):
    assert verdict(service(**spec), *others).done is done


def test_ingress():
    backend = {"service": {"name": "a"}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": GENERATION,
        "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}]},
    }
    addressed = {**ingress, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    assert "does not exist" in verdict(addressed).message
    assert "no pod" in verdict(addressed, service(selector={"a": "b"})).message
    assert "address" in verdict(ingress, service(), endpoints(True)).message
    assert verdict(addressed, service(), endpoints(True)).done


def claim(phase, storage="standard"):
    spec = {"storageClassName": storage} if storage else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": GENERATION,
        "spec": spec,
        "status": {"phase": phase},
    }


def storage_class(mode):
    return {"kind": "StorageClass", "volumeBindingMode": mode}


def test_persistent_volume_claim():
    assert verdict(claim("Bound")).done
    assert verdict(claim("Pending"), storage_class("WaitForFirstConsumer")).done
    assert not verdict(claim("Pending"), storage_class("Immediate")).done
    assert "no storage class" in verdict(claim("Pending", "")).message
    assert verdict(claim("Lost")).failed


@pytest.mark.parametrize(
    ("manifest", "done"),
    [
        ({"kind": "PersistentVolume", "status": {"phase": "Available"}}, True),
        ({"kind": "PersistentVolume", "status": {"phase": "Released"}}, False),
        ({"kind": "ResourceQuota", "spec": {"hard": {"a": "1"}}, "status": {"hard": {"a": "1"}}}, True),
        ({"kind": "ResourceQuota", "spec": {"hard": {"a": "1"}}}, False),
        ({"kind": "Secret", "type": "Opaque"}, True),
        ({"kind": "Secret", "type": "kubernetes.io/service-account-token"}, False),
        ({"kind": "Secret", "type": "kubernetes.io/service-account-token", "data": {"token": "x"}}, True),
        (
            {"kind": "ReplicationController", "spec": {"replicas": 1}, "status": {"availableReplicas": 1}},
            True,
        ),
        ({"kind": "ReplicationController", "spec": {"replicas": 1}}, False),
    ],
)
def test_small_kinds(manifest, done):
    assert verdict({"apiVersion": "v1", **manifest}).done is done


def test_other_kinds_are_not_awaited():
    assert awaited({"apiVersion": "v1", "kind": "Namespace"}) is None
    assert awaited({"apiVersion": "example.org/v1", "kind": "Deployment"}) is None
    assert AWAITED["", "PersistentVolumeClaim"].limit == 300


OBJECT = {
    "status": {
        "phase": "Done",
        "ok": True,
        "n": 3,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}],
        "list": [{"name": "a", "v": 1}],
    },
    "metadata": {"annotations": {"a.b/c": "x"}},
}


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("condition=Ready", True),
        ("condition=Synced", False),
        ("condition=Synced=False", True),
        ("condition=Missing", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.phase}=Done", True),
        ("jsonpath={.status.phase}=Other", False),
        ("jsonpath={.status.ok}=true", True),
        ("jsonpath={.status.n}=3", True),
        ("jsonpath={.status.missing}", False),
        ("jsonpath={.status.list[0].v}=1", True),
        ("jsonpath={.status.list[*].name}=a", True),
        ("jsonpath={$.metadata.annotations['a.b/c']}=x", True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
        ('["condition=Ready", "jsonpath={.status.phase}=Done"]', True),
        ('["condition=Ready", "condition=Synced"]', False),
    ],
)
def test_wait_for(text, done):
    assert waitfor.parse(text)(OBJECT, lambda _: []).done is done


EXTERNAL = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"namespace": "acme", "name": "mlflow", "uid": "1"},
    "spec": {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"}},
    "status": {"conditions": [{"type": "Ready", "status": "False", "message": "could not get secret data"}]},
}


def test_a_condition_that_is_waited_for_is_told_with_its_own_message():
    said = waitfor.parse("condition=Ready")(EXTERNAL, lambda _: []).message
    assert said == "waiting for condition Ready to be True, it is False: could not get secret data"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "there is no ClusterSecretStore vault, which it is filled from"),
        (
            {"type": "Ready", "status": "False", "message": "sealed"},
            "it is filled from ClusterSecretStore vault, which is not ready: sealed",
        ),
        (
            {"type": "Ready", "status": "True"},
            "it is filled from ClusterSecretStore vault, which is ready",
        ),
    ],
)
def test_why_an_external_secret_is_not_filled_names_its_store(status, said):
    def look(query):
        if query.kind != "ClusterSecretStore":
            return []
        assert (query.api_version, query.namespace, query.name) == ("external-secrets.io/v1", "", "vault")
        return [{"status": {"conditions": [status]}}] if status else []

    assert explain(EXTERNAL, look) == (said,)


@pytest.mark.parametrize("text", ["Ready", "[]", "jsonpath=.status", "jsonpath={.a}=", "jsonpath={..a}"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match="waitFor"):
        waitfor.parse(text)
