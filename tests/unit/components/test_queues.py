"""Quotas as queues have them, and namespaces that refuse nothing which a queue lets through."""

from __future__ import annotations

import json

import pytest

from blueprints.model.pools import GpuPool, Nodes
from blueprints.model.queues import Queues
from blueprints.model.teams import Quota
from blueprints.quantities import amount
from components.manifests.metadata import App
from components.manifests.pools import placement
from components.manifests.queues import bounds, cluster_queue, flavor, local_queue, shares
from components.queues import configuration, values
from components.versions import ImageSource

APP = App("acme", "acme", "kueue", "queues", release="kueue")
VISION = Quota(cpu="1500m", memory="64Gi", gpus=8, storage="1Ti", pods=50)
PRICING = Quota(cpu="2", memory="512Mi", gpus=1, pods=10)
POOLS = {
    "t4": GpuPool(node_selector={"gpu": "t4"}),
    "a100": GpuPool(accelerator="nvidia-a100", gpus_per_node=2, nodes=Nodes(max=3)),
}


def test_work_on_gpus_takes_its_cpu_from_the_same_quota_as_all_work():
    common, gpus = shares("acme", VISION, POOLS)
    assert [(share.flavor, dict(share.quotas)) for share in common] == [
        ("acme-cpu", {"cpu": "1500m", "memory": "64Gi", "pods": "50"})
    ]
    # A team cannot be promised more of a pool than there is.
    assert [(share.flavor, dict(share.quotas)) for share in gpus] == [
        ("acme-a100", {"nvidia.com/gpu": "6"}),
        ("acme-t4", {"nvidia.com/gpu": "8"}),
    ]


def test_without_pools_gpus_are_of_any_node():
    (group,) = shares("acme", VISION, {})
    assert [share.flavor for share in group] == ["acme-cpu"]
    assert group[0].quotas["nvidia.com/gpu"] == "8"


def test_without_queues_the_quota_is_the_teams_own():
    assert bounds({"vision": VISION}, None, POOLS) == {"vision": VISION}


@pytest.mark.parametrize("borrowing", [True, False])
@pytest.mark.parametrize("pools", [POOLS, {}], ids=["pools", "none"])
def test_a_namespace_refuses_nothing_that_its_queue_lets_through(borrowing, pools):
    quotas = {"vision": VISION, "pricing": PRICING}
    bounded = bounds(quotas, Queues(borrowing=borrowing), pools)
    admitted = {team: _admitted(quotas if borrowing else {team: quotas[team]}, pools) for team in quotas}
    for team, bound in bounded.items():
        mine = {
            "cpu": bound.cpu, "memory": bound.memory,
            "pods": str(bound.pods), "nvidia.com/gpu": str(bound.gpus),
        }  # fmt: skip
        assert {name: amount(value) for name, value in mine.items()} == admitted[team]
        assert bound.storage == quotas[team].storage


def _admitted(quotas, pools):
    """The most that queues let through together, from what they are told."""
    found = {}
    for quota in quotas.values():
        for group in shares("acme", quota, pools):
            for share in group:
                for resource, text in share.quotas.items():
                    found[resource] = found.get(resource, 0) + amount(text)
    return found


def test_borrowing_and_preemption_can_be_forbidden():
    def spec(queues):
        groups = shares("acme", PRICING, POOLS)
        return cluster_queue(APP, "acme-pricing", "acme-pricing", groups, queues)["spec"]

    free, bound = spec(Queues()), spec(Queues(borrowing=False, preemption=False))
    assert free["preemption"]["reclaimWithinCohort"] == "Any"
    assert bound["preemption"] == {
        "reclaimWithinCohort": "Never",
        "borrowWithinCohort": {"policy": "Never"},
        "withinClusterQueue": "Never",
    }
    limits = [
        resource.get("borrowingLimit")
        for queues in (free, bound)
        for group in queues["resourceGroups"]
        for flavors in group["flavors"]
        for resource in flavors["resources"]
    ]
    assert limits == [None] * 5 + ["0"] * 5
    for group in free["resourceGroups"]:
        for flavors in group["flavors"]:
            assert [resource["name"] for resource in flavors["resources"]] == group["coveredResources"]


def test_only_the_teams_namespace_may_use_its_cluster_queue():
    spec = cluster_queue(APP, "q", "acme-vision", shares("acme", VISION, {}), Queues())["spec"]
    assert spec["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "acme-vision"}}
    team = App("acme", "acme-vision", "team", "team", "vision")
    assert local_queue(team, "vision", "q")["metadata"]["namespace"] == "acme-vision"


def test_a_flavour_places_work_as_pods_that_do_not_queue_are_placed():
    for name, pool in POOLS.items():
        place = placement(name, pool)
        assert flavor(APP, name, pool)["spec"] == {
            "nodeLabels": place["nodeSelector"],
            "tolerations": place["tolerations"],
        }
    assert placement("a100", POOLS["a100"])["nodeSelector"] == {"ziggurat.dev/pool": "a100"}
    assert flavor(APP, "cpu", None)["spec"] == {}


def test_kueue_looks_after_the_platforms_teams_alone_and_knows_where_it_is():
    told = json.loads(configuration(APP))
    assert told["namespace"] == "acme"
    assert told["managedJobsNamespaceSelector"]["matchLabels"] == {"app.kubernetes.io/instance": "acme"}
    made = values(APP, ImageSource("mirror.acme/ml", "login"))["controllerManager"]
    assert made["manager"]["image"]["repository"] == "mirror.acme/ml/kueue/kueue"
    assert made["imagePullSecrets"] == [{"name": "login"}]


def test_pods_of_a_release_carry_its_name():
    assert APP.selector == {"app.kubernetes.io/name": "kueue", "app.kubernetes.io/instance": "kueue"}
    assert APP.labels["app.kubernetes.io/instance"] == "acme"
