"""A run that fails on a Job tells the Job's own last words, and no secret of its pod."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "check"))  # the API server of its tests

from kube_api import serve

from ziggurat.engine.changes import Change
from ziggurat.engine.runs import with_last_words
from ziggurat.errors import BlockedError, ZigguratError
from ziggurat.job_logs import last_words

CORE = "/api/v1/namespaces/acme"
PODS = f"{CORE}/pods"
JOB = Change("create", "urn:job", "kubernetes:batch/v1:Job", "Job", "upgrade-1", "acme")
ERROR = BlockedError("it did not become ready", where="Job acme/upgrade-1", remedy="run it again")


@pytest.fixture
def cluster(tmp_path):
    with serve({}, 0, tmp_path) as (api, cluster):
        yield api, cluster


def pod(api: Any, name: str, made: str, *, code: int, log: str, **spec: Any) -> None:
    state = {"name": "upgrade", "state": {"terminated": {"exitCode": code}}}
    api.add(
        PODS,
        {
            "metadata": {
                "name": name,
                "creationTimestamp": made,
                "labels": {"batch.kubernetes.io/job-name": "upgrade-1"},
            },
            "spec": spec,
            "status": {"containerStatuses": [state]},
        },
    )
    api.objects[f"{PODS}/{name}/log"] = log


def test_the_log_of_the_pod_that_failed_last_is_told(cluster):
    api, reached = cluster
    pod(api, "b", "2026-03-01T00:02:00Z", code=1, log="Can't locate revision ffff")
    pod(api, "a", "2026-03-01T00:01:00Z", code=1, log="the database does not answer")

    told = with_last_words(ERROR, [JOB], reached)

    assert told.message.splitlines() == [
        "it did not become ready",
        "  last words of Job acme/upgrade-1:",
        "    Can't locate revision ffff",
        "  all of it: kubectl logs -n acme job/upgrade-1 --all-containers",
    ]
    assert (type(told), told.where, told.remedy) == (BlockedError, ERROR.where, ERROR.remedy)


def test_the_secrets_of_the_pod_are_masked(cluster):
    api, reached = cluster
    secret = {
        "password": base64.b64encode(b"canary/secret").decode(),
        "port": base64.b64encode(b"5432").decode(),
    }
    api.add(f"{CORE}/secrets", {"metadata": {"name": "database"}, "data": secret})
    variable = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}
    containers = [{"name": "upgrade", "env": [variable]}]
    log = "cannot reach postgresql://me:canary%2Fsecret@db:5432 (canary/secret)"
    pod(api, "a", "2026-03-01T00:01:00Z", code=1, log=log, containers=containers)

    assert last_words(reached, "acme", "upgrade-1") == (
        "cannot reach postgresql://me:[secret]@db:5432 ([secret])"
    )


def test_a_log_whose_secrets_cannot_be_known_is_not_told(cluster):
    api, reached = cluster
    api.objects[f"{CORE}/secrets/database"] = 403
    containers = [{"name": "upgrade", "envFrom": [{"secretRef": {"name": "database"}}]}]
    pod(api, "a", "2026-03-01T00:01:00Z", code=1, log="canary", containers=containers)

    assert last_words(reached, "acme", "upgrade-1") == ""


@pytest.mark.parametrize("status", [403, 404, 500])
def test_without_a_log_the_error_is_as_it_was(cluster, status):
    api, reached = cluster
    pod(api, "a", "2026-03-01T00:01:00Z", code=1, log="")
    api.objects[f"{PODS}/a/log"] = status

    assert with_last_words(ERROR, [JOB], reached) is ERROR


def test_what_is_no_job_or_did_not_fail_says_nothing(cluster):
    api, reached = cluster
    pod(api, "a", "2026-03-01T00:01:00Z", code=0, log="well done")
    deployment = Change("update", "urn:d", "kubernetes:apps/v1:Deployment", "Deployment", "upgrade-1", "acme")
    error = ZigguratError("it failed")

    assert with_last_words(error, [JOB, deployment], reached) is error


def test_a_long_log_is_cut_to_its_end(cluster):
    api, reached = cluster
    pod(api, "a", "2026-03-01T00:01:00Z", code=1, log="x" * 5000 + " the reason")

    said = last_words(reached, "acme", "upgrade-1")

    assert said.endswith("the reason")
    assert len(said) == 2000
