"""Strict offline checks: what they find, how they say it, and that they are quick."""

from __future__ import annotations

import copy
import subprocess
import sys
import time

import pytest

from ziggurat.plan.model import MASK, SchemaProblem
from ziggurat.plan.schemas import available_versions, check_schemas, nearest_version, report_schemas

GOOD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "mlflow", "namespace": "acme"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "mlflow"}},
        "template": {
            "metadata": {"labels": {"app": "mlflow"}},
            "spec": {
                "containers": [
                    {
                        "name": "mlflow",
                        "image": "mlflow:3",
                        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                    }
                ]
            },
        },
    },
}


def changed(*path, to):
    manifest = copy.deepcopy(GOOD)
    at = manifest
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return manifest


CONTAINER = ("spec", "template", "spec", "containers", 0)


def test_a_good_object_has_no_problem():
    report = report_schemas([GOOD])
    assert (report.version, report.checked, report.problems, report.unchecked) == ("1.36", 1, (), ())


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (
            changed("spec", "replicaz", to=1),
            "Deployment acme/mlflow: spec.replicaz: Kubernetes 1.36 has no such field "
            "— did you mean `replicas`?",
        ),
        (
            changed(*CONTAINER, "imagePullPolicyy", to="Always"),
            "Deployment acme/mlflow: spec.template.spec.containers[0].imagePullPolicyy: "
            "Kubernetes 1.36 has no such field — did you mean `imagePullPolicy`?",
        ),
        (
            changed("spec", "replicas", to="two"),
            "Deployment acme/mlflow: spec.replicas: must be of type integer — change its type",
        ),
        (
            changed(*CONTAINER, to={"image": "mlflow:3"}),
            "Deployment acme/mlflow: spec.template.spec.containers[0]: the field `name` is missing — set it",
        ),
        (
            changed(*CONTAINER, "resources", "limits", "cpu", to=["1"]),
            "Deployment acme/mlflow: spec.template.spec.containers[0].resources.limits.cpu: "
            "has a value of the wrong type — write a string or a number",
        ),
        (
            changed("metadata", "labels", to={"app.kubernetes.io/name": 7}),
            'Deployment acme/mlflow: metadata.labels["app.kubernetes.io/name"]: '
            "must be of type string — change its type",
        ),
        (
            {"apiVersion": "apps/v1", "kind": "Deploymnt", "metadata": {"name": "x"}},
            "Deploymnt x: kind: Kubernetes 1.36 has no apps/v1 Deploymnt — did you mean `Deployment`?",
        ),
        (
            {"apiVersion": "apps/v1", "kind": "CronJob", "metadata": {"name": "x"}},
            "CronJob x: kind: Kubernetes 1.36 has no apps/v1 CronJob — CronJob is in batch/v1",
        ),
    ],
)
def test_each_problem_names_object_place_and_remedy(manifest, problem):
    assert [str(each) for each in check_schemas([manifest])] == [problem]


def test_a_value_is_never_shown():
    problems = check_schemas([changed("spec", "replicas", to="hush-hush")])
    assert problems
    assert "hush-hush" not in "".join(map(str, problems))


def test_masked_values_pass():
    assert check_schemas([changed("spec", "replicas", to=MASK)]) == ()


def test_custom_resources_are_reported_as_not_checked(monkeypatch):
    monkeypatch.delenv("ZIGGURAT_TEST_CRDS", raising=False)
    queue = {"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "ClusterQueue", "metadata": {"name": "all"}}
    report = report_schemas([GOOD, queue])
    assert (report.checked, report.unchecked) == (1, ("ClusterQueue all",))


def test_a_field_may_be_of_a_later_version():
    hostnames = changed("spec", "template", "spec", "hostnameOverride", to="x")
    assert check_schemas([hostnames], "1.36") == ()
    assert check_schemas([hostnames], "1.30") == (
        SchemaProblem(
            "Deployment acme/mlflow",
            "spec.template.spec.hostnameOverride",
            "Kubernetes 1.30 has no such field",
            "did you mean `hostname`?",
        ),
    )


@pytest.mark.parametrize(
    ("cluster", "schemas"),
    [
        ("1.33", "1.33"),
        ("v1.33.4-gke.12", "1.33"),
        ("1.33+", "1.33"),
        ("v1.33.1+k3s1", "1.33"),
        ("1.12", "oldest"),
        ("1.99", "newest"),
    ],
)
def test_nearest_version(cluster, schemas):
    versions = available_versions()
    assert nearest_version(cluster) == {"oldest": versions[0], "newest": versions[-1]}.get(schemas, schemas)


@pytest.mark.parametrize("version", ["latest", "", "1", "one.two"])
def test_a_version_that_is_none(version):
    with pytest.raises(ValueError, match="is not a Kubernetes version such as"):
        nearest_version(version)


def test_warm_checks_take_microseconds():
    check_schemas([GOOD])
    started = time.process_time()
    assert check_schemas([GOOD] * 5_000) == ()
    assert (time.process_time() - started) / 5_000 < 100e-6


def test_the_package_of_the_schemas_is_not_imported():
    code = (
        "import sys; from ziggurat.plan.schemas import check_schemas;"
        "check_schemas([{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'x'}}]);"
        "print([name for name in ('kubernetes_validate', 'jsonschema', 'pulumi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
