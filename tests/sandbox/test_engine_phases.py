"""Every shipped blueprint, provisioned as it is shipped: by the real engine, onto a real API server.

The automation platform climbs to orchestration; the enterprise platform, whose database is another, starts
from nothing. With real definitions at hand (docs/testing.md) the API server holds custom resources to them.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
NAME = "acme-ml"
SECONDS = 900


@pytest.fixture(scope="module")
def shipped(machine):
    """A function that puts a shipped blueprint where the platform's blueprint is, and gives its path."""

    def put(phase: str) -> Path:
        return Path(shutil.copy(BLUEPRINTS / f"{phase}.yaml", machine.folder / f"{NAME}.yaml"))

    return put


def up(machine, blueprint: Path) -> dict[str, Any]:
    """Provisions it; what `up` printed. Says how long it took: the figure is for whoever reads the log."""
    began = time.monotonic()
    ran = machine.finish(machine.start("up", blueprint, "--yes", "--json"), SECONDS)
    assert ran.code == 0, ran.text
    made = ran.json["summary"].get("create", 0)
    phase = blueprint.read_text().split("phase: ")[1].split()[0]
    print(f"\n{phase}: {made} made, {time.monotonic() - began:.0f} s")
    return ran.json


def settled(machine, blueprint: Path) -> dict[str, int]:
    """What a preview would change."""
    ran = machine.finish(machine.start("preview", blueprint, "--json"), SECONDS)
    assert ran.code == 0, ran.text
    return {operation: count for operation, count in ran.json["summary"].items() if operation != "same"}


def claims(machine) -> dict[tuple[str, str], str]:
    """The uid of each volume claim of the platform."""
    found: dict[tuple[str, str], str] = {}
    for claim in machine.cluster.objects("v1", "PersistentVolumeClaim", ""):
        metadata = claim["metadata"]
        if metadata["namespace"].startswith(NAME):
            found[metadata["namespace"], metadata["name"]] = metadata["uid"]
    return found


def destroy(machine, blueprint: Path) -> None:
    """Takes the platform down with its data; nothing is left but definitions that Helm keeps."""
    ran = machine.finish(
        machine.start("destroy", blueprint, "--with-data", "--confirm", NAME, "--json"), SECONDS
    )
    assert ran.code == 0, ran.text
    assert [each for each in ran.json["left"] if not each.startswith("CustomResourceDefinition ")] == []


def test_a_platform_climbs_from_automation_to_orchestration(machine, shipped):
    blueprint = shipped("automation")
    up(machine, blueprint)
    before = claims(machine)
    assert before

    blueprint = shipped("orchestration")
    changed = up(machine, blueprint)["summary"]
    assert changed.get("create", 0) > 0
    after = claims(machine)
    assert {place: after.get(place) for place in before} == before
    assert settled(machine, blueprint) == {}

    destroy(machine, blueprint)


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


def test_the_enterprise_platform_from_nothing(machine, shipped):
    blueprint = shipped("enterprise")
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
