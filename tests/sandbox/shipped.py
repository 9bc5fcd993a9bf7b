"""The shipped blueprints, provisioned as they are shipped."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
NAME = "acme-ml"
SECONDS = 900


def put(machine, phase: str) -> Path:
    """Puts a shipped blueprint where the platform's blueprint is; its path."""
    return Path(shutil.copy(BLUEPRINTS / f"{phase}.yaml", machine.folder / f"{NAME}.yaml"))


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
