"""Helm releases as the stand-in sees them: definitions, differences, and what the state says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from standin import releases
from standin.definitions import FOLDER
from standin.discovery import NoSuchKindError, Resource
from standin.failures import OperationError
from standin.urn import Urn, refuse
from standin.wire import Secret

KUEUE = {
    "name": "kueue",
    "namespace": "acme",
    "chart": "oci://registry.k8s.io/kueue/charts/kueue",
    "version": "0.19.2",
    "values": {"a": 1},
}
RELEASE = Urn("urn:pulumi:s::p::kubernetes:helm.sh/v3:Release::acme/kueue")


def names(definitions):
    return {definition["metadata"]["name"] for definition in definitions}


def test_releases_are_served_and_charts_are_not():
    refuse(RELEASE)
    assert releases.is_release(RELEASE)
    with pytest.raises(OperationError, match="not supported by the bundled stand-in"):
        refuse(Urn("urn:pulumi:s::p::kubernetes:helm.sh/v4:Chart::a"))


def test_stubs_take_anything(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    made = releases.definitions(KUEUE)
    assert "clusterqueues.kueue.x-k8s.io" in names(made)
    for definition in made:
        versions = definition["spec"]["versions"]
        assert [version["storage"] for version in versions].count(True) == 1
        for version in versions:
            assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True
    scopes = {definition["spec"]["names"]["kind"]: definition["spec"]["scope"] for definition in made}
    assert (scopes["ClusterQueue"], scopes["LocalQueue"]) == ("Cluster", "Namespaced")


def test_stubs_of_kubernetes_own_groups_are_taken_by_the_api_server(monkeypatch):
    """It refuses a kind below k8s.io without a word on who approved it: a URL, or that nobody did."""
    monkeypatch.delenv(FOLDER, raising=False)
    made = releases.definitions({"chart": "gateway-helm"})
    assert "gatewayclasses.gateway.networking.k8s.io" in names(made)
    for definition in made:
        said = definition["metadata"]["annotations"]["api-approved.kubernetes.io"]
        assert said.startswith("unapproved")


def test_real_definitions_take_the_place_of_stubs(monkeypatch, tmp_path):
    (tmp_path / "kueue.yaml").write_text(
        "kind: CustomResourceDefinition\n"
        "metadata: {name: clusterqueues.kueue.x-k8s.io}\n"
        "spec: {real: true}\n"
        "---\n"
        "kind: CustomResourceDefinition\n"
        "metadata: {name: others.example.io}\n"
    )
    (tmp_path / "broken.yaml").write_text("{ not of this chart, so it is not parsed")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    made = {definition["metadata"]["name"]: definition for definition in releases.definitions(KUEUE)}
    assert made["clusterqueues.kueue.x-k8s.io"]["spec"] == {"real": True}
    assert "scope" in made["localqueues.kueue.x-k8s.io"]["spec"]
    assert "others.example.io" not in made


def test_a_chart_that_is_not_known_is_refused():
    with pytest.raises(OperationError, match="chart redis"):
        releases.definitions({**KUEUE, "chart": "redis"})
    with pytest.raises(OperationError, match="`namespace`"):
        releases.check({"name": "a", "chart": "kueue"})


def test_the_state_says_that_nothing_was_installed_and_keeps_secrets_secret():
    state = releases.state({**KUEUE, "values": {"token": Secret("hush")}})
    assert state["status"]["status"] == "recorded"
    assert state["values"] == {"token": Secret("hush")}
    assert releases.identifier(KUEUE) == "acme/kueue"


def test_differences():
    state = releases.state(KUEUE)
    assert releases.diff(state, KUEUE) == ()
    changed = releases.diff(state, {**KUEUE, "version": "0.20.0", "values": {"a": 2}})
    assert {(change.shown, change.replace) for change in changed} == {("version", False), ("values.a", False)}
    (moved,) = releases.diff(state, {**KUEUE, "namespace": "other"})
    assert (moved.shown, moved.replace) == ("namespace", True)


def test_definitions_that_helm_leaves_say_so(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    kept = {
        definition["metadata"]["annotations"]["helm.sh/resource-policy"]
        for definition in made_by("cloudnative-pg")
    }
    assert kept == {"keep"}
    assert not any(
        "helm.sh/resource-policy" in definition["metadata"]["annotations"] for definition in made_by("kueue")
    )


def made_by(chart):
    return releases.definitions({"name": chart, "namespace": "acme", "chart": chart})


class Discovery:
    """Knows clusters and deployments."""

    def find(self, kind):
        known = {"Cluster": "clusters", "Deployment": "deployments"}
        if kind[2] not in known:
            raise NoSuchKindError(kind)
        return Resource("", known[kind[2]], namespaced=True)


@pytest.mark.parametrize(
    ("api_version", "kind", "recorded", "idle"),
    [
        ("postgresql.cnpg.io/v1", "Cluster", True, True),
        ("postgresql.cnpg.io/v1", "Cluster", False, False),  # somebody runs the operator in this sandbox
        ("postgresql.cnpg.io/v1", "Pooler", True, False),  # nobody knows the kind
        ("apps/v1", "Deployment", True, False),  # Kubernetes' own
    ],
)
def test_nobody_acts_on_what_a_recorded_release_brought(api_version, kind, recorded, idle):
    live = {"metadata": {"annotations": {releases.RECORD: "acme/cloudnative-pg"} if recorded else {}}}
    cluster = SimpleNamespace(discovery=Discovery(), read=lambda manifest: live)
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}}
    assert releases.Records(cluster).nobody_acts_on(manifest) is idle
