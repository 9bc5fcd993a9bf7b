"""Katib: what it may do and where, who may reach it, and that its pods pass the teams' namespaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plans import found

from components.tuning import katib_config
from components.versions import ImageSource
from ziggurat.plan.model import Plan

VARIANT = Path(__file__).parents[2] / "program" / "variants" / "tuning.yaml"


def test_it_makes_things_in_the_namespaces_of_teams_alone(planned: Plan) -> None:
    roles = {name: each["rules"] for (_, name), each in found(planned, "ClusterRole").items()}
    everywhere = {verb for rule in roles["acme-ml-katib"] for verb in rule["verbs"]}
    assert everywhere == {"get", "list", "watch"}
    (bound,) = found(planned, "ClusterRoleBinding").values()
    assert bound["roleRef"]["name"] == "acme-ml-katib"
    in_teams = {
        namespace
        for (namespace, _), each in found(planned, "RoleBinding").items()
        if each["roleRef"]["name"] == "acme-ml-katib-trials"
    }
    assert in_teams == {"acme-ml-vision", "acme-ml-pricing"}


def test_it_reads_no_secrets(planned: Plan) -> None:
    for each in found(planned, "ClusterRole").values():
        assert not any({"secrets", "*"} & set(rule["resources"]) for rule in each["rules"])


def test_its_webhooks_see_the_platforms_teams_alone_and_stop_no_pod(planned: Plan) -> None:
    hooks = [
        hook
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        for each in found(planned, kind).values()
        for hook in each["webhooks"]
    ]
    labels = found(planned, "Namespace")[None, "acme-ml-vision"]["metadata"]["labels"]
    for hook in hooks:
        selector = hook["namespaceSelector"]
        assert selector["matchLabels"].items() <= labels.items()
        assert selector["matchLabels"]["app.kubernetes.io/instance"] == "acme-ml"
    policies = {hook["name"].split(".")[0]: hook["failurePolicy"] for hook in hooks}
    assert policies == {"defaulter": "Fail", "mutator": "Ignore", "validator": "Fail"}


def test_the_webhooks_certificate_is_for_the_service_that_the_api_server_calls(planned: Plan) -> None:
    (certificate,) = found(planned, "Certificate").values()
    (webhook,) = found(planned, "ValidatingWebhookConfiguration").values()
    service = webhook["webhooks"][0]["clientConfig"]["service"]
    assert f"{service['name']}.{service['namespace']}.svc" in certificate["spec"]["dnsNames"]
    injected = webhook["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert injected == f"acme-ml/{certificate['metadata']['name']}"
    (port,) = found(planned, "Service")["acme-ml", "katib-controller"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, "webhook")


def test_the_database_listens_inside_its_pod_and_its_volume_is_protected(planned: Plan) -> None:
    server = found(planned, "StatefulSet")["acme-ml", "katib-db-manager"]
    database = server["spec"]["template"]["spec"]["containers"][1]
    assert "listen_addresses=127.0.0.1" in database["args"]
    assert "ports" not in database
    (claim,) = [each for each in planned.objects if each.object_name == "katib-data"]
    assert claim.protected
    assert claim.manifest["spec"]["storageClassName"] == "fast"


def test_suggestions_answer_the_controller_alone(planned: Plan) -> None:
    spec = found(planned, "NetworkPolicy")["acme-ml-vision", "katib-suggestions"]["spec"]
    (rule,) = spec["ingress"]
    (caller,) = rule["from"]
    assert caller["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "katib-controller"
    assert rule["ports"] == [{"protocol": "TCP", "port": 6789}]


def test_what_suggests_and_collects_passes_restricted() -> None:
    told = json.loads(katib_config(ImageSource("mirror.acme/ml"), training=True))
    assert told["init"]["controller"]["injectSecurityContext"] is True
    for each in told["runtime"]["suggestions"]:
        context = each["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert each["serviceAccountName"] == "team"
        assert each["image"].startswith("mirror.acme/ml/kubeflow/katib/")
    assert "earlyStoppings" not in told["runtime"]


@pytest.mark.parametrize("training", [True, False])
def test_trials_are_jobs_and_trainjobs_where_there_is_training(training: bool) -> None:
    told = json.loads(katib_config(ImageSource(), training=training))
    kinds = [name.split(".")[0] for name in told["init"]["controller"]["trialResources"]]
    assert kinds == (["Job", "TrainJob"] if training else ["Job"])


def test_templates_of_trials_are_of_the_teams_own_namespace(planned: Plan) -> None:
    """Katib reads them as itself, and says in its refusals what it has read."""
    (bound,) = found(planned, "ValidatingAdmissionPolicyBinding").values()
    (policy,) = found(planned, "ValidatingAdmissionPolicy").values()
    assert bound["spec"]["policyName"] == policy["metadata"]["name"] == "acme-ml-experiment-templates"
    assert bound["spec"]["validationActions"] == ["Deny"]
    hooks = found(planned, "ValidatingWebhookConfiguration").values()
    (asked,) = (hook["rules"][0] for each in hooks for hook in each["webhooks"])
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {key: rule[key] for key in asked} == asked, "whatever Katib is asked about"
    assert "configMapNamespace == object.metadata.namespace" in policy["spec"]["validations"][0]["expression"]
