"""The shipped enterprise blueprint from nothing, as its database is another than that of the phases before.

In a file of its own, as it takes longer than any other (test files run beside each other).
"""

from __future__ import annotations

import pytest
from shipped import NAME, SECONDS, destroy, put, settled, up

pytestmark = pytest.mark.sandbox
CHECKPOINTS = False

EVIDENCE = {
    "pod-security": "holds",
    "networks": "holds",
    "anonymous": "unknown",
    "isolation": "unknown",
    "quota": "holds",
    "tokens": "holds",
    "pipelines-identity": "holds",
    "database": "holds",
    "backups": "unknown",
    "backups-verified": "unknown",
    "database-archive": "unknown",
    "database-availability": "unknown",
    "encryption": "unknown",
    "alerts": "holds",
    "images": "holds",
    "admission-registries": "holds",
    "admission-tags": "holds",
    "admission-requests": "holds",
    "admission-gpu-queue": "holds",
    "secrets": "holds",
}
"""What each control comes to. Nothing of cert-manager and CloudNativePG runs here that would say more."""


def test_the_enterprise_platform_from_nothing(machine):
    blueprint = put(machine, "enterprise")
    said = up(machine, blueprint)
    assert {chart.split()[0] for chart in said["chartsNotInstalled"]} >= {
        "cloudnative-pg", "plugin-barman-cloud", "cert-manager", "gateway-helm", "kueue", "kserve-resources",
        "kube-prometheus-stack",
    }  # fmt: skip
    assert settled(machine, blueprint) == {}

    audited = machine.finish(machine.start("evidence", blueprint, "--json"), SECONDS)
    controls = {each["control"]: each for each in audited.json["controls"]}
    assert {control: each["result"] for control, each in controls.items()} == EVIDENCE
    assert audited.code == 0, audited.text
    exempt = {
        control: {each["object"] for each in found["exceptions"]}
        for control, found in controls.items()
        if found["exceptions"]
    }
    assert exempt.keys() == {"pod-security", "tokens"}
    assert exempt["pod-security"] == {f"Namespace {NAME}-gpu"}

    destroy(machine, blueprint)
