"""What a destroyed platform leaves behind, and what keeps an object from going."""

from __future__ import annotations

import pytest

from components.versions import CHARTS
from ziggurat.cluster import plural
from ziggurat.engine.leftovers import await_volumes, stuck, what_is_left, with_stuck
from ziggurat.engine.state import Managed, Release, State
from ziggurat.errors import ClusterError, InterruptedRunError
from ziggurat.progress import silent

OURS = {"app.kubernetes.io/instance": "acme", "app.kubernetes.io/part-of": "ziggurat"}
HELM = {"app.kubernetes.io/managed-by": "Helm"}
RELEASE = Release("acme", "cloudnative-pg", "cloudnative-pg", "0.29.0", recorded=False)
DATE = "2026-11-25T12:00:00Z"


def managed(kind, name, namespace="", api_version="v1"):
    return Managed(f"urn-{name}", api_version, kind, name, namespace, protected=False, labels=OURS)


STATE = State(
    exists=True,
    objects=(managed("Namespace", "acme"), managed("Cluster", "db", "acme", "postgresql.cnpg.io/v1")),
    releases=(RELEASE,),
)


class Cluster:
    """A cluster that holds these objects."""

    def __init__(self, *there, forbidden=()):
        self.there, self.forbidden = there, forbidden

    def objects(self, api_version, kind, namespace, selector=""):
        if kind in self.forbidden:
            raise ClusterError("forbidden")
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return [
            each
            for each in self.there
            if (each["apiVersion"], each["kind"]) == (api_version, kind)
            and (not namespace or each["metadata"].get("namespace") == namespace)
            and wanted.items() <= each["metadata"].get("labels", {}).items()
        ]

    def find(self, api_version, kind, namespace, name):
        found = self.objects(api_version, kind, namespace)
        return next((each for each in found if each["metadata"]["name"] == name), None)


def thing(kind, name, api_version="v1", **metadata):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


def helms(kind, name, api_version, namespace="acme", release="cloudnative-pg"):
    notes = {"meta.helm.sh/release-namespace": namespace, "meta.helm.sh/release-name": release}
    return thing(kind, name, api_version, labels=HELM, annotations=notes)


def definition(name):
    return thing("CustomResourceDefinition", name, "apiextensions.k8s.io/v1")


def test_nothing_is_left_of_a_platform_that_is_gone():
    others = (
        thing("Namespace", "other", labels={**OURS, "app.kubernetes.io/instance": "other"}),
        helms("ClusterRole", "theirs", "rbac.authorization.k8s.io/v1", namespace="other"),
        definition("widgets.example.io"),
    )
    left = what_is_left(Cluster(*others), STATE)
    assert left.labels() == []
    assert left.text() == ["left on the cluster: nothing of this platform"]


def test_what_charts_leave_is_told_and_how_to_be_rid_of_it():
    left = what_is_left(
        Cluster(
            definition("clusters.postgresql.cnpg.io"),
            definition("poolers.postgresql.cnpg.io"),
            helms("ClusterRole", "cloudnative-pg", "rbac.authorization.k8s.io/v1"),
            helms("MutatingWebhookConfiguration", "cnpg", "admissionregistration.k8s.io/v1"),
        ),
        STATE,
    )
    assert left.objects == ("ClusterRole cloudnative-pg", "MutatingWebhookConfiguration cnpg")
    assert "CustomResourceDefinition clusters.postgresql.cnpg.io" in left.labels()
    text = "\n".join(left.text())
    assert "the 2 definitions of the chart cloudnative-pg" in text
    assert "kubectl delete crd clusters.postgresql.cnpg.io poolers.postgresql.cnpg.io" in text


def test_objects_with_our_labels_are_found_though_the_state_does_not_know_them():
    policy = thing("ValidatingAdmissionPolicy", "acme-tags", "admissionregistration.k8s.io/v1", labels=OURS)
    assert what_is_left(Cluster(policy, volume("pvc-1")), STATE).objects == (
        "ValidatingAdmissionPolicy acme-tags",
        "PersistentVolume pvc-1",
    )


def volume(name, policy="Delete", namespace="acme", **metadata):
    claim = {"namespace": namespace, "name": "data"}
    spec = {"persistentVolumeReclaimPolicy": policy, "claimRef": claim}
    return thing("PersistentVolume", name, **metadata) | {"spec": spec}


class GoingVolumes(Cluster):
    """A cluster whose first object is gone after it was listed so many times."""

    def __init__(self, *there, listings):
        super().__init__(*there)
        self.listings = listings

    def objects(self, api_version, kind, namespace, selector=""):
        found = super().objects(api_version, kind, namespace, selector)
        self.listings -= 1
        if not self.listings:
            self.there = self.there[1:]
        return found


def test_volumes_that_go_are_waited_for_and_those_that_stay_are_not():
    mine, kept, theirs = volume("pvc-1"), volume("pvc-2", "Retain"), volume("pvc-3", namespace="other")
    cluster = GoingVolumes(mine, kept, theirs, listings=2)
    await_volumes(cluster, STATE, silent())
    assert cluster.there == (kept, theirs)
    assert what_is_left(cluster, STATE).objects == ("PersistentVolume pvc-2 (kept: its reclaim policy)",)


def test_a_volume_that_does_not_go_in_time_is_told_with_what_the_cluster_says_of_it():
    said = "error deleting volume: disk is attached to node a"
    stuck_one = volume("pvc-1", deletionTimestamp=DATE) | {"status": {"phase": "Failed", "message": said}}
    cluster = Cluster(stuck_one)
    await_volumes(cluster, STATE, silent(), seconds=0)
    assert what_is_left(cluster, STATE).objects == (f"PersistentVolume pvc-1 (being deleted: {said})",)


def test_volumes_that_may_not_be_listed_are_not_waited_for():
    await_volumes(Cluster(forbidden={"PersistentVolume"}), STATE, silent(), seconds=600)


def test_a_namespace_that_does_not_go_says_what_keeps_it():
    said = "Some content in the namespace has finalizers remaining: example.io/hold in 1 resource instances"
    namespace = thing("Namespace", "acme", deletionTimestamp=DATE, labels=OURS) | {
        "spec": {"finalizers": ["kubernetes"]},
        "status": {
            "conditions": [
                {"type": "NamespaceFinalizersRemaining", "status": "True", "message": said},
                {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all is well"},
            ]
        },
    }
    assert what_is_left(Cluster(namespace), STATE).objects == (f"Namespace acme (being deleted: {said})",)


def test_what_may_not_be_listed_is_said():
    left = what_is_left(Cluster(forbidden={"ClusterRole", "PersistentVolume"}), STATE)
    assert left.unseen == ("ClusterRole", "PersistentVolume")
    assert "not looked for" in left.text()[-1]


HELD = thing(
    "Cluster",
    "db",
    "postgresql.cnpg.io/v1",
    namespace="acme",
    deletionTimestamp=DATE,
    finalizers=["x.io/hold"],
)


def test_an_object_that_does_not_go_is_named_with_its_finalizer_and_the_way_out():
    (found,) = stuck(Cluster(HELD, thing("Namespace", "acme")), STATE.objects)
    assert (found.label, found.waits_for) == ("Cluster acme/db", "finalizers x.io/hold")
    assert "kubectl --namespace acme patch cluster db" in found.remedy


def test_one_that_waits_for_its_parts_needs_no_patch():
    parts = {**HELD, "metadata": {**HELD["metadata"], "finalizers": ["foregroundDeletion"]}}
    (found,) = stuck(Cluster(parts), STATE.objects)
    assert found.remedy == ""


def test_the_kind_of_failure_stays_what_it_was():
    error = with_stuck(InterruptedRunError("stopped", remedy="again"), Cluster(HELD), STATE.objects)
    assert isinstance(error, InterruptedRunError)
    assert "Cluster acme/db: finalizers x.io/hold" in error.message
    assert error.remedy == "again"
    silent = Cluster(forbidden={"Cluster", "Namespace"})
    assert with_stuck(InterruptedRunError("stopped"), silent, STATE.objects).message == "stopped"


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_plurals_of_kinds_that_charts_bring_are_known(chart):
    assert [plural(each.kind) for each in chart.definitions] == [each.plural for each in chart.definitions]
