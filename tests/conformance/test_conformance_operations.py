"""Creating, changing, awaiting and deleting on a real API server, and what is said when it goes wrong."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
import uuid

import pytest
import yaml
from conformance_harness import InitFailedError, PluginError, urn_of

from standin.wire import reveal

LABELS = {"app": "a"}
POD = {"containers": [{"name": "c", "image": "x:1"}]}
STUCK = {**POD, "nodeSelector": {"no-node": "has-this"}}


def config_map(namespace, data="1", **metadata):
    metadata = {"name": "a", "namespace": namespace, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": data}}


def deployment(namespace, pod=POD, replicas=1, **annotations):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace, "annotations": annotations},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }


def with_timeout(seconds):
    return {"pulumi.com/timeoutSeconds": str(seconds)}


def named(api_version, kind, namespace, **fields):
    metadata = {"name": "a", "namespace": namespace, **fields.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


class TestOwnership:
    @pytest.fixture
    def mutable(self, start, kubeconfig):
        return start().configure(kubeconfig=str(kubeconfig), enableConfigMapMutable="true")

    def changed(self, plugin, manifest, state):
        return plugin.check(urn_of(manifest), manifest, reveal(state["__inputs"]))

    def test_an_update_leaves_one_owner(self, mutable, cluster, namespace):
        urn, identifier, state = mutable.apply(config_map(namespace))
        made = cluster.get(config_map(namespace))["metadata"]["managedFields"]
        assert [(entry["manager"], entry["operation"]) for entry in made] == [("pulumi-kubernetes", "Update")]
        new = self.changed(mutable, config_map(namespace, "2"), state)
        state2 = mutable.update(urn, identifier, state, new)
        live = cluster.get(config_map(namespace))
        owners = [(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]]
        assert owners == [(state["__fieldManager"], "Apply")]
        assert live["data"] == {"a": "2"}
        assert state2["__fieldManager"] == state["__fieldManager"]

    def test_a_preview_of_an_update_changes_nothing(self, mutable, cluster, namespace):
        urn, identifier, state = mutable.apply(config_map(namespace))
        before = cluster.get(config_map(namespace))
        new = self.changed(mutable, config_map(namespace, "2"), state)
        assert mutable.update(urn, identifier, state, new, preview=True)["data"] == {"a": "2"}
        assert cluster.get(config_map(namespace)) == before

    def test_a_preview_tells_the_truth_about_conflicts(self, mutable, candidate, cluster, namespace):
        if candidate.is_official:
            pytest.skip("the official plugin's preview fails where its update would not")
        urn, identifier, state = mutable.apply(config_map(namespace))
        new = self.changed(mutable, config_map(namespace, "2"), state)
        state = mutable.update(urn, identifier, state, new)
        newer = self.changed(mutable, config_map(namespace, "3"), state)
        cluster.patch(config_map(namespace), {"data": {"a": "edited"}}, "kubectl-edit")
        assert mutable.update(urn, identifier, state, newer, preview=True)["data"] == {"a": "3"}
        cluster.patch(config_map(namespace), {"data": {"a": "theirs"}}, "a-controller")
        with pytest.raises(InitFailedError, match="a-controller"):
            mutable.update(urn, identifier, state, newer, preview=True)

    def test_a_field_that_goes_is_taken_away(self, mutable, cluster, namespace):
        given = {**config_map(namespace), "data": {"a": "1", "b": "2"}}
        urn, identifier, state = mutable.apply(given)
        new = self.changed(mutable, config_map(namespace), state)
        mutable.update(urn, identifier, state, new)
        assert cluster.get(given)["data"] == {"a": "1"}

    def test_what_kubectl_changed_is_taken_back(self, mutable, cluster, namespace):
        urn, identifier, state = mutable.apply(config_map(namespace))
        cluster.patch(config_map(namespace), {"data": {"a": "edited"}}, "kubectl-edit")
        _, seen, inputs = mutable.read(urn, identifier, state)
        assert inputs["data"] == {"a": "edited"}
        new = self.changed(mutable, config_map(namespace), state)
        assert set(mutable.diff(urn, identifier, seen, new).detailedDiff) == {"data.a"}
        mutable.update(urn, identifier, seen, new)
        assert cluster.get(config_map(namespace))["data"] == {"a": "1"}

    def test_a_conflict_keeps_the_state_and_can_be_forced(self, mutable, cluster, namespace):
        given = deployment(namespace, **{"pulumi.com/skipAwait": "true"})
        urn, identifier, state = mutable.apply(given)
        new = self.changed(mutable, {**given, "spec": {**given["spec"], "minReadySeconds": 1}}, state)
        state = mutable.update(urn, identifier, state, new)
        cluster.patch(given, {"spec": {"replicas": 3}}, "an-autoscaler")
        wanted = {**given, "spec": {**given["spec"], "replicas": 2}}
        with pytest.raises(InitFailedError, match="conflict") as caught:
            mutable.update(urn, identifier, state, self.changed(mutable, wanted, state))
        assert caught.value.id == identifier
        assert "an-autoscaler" in str(caught.value)
        assert caught.value.state["__inputs"]["spec"]["replicas"] == 2
        assert caught.value.state["spec"]["replicas"] == 3
        annotations = {**given["metadata"]["annotations"], "pulumi.com/patchForce": "true"}
        forced = {**wanted, "metadata": {**wanted["metadata"], "annotations": annotations}}
        mutable.update(urn, identifier, caught.value.state, self.changed(mutable, forced, state))
        assert cluster.get(given)["spec"]["replicas"] == 2

    def test_an_update_gets_through_while_a_controller_writes(self, mutable, cluster, namespace):
        urn, identifier, state = mutable.apply(config_map(namespace))
        new = self.changed(mutable, config_map(namespace, "2"), state)
        done = threading.Event()

        def write():
            count = 0
            while not done.is_set():
                count += 1
                cluster.patch(
                    config_map(namespace), {"metadata": {"annotations": {"seen": str(count)}}}, "a-controller"
                )
                time.sleep(0.01)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            mutable.update(urn, identifier, state, new)
        finally:
            done.set()
            writer.join()
        assert cluster.get(config_map(namespace))["data"] == {"a": "2"}

    def test_an_ignored_field_of_somebody_else_stays_theirs(self, mutable, cluster, namespace):
        given = deployment(namespace, **{"pulumi.com/skipAwait": "true"})
        urn, identifier, state = mutable.apply(given)
        cluster.patch(given, {"spec": {"replicas": 3}}, "an-autoscaler")
        new = self.changed(mutable, {**given, "spec": {**given["spec"], "minReadySeconds": 1}}, state)
        mutable.update(urn, identifier, state, new, ignored=("spec.replicas",))
        live = cluster.get(given)
        assert (live["spec"]["replicas"], live["spec"]["minReadySeconds"]) == (3, 1)

    def test_what_exists_already_is_refused_or_taken_over(
        self, mutable, start, kubeconfig, cluster, namespace
    ):
        cluster.create(config_map(namespace, "theirs"))
        with pytest.raises(PluginError, match="already exists"):
            mutable.apply(config_map(namespace))
        upserting = start().configure(kubeconfig=str(kubeconfig), upsertExistingObjects="true")
        forced = config_map(namespace, annotations={"pulumi.com/patchForce": "true"})
        upserting.apply(forced)
        assert cluster.get(forced)["data"] == {"a": "1"}


class TestDefinitions:
    def crd(self, group, **field):
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": field}}}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{group}"},
            "spec": {
                "group": group,
                "scope": "Cluster",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }

    def test_a_definition_and_its_object_in_one_run(self, plugin, cluster):
        group = f"{uuid.uuid4().hex[:6]}.example.org"
        items = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
        crd = self.crd(group, names=items, size={"type": "integer"})
        thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"size": 1}}
        crd_inputs = plugin.check(urn_of(crd), crd)
        thing_inputs = plugin.check(urn_of(thing), thing)
        assert plugin.create(urn_of(thing), thing_inputs, preview=True) == ("", thing_inputs)
        made: list = []
        waiting = threading.Thread(target=lambda: made.append(plugin.create(urn_of(thing), thing_inputs)))
        waiting.start()
        time.sleep(0.3)
        crd_id, crd_state = plugin.create(urn_of(crd), crd_inputs)
        waiting.join()
        assert made[0][0] == "a"
        names = crd_state["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
            "properties"
        ]
        assert names["names"]["x_kubernetes_list_type"] == "set"
        # A definition is changed as a whole, in place: its objects live on.
        changed = self.crd(group, names=items, size={"type": "integer"}, more={"type": "string"})
        new = plugin.check(urn_of(crd), changed, reveal(crd_state["__inputs"]))
        found = plugin.diff(urn_of(crd), crd_id, crd_state, new)
        assert not found.replaces
        crd_state = plugin.update(urn_of(crd), crd_id, crd_state, new)
        assert cluster.get(thing)["spec"] == {"size": 1}
        assert plugin.diff(urn_of(crd), crd_id, crd_state, new).changes == found.DIFF_NONE
        plugin.delete(urn_of(crd), crd_id, crd_state)
        assert plugin.read(urn_of(thing), "a", made[0][1])[0] == ""
        plugin.delete(urn_of(thing), "a", made[0][1])

    def test_a_missing_definition_is_named(self, plugin, candidate, namespace):
        if candidate.is_official:
            pytest.skip("the official plugin asks for 71 seconds")
        lost = {
            "apiVersion": "example.org/v1",
            "kind": "Unheard",
            "metadata": {"name": "a", "namespace": namespace},
        }
        with pytest.raises(PluginError, match=r'no matches for kind "Unheard".*CRD'):
            plugin.apply(lost)


class TestAwait:
    def test_a_deployment_and_its_service(self, plugin, namespace):
        _, _, state = plugin.apply(deployment(namespace, replicas=2))
        assert state["status"]["readyReplicas"] == 2
        spec = {"selector": LABELS, "ports": [{"port": 80}]}
        _, _, state = plugin.apply(named("v1", "Service", namespace, spec=spec))
        assert state["spec"]["clusterIP"]

    def test_progress_is_shown_beside_the_resource(self, plugin, namespace):
        urn, _, _ = plugin.apply(deployment(namespace), f"progress-{namespace}")
        shown = [said.message for said in plugin.engine.messages if said.urn == urn and said.ephemeral]
        assert len(shown) > 1
        assert shown[-1] == ""

    def test_a_deployment_that_never_gets_ready_keeps_its_state_and_is_repaired(self, plugin, namespace):
        given = deployment(namespace, STUCK, **with_timeout(2))
        started = time.monotonic()
        with pytest.raises(InitFailedError) as caught:
            plugin.apply(given)
        assert 1.5 < time.monotonic() - started < 15
        failed = caught.value
        assert failed.id == f"{namespace}/d"
        assert failed.state["__inputs"]["spec"]["replicas"] == 1
        assert failed.state["metadata"]["uid"]
        assert any("node" in reason for reason in failed.reasons), failed.reasons
        urn = urn_of(given)
        with pytest.raises(InitFailedError):
            plugin.read(urn, failed.id, failed.state)
        good = plugin.check(urn, deployment(namespace), reveal(failed.state["__inputs"]))
        state = plugin.update(urn, failed.id, failed.state, good)
        assert state["status"]["readyReplicas"] == 1

    @pytest.mark.parametrize(
        ("api_version", "kind", "spec"),
        [
            (
                "apps/v1",
                "StatefulSet",
                {
                    "replicas": 2,
                    "serviceName": "s",
                    "selector": {"matchLabels": LABELS},
                    "template": {"metadata": {"labels": LABELS}, "spec": POD},
                },
            ),
            (
                "apps/v1",
                "DaemonSet",
                {
                    "selector": {"matchLabels": LABELS},
                    "template": {"metadata": {"labels": LABELS}, "spec": POD},
                },
            ),
            ("v1", "Pod", POD),
            ("batch/v1", "Job", {"template": {"spec": {**POD, "restartPolicy": "Never"}}}),
            ("v1", "ResourceQuota", {"hard": {"pods": "5"}}),
        ],
    )
    def test_kinds_that_get_ready(self, plugin, namespace, api_version, kind, spec):
        _, _, state = plugin.apply(named(api_version, kind, namespace, spec=spec))
        assert state["status"]

    def test_a_token_is_awaited(self, plugin, cluster, namespace):
        cluster.create(named("v1", "ServiceAccount", namespace))
        metadata = {"annotations": {"kubernetes.io/service-account.name": "a"}}
        secret = named(
            "v1", "Secret", namespace, type="kubernetes.io/service-account-token", metadata=metadata
        )
        _, _, state = plugin.apply(secret)
        assert "token" in reveal(state["data"])

    def test_a_failed_job_is_not_awaited_on(self, plugin, cluster, namespace):
        given = named(
            "batch/v1",
            "Job",
            namespace,
            spec={
                "activeDeadlineSeconds": 1,
                "template": {"spec": {**STUCK, "restartPolicy": "Never"}},
            },
        )
        with pytest.raises(InitFailedError, match="DeadlineExceeded") as caught:
            plugin.apply(given)
        assert caught.value.id == f"{namespace}/a"

    @pytest.mark.parametrize("anew", [True, False])
    def test_a_failed_job_is_made_anew_where_it_says_so(self, plugin, namespace, anew):
        """The next run replaces it, though nothing of it has changed."""
        given = named(
            "batch/v1",
            "Job",
            namespace,
            metadata={"annotations": {"pulumi.com/replaceUnready": str(anew).lower()}},
            spec={
                "activeDeadlineSeconds": 1,
                "template": {"spec": {**STUCK, "restartPolicy": "Never"}},
            },
        )
        with pytest.raises(InitFailedError) as caught:
            plugin.apply(given)
        failed = caught.value
        urn = urn_of(given)
        good = plugin.check(urn, given, reveal(failed.state["__inputs"]))
        found = plugin.diff(urn, failed.id, failed.state, good)
        assert bool(found.replaces) == anew
        assert found.deleteBeforeReplace == anew

    @pytest.mark.parametrize(
        ("kind", "spec"),
        [
            ("Service", {"selector": {"no": "pod"}, "ports": [{"port": 80}]}),
            ("Service", {"type": "LoadBalancer", "ports": [{"port": 80}]}),
            ("Pod", STUCK),
        ],
    )
    def test_kinds_that_do_not_get_ready_in_time(self, plugin, namespace, kind, spec):
        given = named("v1", kind, namespace, spec=spec, metadata={"annotations": with_timeout(1)})
        with pytest.raises(InitFailedError):
            plugin.apply(given)

    def test_a_claim_that_is_not_bound_honours_its_time_limit(self, plugin, candidate, namespace):
        if candidate.is_official:
            pytest.skip("the official plugin waits 5 minutes whatever the annotation says")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Gi"}},
        }
        given = named(
            "v1", "PersistentVolumeClaim", namespace, spec=spec, metadata={"annotations": with_timeout(1)}
        )
        with pytest.raises(InitFailedError, match="there is no storage class 'none'"):
            plugin.apply(given)

    def test_skip_await_custom_timeouts_and_their_order(self, plugin, namespace):
        skipped = deployment(namespace, STUCK, **{"pulumi.com/skipAwait": "true"})
        urn, identifier, state = plugin.apply(skipped)
        plugin.delete(urn, identifier, state)
        given = deployment(namespace, STUCK, **with_timeout(300))
        given["metadata"]["name"] = "other"
        started = time.monotonic()
        with pytest.raises(InitFailedError):
            plugin.create(urn_of(given), plugin.check(urn_of(given), given), timeout=1)
        assert time.monotonic() - started < 15

    def test_conditions_of_the_users_own(self, plugin, cluster, namespace):
        for number, (wanted, met) in enumerate(
            [
                ("jsonpath={.data.a}=1", True),
                ('["jsonpath={.data.a}", "jsonpath={.metadata.name}"]', True),
                ("jsonpath={.data.a}=2", False),
                ("condition=Ready", False),
                ("nonsense", False),
            ]
        ):
            annotations = {"pulumi.com/waitFor": wanted, **with_timeout(1)}
            given = config_map(namespace, annotations=annotations, name=f"n{number}")
            if met:
                plugin.apply(given)
                continue
            with pytest.raises(PluginError):
                plugin.apply(given)
            assert cluster.get(given)

    def test_cancelling_ends_a_wait_and_keeps_the_object(self, start, kubeconfig, candidate, namespace):
        plugin = start().configure(kubeconfig=str(kubeconfig))
        found: list = []

        def wait():
            try:
                plugin.apply(deployment(namespace, STUCK))
            except PluginError as error:
                found.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(1.5)
        started = time.monotonic()
        from google.protobuf import empty_pb2

        plugin.stub.Cancel(empty_pb2.Empty())
        waiting.join(timeout=20)
        assert time.monotonic() - started < 5
        assert isinstance(found[0], InitFailedError)
        assert found[0].state["metadata"]["uid"]


class TestDelete:
    def test_it_waits_for_finalizers(self, plugin, cluster, namespace):
        given = config_map(namespace, finalizers=["example.org/slow"])
        urn, identifier, state = plugin.apply(given)
        with pytest.raises(PluginError):
            plugin.delete(urn, identifier, state, timeout=1)
        assert cluster.get(given)["metadata"]["deletionTimestamp"]
        free = threading.Timer(1, lambda: cluster.patch(given, {"metadata": {"finalizers": None}}))
        free.start()
        plugin.delete(urn, identifier, state, timeout=20)
        assert cluster.get(given) is None

    def test_what_is_gone_is_gone(self, plugin, cluster, namespace):
        urn, identifier, state = plugin.apply(config_map(namespace))
        cluster.delete(config_map(namespace))
        assert plugin.read(urn, identifier, state)[0] == ""
        plugin.delete(urn, identifier, state)

    @pytest.mark.parametrize(("policy", "orphaned"), [("", False), ("background", False), ("orphan", True)])
    def test_propagation(self, plugin, cluster, namespace, policy, orphaned):
        annotations = {"pulumi.com/deletionPropagationPolicy": policy} if policy else {}
        given = deployment(namespace, **annotations)
        urn, identifier, state = plugin.apply(given)
        path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        assert cluster._client.get(path)["items"]
        plugin.delete(urn, identifier, state)
        assert cluster.get(given) is None
        deadline = time.monotonic() + 20
        while cluster._client.get(path)["items"] and not orphaned and time.monotonic() < deadline:
            time.sleep(0.2)
        assert bool(cluster._client.get(path)["items"]) is orphaned


class TestRead:
    def test_import_and_get(self, plugin, cluster, namespace):
        live = cluster.create(config_map(namespace, annotations={"mine": "1"}))
        urn = urn_of(live)
        identifier, state, inputs = plugin.read(urn, f"{namespace}/a")
        assert identifier == f"{namespace}/a"
        assert inputs == config_map(namespace, annotations={"mine": "1"})
        assert state["metadata"]["uid"] == live["metadata"]["uid"]
        checked = plugin.check(urn, config_map(namespace, annotations={"mine": "1"}), inputs)
        assert plugin.diff(urn, identifier, state, checked).changes == 1

    def test_import_of_nothing(self, plugin, namespace):
        assert plugin.read(urn_of(config_map(namespace)), f"{namespace}/none")[0] == ""


NOWHERE = yaml.safe_dump(
    {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
    }
)


class TestUnreachable:
    @pytest.mark.parametrize(
        "kubeconfig_text", [NOWHERE, "current-context: missing\n"], ids=["down", "broken"]
    )
    def test_previews_work_and_everything_else_says_why(self, start, kubeconfig_text):
        plugin = start().configure(kubeconfig=kubeconfig_text)
        given = config_map("default")
        urn = urn_of(given)
        inputs = plugin.check(urn, given)
        assert plugin.create(urn, inputs, preview=True) == ("", inputs)
        state = {**inputs, "__inputs": inputs, "__initialApiVersion": "v1", "__fieldManager": "x"}
        with pytest.raises(PluginError, match="unreachable"):
            plugin.create(urn, inputs)
        with pytest.raises(PluginError, match="unreachable"):
            plugin.update(urn, "default/a", state, inputs)
        for operation in (plugin.read, plugin.delete):
            with pytest.raises(PluginError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
                operation(urn, "default/a", state)

    def test_the_two_switches(self, start):
        given = config_map("default")
        state = {**given, "__inputs": given, "__initialApiVersion": "v1", "__fieldManager": "x"}
        dropping = start().configure(kubeconfig=NOWHERE, deleteUnreachable="true")
        assert dropping.read(urn_of(given), "default/a", state)[0] == ""
        dropping.delete(urn_of(given), "default/a", state)
        keeping = start().configure(kubeconfig=NOWHERE, skipUpdateUnreachable="true")
        assert keeping.read(urn_of(given), "default/a", state) == ("default/a", state, given)


class TestConfig:
    def diff(self, plugin, olds, news):
        from standin.wire import encode

        request = plugin.messages.DiffRequest(urn="urn:pulumi:s::p::pulumi:providers:kubernetes::k")
        request.olds.CopyFrom(encode(olds))
        request.news.CopyFrom(encode(news))
        return set(plugin._call("DiffConfig", request).replaces)

    def test_another_cluster_replaces_unless_it_is_said_to_be_the_same(self, start):
        plugin = start()
        moved = NOWHERE.replace(":9", ":10")
        assert self.diff(plugin, {"kubeconfig": NOWHERE}, {"kubeconfig": moved}) == {"kubeconfig"}
        same = {"clusterIdentifier": "one"}
        assert self.diff(plugin, {"kubeconfig": NOWHERE, **same}, {"kubeconfig": moved, **same}) == set()
        other = {"kubeconfig": NOWHERE, "clusterIdentifier": "two"}
        assert self.diff(plugin, {"kubeconfig": NOWHERE, **same}, other) == {"clusterIdentifier"}
        assert self.diff(plugin, {"kubeconfig": NOWHERE}, {"kubeconfig": NOWHERE, "namespace": "x"}) == set()

    def test_the_default_namespace(self, start, kubeconfig, namespace):
        plugin = start().configure(kubeconfig=str(kubeconfig), namespace=namespace)
        given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        assert plugin.check(urn_of(given), given)["metadata"]["namespace"] == namespace
        cluster_role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "a"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        }
        assert "namespace" not in plugin.check(urn_of(cluster_role), cluster_role)["metadata"]

    def test_a_credential_plugin(self, start, kubeconfig):
        config = yaml.safe_load(kubeconfig.read_text())
        user = config["users"][0]["user"]
        status = {}
        for target, key in (("clientCertificateData", "client-certificate"), ("clientKeyData", "client-key")):
            if f"{key}-data" in user:
                import base64

                status[target] = base64.b64decode(user[f"{key}-data"]).decode()
            else:
                with open(user[key]) as file:  # noqa: PTH123
                    status[target] = file.read()
        version = "client.authentication.k8s.io/v1"
        printed = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
        config["users"][0]["user"] = {
            "exec": {
                "apiVersion": version,
                "command": sys.executable,
                "args": ["-c", f"print({printed!r})"],
                "interactiveMode": "Never",
            }
        }
        plugin = start().configure(kubeconfig=yaml.safe_dump(config))
        found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        assert plugin.read(urn_of(found), "default")[0] == "default"


class TestRefusals:
    def test_a_misspelt_field(self, plugin, start, kubeconfig, candidate, cluster, namespace):
        given = deployment(namespace, **{"pulumi.com/skipAwait": "true"})
        given = {**given, "spec": {**given["spec"], "replicaz": 3}}
        if candidate.is_official:
            _, _, state = plugin.apply(given)
            assert "replicaz" not in state["__inputs"]["spec"]
            return
        for preview in (True, False):
            with pytest.raises(PluginError, match=r'unknown field "spec\.replicaz"'):
                plugin.apply(given, preview=preview)
        assert cluster.get(given) is None
        lenient = start(ZIGGURAT_STANDIN_FIELD_VALIDATION="lenient").configure(kubeconfig=str(kubeconfig))
        _, _, state = lenient.apply(given)
        assert "replicaz" not in state["__inputs"]["spec"]
        assert any("spec.replicaz" in text for text in lenient.engine.said())

    @pytest.mark.parametrize(
        "token",
        [
            "kubernetes:helm.sh/v4:Chart",
            "kubernetes:yaml/v2:ConfigFile",
            "kubernetes:kustomize/v2:Directory",
            "kubernetes:apps/v1:DeploymentPatch",
        ],
    )
    def test_what_is_left_to_the_official_plugin(self, plugin, candidate, token):
        if candidate.is_official:
            pytest.skip("the official plugin serves these")
        given = {"metadata": {"name": "a"}}
        with pytest.raises(
            PluginError, match=rf"{token}.*not supported by the bundled stand-in.*official plugin"
        ):
            plugin.check(f"urn:pulumi:s::p::{token}::a", given)

    def test_invalid_objects_are_refused_in_the_servers_own_words(self, plugin, namespace):
        with pytest.raises(PluginError, match="RFC 1123"):
            plugin.apply(config_map(namespace, name="Not_Valid"))
        bad = deployment(namespace)
        bad["spec"]["selector"] = {"matchLabels": {"other": "label"}}
        with pytest.raises(PluginError, match="selector"):
            plugin.apply(bad)

    def test_a_secret_value_shows_in_no_message(self, plugin, namespace):
        canary = uuid.uuid4().hex
        secret = named("v1", "Secret", namespace, stringData={"bad key!": canary})
        with pytest.raises(PluginError) as caught:
            plugin.apply(secret)
        assert canary not in str(caught.value)
        assert not any(canary in text for text in plugin.engine.said())


class TestProcess:
    def test_it_names_itself_once_and_reports_the_version_asked_for(self, start, kubeconfig, candidate):
        from google.protobuf import empty_pb2

        plugin = start().configure(kubeconfig=str(kubeconfig))
        version = plugin.stub.GetPluginInfo(empty_pb2.Empty()).version
        assert f"v{version.removeprefix('v')}" in str(candidate.executable)
        if not candidate.is_official:
            assert plugin.engine.said().count("using the bundled stand-in provider") == 1

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_goes_at_once_even_from_a_wait(self, start, kubeconfig, namespace, number):
        plugin = start().configure(kubeconfig=str(kubeconfig))
        waiting = threading.Thread(target=lambda: _quietly(plugin, deployment(namespace, STUCK)))
        waiting.start()
        time.sleep(1)
        plugin.process.send_signal(number)
        started = time.monotonic()
        code = plugin.process.wait(timeout=6)
        assert time.monotonic() - started < 1
        assert code == 0
        waiting.join()

    def test_it_starts_fast_and_small(self, start, candidate):
        start().stop()  # once, for what lies cold
        started = time.monotonic()
        plugin = start()
        elapsed = time.monotonic() - started
        with open(f"/proc/{plugin.process.pid}/status") as file:  # noqa: PTH123
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        assert elapsed < 2, "0.4 s on a machine that does nothing else"
        assert candidate.is_official or resident < 70_000


def _quietly(plugin, manifest):
    try:
        plugin.apply(manifest)
    except PluginError:
        return


class TestRender:
    def test_manifests_go_to_files_of_the_owners(self, start, tmp_path):
        folder = tmp_path / "out"
        plugin = start().configure(renderYamlToDirectory=str(folder))
        secret = named("v1", "Secret", "team", stringData={"a": "b"})
        urn, identifier, state = plugin.apply(secret)
        path = folder / "1-manifest" / "v1-secret-team-a.yaml"
        assert yaml.safe_load(path.read_text())["data"] == {"a": "Yg=="}
        assert path.stat().st_mode & 0o777 == 0o600
        assert (folder / "0-crd").is_dir()
        assert any("secret value" in text for text in plugin.engine.said())
        plugin.delete(urn, identifier, state)
        assert not path.exists()
