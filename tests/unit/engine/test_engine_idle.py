"""Objects that nothing acts on are not said to wait for anything."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ziggurat.engine.health import idle_kinds, objects_health
from ziggurat.engine.state import Managed, Release, State

SERVERS = Managed("u1", "postgresql.cnpg.io/v1", "Cluster", "postgresql", "acme", protected=True, labels={})
OTHER = Managed("u2", "example.io/v1", "Cluster", "other", "acme", protected=False, labels={})


def state(*, recorded):
    release = Release("acme", "cloudnative-pg", "cloudnative-pg", "0.29.0", recorded=recorded)
    return State(exists=True, objects=(SERVERS, OTHER), releases=(release,))


def cluster(there):
    def objects(api_version, kind, namespace):
        del namespace
        names = {"postgresql.cnpg.io/v1": "postgresql", "example.io/v1": "other"}
        if kind == "Pod" or not there:
            return []
        return [{"metadata": {"name": names[api_version]}, "spec": {"instances": 3}}]

    return SimpleNamespace(objects=objects)


@pytest.mark.parametrize(("recorded", "ready"), [(True, True), (False, False)])
def test_what_a_recorded_chart_would_act_on_is_as_ready_as_it_gets(recorded, ready):
    found = state(recorded=recorded)
    judged = {item.label: item for item in objects_health(found.objects, cluster(True), idle_kinds(found))}
    assert judged["Cluster acme/postgresql"].ready is ready
    assert not judged["Cluster acme/other"].ready  # a kind of the same name, and no chart of ours


def test_what_is_missing_is_missing_all_the_same():
    found = state(recorded=True)
    assert not any(item.ready for item in objects_health(found.objects, cluster(False), idle_kinds(found)))
