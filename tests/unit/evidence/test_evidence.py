"""How controls are judged where a real platform would have to be broken to see it, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ziggurat.check import Outcome as Checked
from ziggurat.check import Result
from ziggurat.engine.state import Managed, State, read
from ziggurat.evidence import Evidence, Facts, Finding, gather

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OUTPUTS = {
    "namespace": "acme",
    "teams": {"vision": {"namespace": "acme-vision"}},
    "images": ["ghcr.io/a/b:1"],
}
GROUPS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "CronJob": "batch/v1"}
SIGNED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}

Object = dict[str, Any]


class FakeCluster:
    """Lists of objects by kind and namespace."""

    def __init__(self, *objects: Object) -> None:
        self.all = objects

    def objects(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Object]:
        return [
            each
            for each in self.all
            if (each["kind"], each["metadata"].get("namespace", "")) == (kind, namespace)
        ]


def item(kind: str, name: str, namespace: str = "acme", **more: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}


def found(
    *objects: Object,
    state: State | None = None,
    checks: Sequence[Result] | None = None,
    declared: Mapping[str, str] | None = None,
) -> Any:
    """What is known of each control where the stack manages these objects, and the cluster has them.

    `declared` are the exceptions that the platform declares, by the objects' names.
    """
    managed = tuple(
        Managed(
            "urn",
            GROUPS.get(each["kind"], "v1"),
            each["kind"],
            each["metadata"]["name"],
            each["metadata"]["namespace"],
            False,
            {},
            exception=(declared or {}).get(each["metadata"]["name"], ""),
        )
        for each in objects
        if each["kind"] != "Pod"
    )
    known = state or State(exists=True, objects=managed)
    facts = Facts(known, OUTPUTS, cast("Any", FakeCluster(*objects)), NOW, checks)
    return {each.id: each for each in gather(facts)}


def pod_spec(*keys: str) -> Object:
    env = [{"name": key, "valueFrom": {"secretKeyRef": {"name": "postgresql", "key": key}}} for key in keys]
    return {"template": {"spec": {"containers": [{"name": "mlflow", "image": "x", "env": env}]}}}


MLFLOW = item("Deployment", "mlflow", spec=pod_spec("mlflow"))
LINE = Result("anonymous", "asks without an account", 0.1, Checked.OK, "8 requests answered 401")
BAD = Result("isolation", "tries", 0.1, Checked.FAILED, "200, not refused", "x", "vision")


def outcome(finding: Finding) -> str:
    return finding.outcome.value


def test_without_checks_what_only_use_shows_is_unknown() -> None:
    assert outcome(found(MLFLOW)["anonymous"]) == "unknown"
    assert "--check" in found(MLFLOW)["anonymous"].detail


def test_checks_prove_and_disprove() -> None:
    known = found(MLFLOW, checks=(LINE, BAD))

    assert (outcome(known["anonymous"]), outcome(known["isolation"])) == ("holds", "fails")
    assert known["isolation"].detail == "vision: 200, not refused"
    assert "8 requests answered 401" in known["anonymous"].detail


def test_a_check_that_was_skipped_or_never_reached_proves_nothing() -> None:
    skipped = Result("isolation", "tries", 0, Checked.SKIPPED, "one team only")
    known = found(MLFLOW, checks=(skipped,))

    assert (outcome(known["isolation"]), outcome(known["anonymous"])) == ("unknown", "unknown")
    assert "one team only" in known["isolation"].detail
    assert "the checks ended before it" in known["anonymous"].detail


@pytest.mark.parametrize(("keys", "expected"), [(("mlflow",), "holds"), (("mlflow", "postgres"), "fails")])
def test_the_server_must_not_read_the_superusers_password(keys: tuple[str, ...], expected: str) -> None:
    server = item("Deployment", "mlflow", spec=pod_spec(*keys))

    assert outcome(found(item("StatefulSet", "postgresql"), server)["database"]) == expected
    assert outcome(found(server)["database"]) == "absent"


@pytest.mark.parametrize(("access", "expected"), [(False, "holds"), (True, "fails"), (None, "fails")])
def test_the_superuser_of_a_database_cluster_has_no_password(access: bool | None, expected: str) -> None:
    server = item("Deployment", "mlflow", spec=pod_spec("password"))
    spec = {} if access is None else {"enableSuperuserAccess": access}

    assert outcome(found(item("Cluster", "postgresql", spec=spec), server)["database"]) == expected


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"spec": {"schedule": "0 2 * * *"}}, "unknown"),
        ({"spec": {"schedule": "0 2 * * *", "suspend": True}}, "fails"),
        (
            {"spec": {"schedule": "0 2 * * *"}, "status": {"lastSuccessfulTime": "2026-03-01T02:00:09Z"}},
            "holds",
        ),
    ],
)
def test_a_schedule_is_evidence_once_something_of_it_succeeded(job: Mapping[str, Any], expected: str) -> None:
    known = found(item("CronJob", "backup", **job))

    assert outcome(known["backups"]) == expected
    assert outcome(known["backups-verified"]) == "unknown"


@pytest.mark.parametrize(("image", "expected"), [("ghcr.io/a/b:1", "holds"), ("evil.net/x:1", "fails")])
def test_pods_run_the_platforms_images(image: str, expected: str) -> None:
    space = {"kind": "Namespace", "metadata": {"name": "acme", "namespace": ""}}
    pod = item("Pod", "mlflow-0", spec={"containers": [{"name": "m", "image": image}]})

    assert outcome(found(space, pod)["images"]) == expected
    assert outcome(found(space)["images"]) == "unknown"


def test_an_account_with_a_token_is_named() -> None:
    known = found(
        item("ServiceAccount", "mlflow", automountServiceAccountToken=False), item("ServiceAccount", "other")
    )

    assert known["tokens"].detail == "gives its pods a token: ServiceAccount acme/other"


WHY = {"dex": "it keeps its state in objects of Kubernetes", "gpus": "device plugins"}


def space(name: str, level: str) -> Object:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"kind": "Namespace", "metadata": {"name": name, "namespace": "", "labels": labels}}


def server(account: str) -> Object:
    spec = {"serviceAccountName": account, "automountServiceAccountToken": True}
    return item("Deployment", f"{account}-server", spec={"template": {"spec": spec}})


def test_a_namespace_that_is_declared_to_be_privileged_is_an_exception() -> None:
    spaces = (space("acme", "restricted"), space("gpus", "privileged"))
    known = found(*spaces, declared=WHY)["pod-security"]

    assert (outcome(known), known.detail) == ("holds", "1 namespaces enforce `restricted`")
    assert known.result == "holds, with 1 exception"
    assert known.as_json()["exceptions"] == [{"object": "Namespace gpus", "reason": "device plugins"}]


def test_a_namespace_that_is_privileged_by_other_hands_fails() -> None:
    spaces = (space("acme", "privileged"), space("gpus", "privileged"))
    known = found(*spaces, declared=WHY)["pod-security"]

    assert (outcome(known), known.detail) == ("fails", "not `restricted`: Namespace acme")
    assert [each.object for each in known.exceptions] == ["Namespace gpus"]


def test_an_exception_that_somebody_wrote_on_the_cluster_does_not_count() -> None:
    relabelled = space("acme", "privileged")
    relabelled["metadata"]["annotations"] = {"ziggurat.dev/exception": "trust me"}

    assert outcome(found(relabelled)["pod-security"]) == "fails"


def test_what_holds_is_no_exception_though_it_is_declared() -> None:
    known = found(space("gpus", "restricted"), declared=WHY)["pod-security"]

    assert (known.result, known.exceptions) == ("holds", ())


def test_pods_with_a_token_are_an_exception_by_their_account_alone() -> None:
    account = item("ServiceAccount", "dex", automountServiceAccountToken=False)
    known = found(account, server("dex"), declared=WHY)["tokens"]
    assert known.result == "holds, with 1 exception"
    assert known.exceptions[0].object == "Deployment acme/dex-server"
    assert known.exceptions[0].reason == WHY["dex"]

    other = item("ServiceAccount", "other", automountServiceAccountToken=False)
    known = found(account, server("dex"), other, server("other"), declared=WHY)["tokens"]
    assert (outcome(known), known.detail) == ("fails", "gives its pods a token: Deployment acme/other-server")


def test_an_account_whose_pods_have_a_token_by_themselves_is_an_exception_where_it_is_declared() -> None:
    runner = item("ServiceAccount", "pipeline-runner", "acme-vision", automountServiceAccountToken=True)

    assert outcome(found(runner, declared={"pipeline-runner": "runs"})["tokens"]) == "holds"
    assert outcome(found(runner)["tokens"]) == "fails"


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ([{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "ml-pipeline"}}}], "holds"),
        ([{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "other"}}}], "fails"),
        ([{"namespaceSelector": {}}], "fails"),
        ([], "fails"),
    ],
)
def test_only_the_door_may_call_the_api_server_of_pipelines(peers: list[Object], expected: str) -> None:
    policy = item("NetworkPolicy", "ml-pipeline-server", spec={"ingress": [{"from": peers}]})

    assert outcome(found(policy)["pipelines-identity"]) == expected
    assert outcome(found()["pipelines-identity"]) == "absent"


@pytest.mark.parametrize(
    ("status", "expected"),
    [({}, "unknown"), ({"readyInstances": 3}, "holds"), ({"readyInstances": 1}, "fails")],
)
def test_a_database_survives_only_with_a_second_server(status: Mapping[str, Any], expected: str) -> None:
    spec = {"instances": 3, "enableSuperuserAccess": False}
    server = item("Deployment", "mlflow", spec=pod_spec("password"))
    known = found(item("Cluster", "postgresql", spec=spec, status=status), server)

    assert outcome(known["database-availability"]) == expected
    assert outcome(found(server)["database-availability"]) == "absent"


@pytest.mark.parametrize(
    ("archiving", "window", "suspended", "expected"),
    [
        ("True", {"firstRecoverabilityPoint": "2026-02-01T01:00:00Z"}, False, "holds"),
        ("True", {"firstRecoverabilityPoint": "2026-02-01T01:00:00Z"}, True, "fails"),
        ("True", {}, False, "unknown"),
        ("False", {"firstRecoverabilityPoint": "2026-02-01T01:00:00Z"}, False, "fails"),
        (None, {}, False, "unknown"),
    ],
)
def test_a_database_is_archived_while_its_log_gets_there_and_has_a_base(
    archiving: str | None, window: Mapping[str, str], suspended: bool, expected: str
) -> None:
    plugin = {"isWALArchiver": True, "parameters": {"serverName": "postgresql-2"}}
    conditions = [{"type": "ContinuousArchiving", "status": archiving}] if archiving else []
    cluster = item("Cluster", "postgresql", spec={"plugins": [plugin]}, status={"conditions": conditions})
    windows = {"postgresql-2": window, "postgresql": {"firstRecoverabilityPoint": "2025-01-01T01:00:00Z"}}
    store = item("ObjectStore", "postgresql-archive", status={"serverRecoveryWindow": windows})
    schedule = item("ScheduledBackup", "postgresql-archive", spec={"suspend": suspended})
    server = item("Deployment", "mlflow", spec=pod_spec("password"))

    assert outcome(found(cluster, server, store, schedule)["database-archive"]) == expected
    assert outcome(found(cluster, server)["database-archive"]) == "absent"


@pytest.mark.parametrize(
    ("protocols", "ready", "expected"),
    [
        (["HTTP", "HTTPS"], "True", "holds"),
        (["HTTP", "HTTPS"], "False", "fails"),
        (["HTTP", "HTTPS"], None, "unknown"),
        (["HTTP"], "True", "fails"),
    ],
)
def test_a_gateway_takes_https_with_valid_certificates(
    protocols: Sequence[str], ready: str | None, expected: str
) -> None:
    gateway = item("Gateway", "acme", spec={"listeners": [{"protocol": each} for each in protocols]})
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    certificate = item("Certificate", "mlflow", status={"conditions": conditions})

    assert outcome(found(gateway, certificate)["encryption"]) == expected
    assert outcome(found(certificate)["encryption"]) == "absent"


@pytest.mark.parametrize(("burns", "expected"), [(4, "holds"), (1, "fails"), (0, "fails")])
def test_alerts_on_the_objective_are_needed_over_several_windows(burns: int, expected: str) -> None:
    rules = [{"alert": "TrackingErrorBudget"}] * burns + [{"record": "x"}, {"alert": "TrackingDown"}]
    known = found(item("PrometheusRule", "acme", spec={"groups": [{"name": "a", "rules": rules}]}))

    assert outcome(known["alerts"]) == expected
    assert outcome(found()["alerts"]) == "absent"


def test_a_team_without_quota_is_named() -> None:
    quota = item("ResourceQuota", "quota", "acme", spec={"hard": {"pods": "1"}})

    assert found(quota)["quota"].detail == "no quota: acme-vision"


def exported(given: Any, answered: Any) -> State:
    resource = {
        "urn": "u",
        "type": "kubernetes:core/v1:Secret",
        "inputs": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "acme"},
            "stringData": given,
        },
        "outputs": {"data": answered},
    }
    return read({"deployment": {"secrets_providers": {"type": "passphrase"}, "resources": [resource]}})


@pytest.mark.parametrize(
    ("given", "answered", "clear"),
    [
        ({"password": SIGNED, "username": "ada"}, SIGNED, ()),
        ({"password": "hush"}, SIGNED, ("Secret acme/s",)),
        ({"password": SIGNED}, {"password": "aHVzaA=="}, ("Secret acme/s",)),
    ],
)
def test_a_secret_in_the_clear_in_the_state_is_found(
    given: Any, answered: Any, clear: tuple[str, ...]
) -> None:
    state = exported(given, answered)

    assert (state.encryption, state.clear) == ("passphrase", clear)
    known = found(item("Secret", "s"), state=state)
    assert outcome(known["secrets"]) == ("fails" if clear else "holds")


@pytest.mark.parametrize(("ready", "expected"), [("True", "holds"), ("False", "fails"), (None, "fails")])
def test_what_a_store_holds_is_not_in_the_state(ready: str | None, expected: str) -> None:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    stored = item(
        "ExternalSecret",
        "mlflow",
        spec={"secretStoreRef": {"name": "vault"}},
        status={"conditions": conditions},
    )
    known = found(stored)["secrets"]

    assert outcome(known) == expected
    said = {
        "holds": "none is in the stack's state: 1 ExternalSecrets are filled from store vault",
        "fails": "not filled from their store: ExternalSecret acme/mlflow",
    }
    assert known.detail == said[expected]


def test_the_report_counts_and_fails_only_for_what_fails() -> None:
    target = cast(
        "Any", SimpleNamespace(platform="acme", description="c", stack="s", context="c", sandbox=False)
    )
    every = tuple(found(MLFLOW, checks=(LINE,)).values())
    good = tuple(each for each in every if outcome(each) != "fails")

    assert not Evidence(target, "starter", NOW, every).holds
    assert Evidence(target, "starter", NOW, good).holds
    shown = Evidence(target, "starter", NOW, every).as_json()
    assert sum(shown["summary"].values()) == len(shown["controls"]) == len(every)
    assert shown["controls"][0]["at"] == "2026-03-01T12:00:00+00:00"
    excepted = (found(space("gpus", "privileged"), declared=WHY)["pod-security"],)
    text = Evidence(target, "starter", NOW, excepted).markdown()
    assert "| Pods are restricted | **holds, with 1 exception** |" in text
    assert "## Exceptions\n\n- Pods are restricted: `Namespace gpus`: device plugins" in text
    assert "## Not known" in Evidence(target, "starter", NOW, good).markdown()
