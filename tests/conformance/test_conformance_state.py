"""State, normal forms and differences: what is stored, and that doing nothing changes nothing."""

from __future__ import annotations

import base64

import pytest
from conformance_harness import PluginError, urn_of

from standin.replaces import FORCE_NEW
from standin.wire import Secret, reveal

LABELS = {"app": "a"}
QUANTITIES = {"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"cpu": "1000m", "memory": "1.5Gi"}}
CONTAINER = {
    "name": "c",
    "image": "x:1",
    "stdin": False,
    "env": [
        {"name": "E", "value": ""},
        {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "resources": QUANTITIES,
    "ports": [{"containerPort": 80}],
    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": False}],
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
POD = {
    "containers": [CONTAINER],
    "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}],
    "nodeSelector": {},
    "tolerations": [],
    "hostNetwork": False,
    "automountServiceAccountToken": False,
}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
WORKLOAD = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
SKIP = {"pulumi.com/skipAwait": "true"}


def manifest(api_version, kind, **fields):
    return {"apiVersion": api_version, "kind": kind, **fields}


RBAC = "rbac.authorization.k8s.io"
ROLE_REF = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
SUBJECTS = [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]
KINDS = {
    "ConfigMap": manifest("v1", "ConfigMap", data={"requests": "1000m", "empty": ""}),
    "Secret": manifest("v1", "Secret", data={"a": "eA=="}, stringData={"b": "y"}),
    "ServiceAccount": manifest("v1", "ServiceAccount", automountServiceAccountToken=False),
    "ResourceQuota": manifest(
        "v1", "ResourceQuota", spec={"hard": {"requests.cpu": "1000m", "pods": "1000"}}
    ),
    "LimitRange": manifest(
        "v1",
        "LimitRange",
        spec={"limits": [{"type": "Container", "default": {"memory": "1024Mi"}, "max": {"cpu": "2000m"}}]},
    ),
    "Service": manifest(
        "v1", "Service", spec={"selector": LABELS, "ports": [{"port": 80}], "clusterIP": "None"}
    ),
    "PersistentVolumeClaim": manifest(
        "v1",
        "PersistentVolumeClaim",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
    ),
    "Pod": manifest("v1", "Pod", spec=POD),
    "Deployment": manifest("apps/v1", "Deployment", spec={"replicas": 1, "paused": False, **WORKLOAD}),
    "StatefulSet": manifest("apps/v1", "StatefulSet", spec={"serviceName": "s", "replicas": 1, **WORKLOAD}),
    "DaemonSet": manifest("apps/v1", "DaemonSet", spec=WORKLOAD),
    "Job": manifest(
        "batch/v1", "Job", spec={"template": {"spec": {**POD, "restartPolicy": "Never"}}, "backoffLimit": 0}
    ),
    "CronJob": manifest(
        "batch/v1",
        "CronJob",
        spec={
            "schedule": "0 0 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        },
    ),
    "NetworkPolicy": manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": [{}]},
    ),
    "Ingress": manifest(
        "networking.k8s.io/v1",
        "Ingress",
        spec={"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
    ),
    "PodDisruptionBudget": manifest(
        "policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {"matchLabels": LABELS}}
    ),
    "HorizontalPodAutoscaler": manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "0.5"}},
                }
            ],
        },
    ),
    "Role": manifest(
        f"{RBAC}/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    ),
    "RoleBinding": manifest(f"{RBAC}/v1", "RoleBinding", roleRef=ROLE_REF, subjects=SUBJECTS),
    "ClusterRole": manifest(f"{RBAC}/v1", "ClusterRole", rules=[]),
    "PriorityClass": manifest("scheduling.k8s.io/v1", "PriorityClass", value=0, globalDefault=False),
    "StorageClass": manifest("storage.k8s.io/v1", "StorageClass", provisioner="example.org/none"),
}


def placed(kind, namespace, **metadata):
    given = KINDS[kind]
    scope = {} if kind in ("ClusterRole", "PriorityClass", "StorageClass") else {"namespace": namespace}
    name = {"name": f"{namespace}-a"} if not scope else {"name": "a"}
    return {**given, "metadata": {**scope, **name, "annotations": SKIP, "labels": LABELS, **metadata}}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_stored_as_it_is_and_the_same_again_is_no_change(plugin, cluster, namespace, kind):
    given = placed(kind, namespace)
    urn, identifier, state = plugin.apply(given)
    metadata = given["metadata"]
    assert identifier == "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
    assert state["__initialApiVersion"] == given["apiVersion"]
    assert state["__fieldManager"].startswith("pulumi-kubernetes-")
    inputs = plugin.check(urn, given, reveal(state["__inputs"]))
    again = plugin.diff(urn, identifier, state, inputs)
    assert dict(again.detailedDiff) == {}
    assert again.changes == again.DIFF_NONE
    read_id, read_state, read_inputs = plugin.read(urn, identifier, state)
    assert read_id == identifier
    assert plugin.diff(urn, identifier, read_state, inputs).changes == again.DIFF_NONE
    assert reveal(read_inputs) == reveal(state["__inputs"])
    live = cluster.get(given)
    plain = {key: value for key, value in reveal(read_state).items() if not key.startswith("__")}
    assert plain["metadata"]["uid"] == live["metadata"]["uid"]
    for part in live.keys() - {"metadata", "status"}:
        assert plain[part] == live[part], part


def test_a_preview_runs_on_the_server_and_leaves_nothing(plugin, cluster, namespace):
    given = placed("Deployment", namespace)
    urn = urn_of(given)
    identifier, state = plugin.create(urn, plugin.check(urn, given), preview=True)
    assert identifier == ""
    assert state["spec"]["progressDeadlineSeconds"] == 600
    assert "status" not in state
    assert cluster.get(given) is None


def test_previews_that_the_server_cannot_tell_show_the_inputs(plugin, namespace):
    there = placed("ConfigMap", namespace)
    plugin.apply(there)
    lost = {**there, "metadata": {"name": "a", "namespace": "not-there"}}
    unknown = {
        "apiVersion": "example.org/v1",
        "kind": "Unheard",
        "metadata": {"name": "a", "namespace": namespace},
    }
    for given in (there, lost, unknown):
        urn = urn_of(given)
        inputs = plugin.check(urn, given)
        identifier, state = plugin.create(urn, inputs, preview=True)
        assert (identifier, reveal(state)) == ("", reveal(inputs))


def test_secret_data_is_always_secret(plugin, namespace):
    given = placed("Secret", namespace)
    urn = urn_of(given)
    inputs = plugin.check(urn, given)
    assert isinstance(inputs["data"], Secret)
    _, state = plugin.create(urn, inputs)
    for data in (state["data"], state["__inputs"]["data"]):
        assert data == Secret({"a": "eA==", "b": base64.b64encode(b"y").decode()})
    assert "stringData" not in state["__inputs"]


def test_a_secret_variable_makes_the_containers_secret(plugin, namespace):
    container = {**CONTAINER, "env": [{"name": "S", "value": Secret("hidden")}]}
    given = placed("Deployment", namespace)
    given = {
        **given,
        "spec": {**given["spec"], "template": {**TEMPLATE, "spec": {**POD, "containers": [container]}}},
    }
    _, _, state = plugin.apply(given)
    for half in (state, state["__inputs"]):
        assert isinstance(half["spec"]["template"]["spec"]["containers"], Secret)
        assert half["spec"]["replicas"] == 1


class TestNames:
    GIVEN = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}}

    def unnamed(self, namespace, data="1"):
        return {**self.GIVEN, "data": {"a": data}, "metadata": {"namespace": namespace}}

    def test_a_made_name_is_marked_and_kept(self, plugin, namespace):
        urn, identifier, state = plugin.apply(self.unnamed(namespace), "logical")
        metadata = state["__inputs"]["metadata"]
        assert metadata["name"].startswith("logical-")
        assert metadata["annotations"] == {"pulumi.com/autonamed": "true"}
        again = plugin.check(urn, self.unnamed(namespace), state["__inputs"], seed=b"other")
        assert again["metadata"] == metadata
        assert plugin.diff(urn, identifier, state, again).changes == 1  # DIFF_NONE

    def test_it_is_replaced_by_another_before_it_goes(self, plugin, namespace):
        urn, identifier, state = plugin.apply(self.unnamed(namespace), "logical")
        changed = plugin.check(urn, self.unnamed(namespace, "2"), state["__inputs"])
        found = plugin.diff(urn, identifier, state, changed)
        assert list(found.replaces) == ["data.a"]
        assert not found.deleteBeforeReplace

    def test_a_given_name_goes_before_it_comes_again(self, plugin, namespace):
        given = {**self.unnamed(namespace), "metadata": {"namespace": namespace, "name": "a"}}
        urn, identifier, state = plugin.apply(given)
        changed = plugin.check(urn, {**given, "data": {"a": "2"}}, state["__inputs"])
        found = plugin.diff(urn, identifier, state, changed)
        assert list(found.replaces) == ["data.a"]
        assert found.deleteBeforeReplace
        moved = plugin.check(urn, {**given, "metadata": {"namespace": "elsewhere", "name": "a"}})
        found = plugin.diff(urn, identifier, state, moved)
        assert list(found.replaces) == ["metadata.namespace"]
        assert not found.deleteBeforeReplace

    def test_a_generated_name_is_refused(self, plugin, namespace):
        with pytest.raises(PluginError, match="generateName"):
            plugin.check(urn_of(self.GIVEN), {**self.GIVEN, "metadata": {"generateName": "a-"}})


def nested(field, value):
    """An object that holds `value` where a row of the table points."""
    for part in reversed(field.split(".")):
        name = part.removesuffix("[*]")
        value = {name: [value]} if part.endswith("[*]") else {name: value}
    return value


def values(field):
    """Two values for a field, of a type that the plugin's own types take."""
    last = field.rpartition(".")[2]
    numbers = (
        "completions",
        "parallelism",
        "revisionHistoryLimit",
        "priority",
        "terminationGracePeriodSeconds",
    )
    switches = ("hostIPC", "hostNetwork", "hostPID", "shareProcessNamespace", "stdin", "stdinOnce", "tty")
    texts = [
        "podManagementPolicy",
        "serviceName",
        "storageClassName",
        "volumeName",
        "clusterIP",
        "provisioner",
        "dnsPolicy",
        "hostname",
        "nodeName",
        "preemptionPolicy",
        "priorityClassName",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "serviceAccount",
        "serviceAccountName",
        "subdomain",
        "image",
        "imagePullPolicy",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "workingDir",
    ]
    if last in numbers:
        return 1, 2
    if last in texts:
        return "a", "b"
    if last in (*switches, "enableServiceLinks", "automountServiceAccountToken"):
        return True, None
    return None


ROWS = [
    (f"{group}/{version}" if group else version, kind, field)
    for (group, version, kind), fields in FORCE_NEW.items()
    if version == "v1"
    for field in fields
    if values(field)
]


@pytest.mark.parametrize(("api_version", "kind", "field"), ROWS, ids=["/".join(row[1:]) for row in ROWS])
def test_fields_that_force_a_replacement(plugin, api_version, kind, field):
    before, after = values(field)
    scope = (
        {} if kind in ("ClusterRoleBinding", "PersistentVolume", "StorageClass") else {"namespace": "default"}
    )
    base = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **scope}}
    old, new = ({**base, **nested(field, value)} for value in (before, after))
    state = {**old, "__inputs": old, "__initialApiVersion": api_version, "__fieldManager": "x"}
    urn = urn_of(base)
    found = plugin.diff(urn, "default/a" if scope else "a", state, new)
    assert found.replaces
    assert found.deleteBeforeReplace


@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [("ConfigMap", "enableConfigMapMutable", "x"), ("Secret", "enableSecretMutable", "eA==")],
)
def test_switches_for_changing_data_in_place(start, kubeconfig, kind, option, value, switched):
    plugin = start().configure(kubeconfig=str(kubeconfig), **({option: "true"} if switched else {}))
    old = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "default"},
        "data": {"k": value},
    }
    state = {**old, "__inputs": old, "__initialApiVersion": "v1", "__fieldManager": "x"}
    found = plugin.diff(urn_of(old), "default/a", state, {**old, "data": {"k": "eQ=="}})
    assert bool(found.replaces) is not switched


def test_ignored_changes_are_no_changes(plugin, namespace):
    given = placed("Deployment", namespace)
    urn, identifier, state = plugin.apply(given)
    changed = plugin.check(urn, {**given, "spec": {**given["spec"], "replicas": 3}}, state["__inputs"])
    assert set(plugin.diff(urn, identifier, state, changed).detailedDiff) == {"spec.replicas"}
    assert plugin.diff(urn, identifier, state, changed, ("spec.replicas",)).changes == 1
    assert plugin.diff(urn, identifier, state, changed, ("spec",)).changes == 1
