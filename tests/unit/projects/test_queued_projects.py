"""Projects where there are queues and GPU pools: where their runs wait, and where they are placed."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints import load
from ziggurat.plan import plan

VARIANTS = Path(__file__).parents[2] / "program" / "variants"


@pytest.fixture(scope="module")
def cron_job():
    (found,) = (
        each.manifest
        for each in plan(load(VARIANTS / "projects-queued.yaml")).objects
        if each.kind == "CronJob"
    )
    return found


def test_a_run_waits_in_its_teams_queue(cron_job):
    labels = cron_job["spec"]["jobTemplate"]["metadata"]["labels"]

    assert labels["kueue.x-k8s.io/queue-name"] == "vision"


def test_a_run_goes_to_the_nodes_of_its_pool(cron_job):
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    assert pod["nodeSelector"] == {"acme.example/gpu": "t4"}
    assert [each["key"] for each in pod["tolerations"]] == ["nvidia.com/gpu"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_without_queues_nothing_waits():
    found = [
        each.manifest["spec"]["jobTemplate"]["metadata"]["labels"]
        for each in plan(load(VARIANTS / "projects.yaml")).objects
        if each.kind == "CronJob" and each.manifest["metadata"]["name"].startswith("project-")
    ]

    assert found
    assert not any("kueue.x-k8s.io/queue-name" in labels for labels in found)
