"""What the engine's sentences are turned into. Each was said by the CLI, a provider or an API server."""

from __future__ import annotations

import pytest

from ziggurat.engine.changes import Diagnostic
from ziggurat.engine.failures import error_output, exit_code, failure, match
from ziggurat.errors import ZigguratError
from ziggurat.exit_codes import ExitCode

SENTENCES = [
    (
        'constructing secrets manager of type "passphrase": unable to find either '
        "`PULUMI_CONFIG_PASSPHRASE` or "
        "`PULUMI_CONFIG_PASSPHRASE_FILE` when trying to access the Passphrase Secrets Provider",
        ExitCode.SECRETS,
        "no passphrase is set",
    ),
    ("getting secrets manager: incorrect passphrase", ExitCode.SECRETS, "the passphrase is not the one"),
    (
        "Missing required configuration variable 'ziggurat:rootSecret'\n\tplease set a value",
        ExitCode.SECRETS,
        "no root secret",
    ),
    (
        "no resource plugin 'pulumi-resource-kubernetes' found in the workspace at "
        "version v4.34.2 or on your $PATH",
        ExitCode.TOOL,
        "the plugin pulumi-resource-kubernetes v4.34.2 is missing",
    ),
    ("no stack named 'acme' found", ExitCode.FAILED, "there is no stack acme"),
    (
        "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
        ExitCode.SECRETS,
        "not logged in",
    ),
    (
        "configured Kubernetes cluster is unreachable: unable to load schema information "
        "from the API server: "
        'Get "https://127.0.0.1:1/openapi/v2": dial tcp 127.0.0.1:1: connect: connection refused',
        ExitCode.CLUSTER,
        "the cluster cannot be reached",
    ),
    (
        'Post "https://h:1/api": dial tcp 10.0.0.1:6443: connect: connection refused',
        ExitCode.CLUSTER,
        "stopped",
    ),
    ("the server has asked for the client to provide credentials", ExitCode.CLUSTER, "expired"),
    (
        'namespaces is forbidden: User "system:serviceaccount:a:b" cannot create '
        'resource "namespaces" in API '
        'group "" at the cluster scope',
        ExitCode.CLUSTER,
        'system:serviceaccount:a:b may not create resource "namespaces"',
    ),
    (
        'resource "acme/mlflow" was not successfully created by the Kubernetes API server: services "mlflow" '
        "already exists",
        ExitCode.BLOCKED,
        'services "mlflow" exists already and this platform did not make it',
    ),
    (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
        ExitCode.BLOCKED,
        "kubectl-edit has taken over what the blueprint sets: .spec.replicas",
    ),
    (
        'pods "mlflow-0" is forbidden: violates PodSecurity "restricted:latest": '
        "runAsNonRoot != true (pod must "
        "not set securityContext.runAsUser)",
        ExitCode.FAILED,
        "Pod Security (restricted:latest) does not admit a pod: runAsNonRoot != true",
    ),
    (
        'pods "x" is forbidden: exceeded quota: team, requested: requests.cpu=2, used: '
        "requests.cpu=8, limited: "
        "requests.cpu=8",
        ExitCode.FAILED,
        "the quota team is used up: requested: requests.cpu=2",
    ),
    (
        'admission webhook "policy.example.com" denied the request: label owner is missing',
        ExitCode.FAILED,
        "admission policy policy.example.com refuses the object: label owner is missing",
    ),
    (
        'resource "urn:pulumi:acme::ziggurat::kubernetes:core/v1:Namespace::acme" cannot '
        "be deleted\nbecause it is "
        "protected. To unprotect the resource, remove the `protect` flag",
        ExitCode.BLOCKED,
        "delete or replace an object that holds data",
    ),
    (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
        '"spec.replicaz"',
        ExitCode.FAILED,
        "does not know a field of the object: spec.replicaz",
    ),
    (
        'the Kubernetes API server reported that "acme/mlflow" failed to fully '
        "initialize or become live: 'mlflow' "
        "timed out waiting to be Ready",
        ExitCode.FAILED,
        "did not become ready in time",
    ),
    (
        "acme.yaml:3:8: phase: unknown value (begin) — one of starter, automation",
        ExitCode.INVALID,
        "acme.yaml:3:8: phase: unknown value (begin)",
    ),
]


@pytest.mark.parametrize(("sentence", "code", "message"), SENTENCES, ids=[item[2][:40] for item in SENTENCES])
def test_a_known_sentence_becomes_an_error_of_its_kind(sentence: str, code: ExitCode, message: str) -> None:
    error = match(sentence, stack="acme", where="Service acme/mlflow")

    assert error is not None
    assert error.exit_code == code
    assert message in error.message
    assert "{" not in error.format_message()


@pytest.mark.parametrize("sentence", [item[0] for item in SENTENCES if item[1] != ExitCode.INVALID])
def test_every_known_sentence_has_a_remedy(sentence: str) -> None:
    error = match(sentence, stack="acme")

    assert error is not None
    assert error.remedy


def test_a_diagnostic_counts_before_what_the_command_printed_and_names_its_object() -> None:
    said = Diagnostic("error", 'services "mlflow" already exists', "urn:1")

    error = failure(
        "\n code: 255\n stdout: \n stderr: error: update failed",
        [said],
        names={"urn:1": "Service acme/mlflow"},
    )

    assert error.exit_code == ExitCode.BLOCKED
    assert error.where == "Service acme/mlflow"


def test_an_unknown_failure_is_shown_whole_as_the_engine_said_it() -> None:
    said = [
        Diagnostic("error", "something\nnobody knows", "urn:1"),
        Diagnostic("error", "update failed"),
        Diagnostic("warning", "not this"),
    ]

    error = failure(
        "\n code: 1\n stdout: x\n stderr: error: update failed", said, stack="a", names={"urn:1": "Job a/b"}
    )

    assert type(error) is ZigguratError
    assert "    Job a/b: something\n    nobody knows" in error.message
    assert "update failed" not in error.message
    assert "not this" not in error.message
    assert error.remedy


def test_without_diagnostics_the_command_s_own_complaint_is_shown() -> None:
    error = failure("\n code: 1\n stdout: \n stderr: error: the flux is out of phase\n", stack="acme")

    assert "the flux is out of phase" in error.message


@pytest.mark.parametrize(
    ("text", "code"), [("\n code: 7\n stdout: code: 9", 7), ("\n code: -2\n", -2), ("?", 1)]
)
def test_the_exit_code_is_read_from_the_head_of_the_text(text: str, code: int) -> None:
    assert exit_code(text) == code


def test_the_error_output_loses_its_frame() -> None:
    assert error_output("\n code: 1\n stdout: many\nlines\n stderr: error: one\nerror: two") == "one\ntwo"
