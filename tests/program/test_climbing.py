"""Climbing: what a higher phase makes of a platform that runs, as its plans and its rules say."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from blueprints import load
from blueprints.changes import illegal_changes
from blueprints.phases import Phase
from ziggurat.plan import compare, plan

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
STATEFUL = {"PersistentVolumeClaim", "Namespace", "StatefulSet", "Cluster"}

PLATFORM = """\
apiVersion: ziggurat/v1
name: climbing
phase: {phase}
teams: {{vision: {{groups: [ml-vision]}}, pricing: {{}}}}
tracking: {{host: mlflow.acme.io}}
auth: {{mode: embedded, host: login.acme.io, users: {{a@acme.io: {{groups: [ml-vision]}}}}}}
gateway: {{tls: {{secretName: hosts}}}}
"""


def of_phase(folder: Path, phase: Phase):
    file = folder / f"{phase}.yaml"
    file.write_text(PLATFORM.format(phase=phase))
    return load(file)


@pytest.mark.parametrize(("low", "high"), list(combinations(Phase, 2)))
def test_raising_the_phase_alone_moves_nothing_that_holds_data(tmp_path, low, high):
    before, after = of_phase(tmp_path, low), of_phase(tmp_path, high)

    assert illegal_changes(before.resolved(), after.blueprint) == ()
    difference = compare(plan(before), plan(after))
    assert not [change for change in difference.changes if change.touches_data]
    changed = {(change.action, change.planned.kind) for change in difference.changes}
    # The number of tracking servers is all that a phase sets by itself; what is stateful stays to the letter.
    assert {kind for _, kind in changed} <= {"Deployment", "Stash"}
    assert {action for action, _ in changed} <= {"changes"}


@pytest.mark.parametrize(
    ("low", "high"), [("starter", "automation"), ("automation", "orchestration")], ids=lambda name: name
)
def test_the_shipped_blueprints_are_steps_of_one_platform(low, high):
    before, after = load(BLUEPRINTS / f"{low}.yaml"), load(BLUEPRINTS / f"{high}.yaml")

    assert illegal_changes(before.resolved(), after.blueprint) == ()
    difference = compare(plan(before), plan(after))
    harmed = [c for c in difference.changes if c.planned.kind in STATEFUL and c.action in ("goes", "moves")]
    assert harmed == []
    assert not [change for change in difference.changes if change.touches_data]


def test_the_enterprises_database_is_a_step_of_its_own():
    before, after = load(BLUEPRINTS / "orchestration.yaml"), load(BLUEPRINTS / "enterprise.yaml")

    (change,) = illegal_changes(before.resolved(), after.blueprint)
    assert (change.path, change.before, change.after) == ("database.mode", "embedded", "highlyAvailable")
