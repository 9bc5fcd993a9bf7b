"""`ziggurat plan` as a user runs it: another process, real output, real exit codes."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from blueprints import load
from ziggurat.plan import plan, plan_object_set

ROOT = Path(__file__).parents[2]
TWO_TEAMS = Path(__file__).parent / "variants" / "two-teams.yaml"


def process(*arguments, cwd=ROOT, **variables):
    return subprocess.run(
        [sys.executable, "-m", "ziggurat", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def edited(tmp_path):
    def edit(*changes):
        text = TWO_TEAMS.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file = tmp_path / "edited.yaml"
        file.write_text(text)
        return file

    return edit


def test_plan_for_people():
    done = process("plan", TWO_TEAMS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("acme-ml, phase starter: planned offline\n")
    assert "PersistentVolumeClaim  acme-ml/postgresql-data" in done.stdout
    assert "no problem" in done.stdout.splitlines()[-1]


def test_plan_for_machines(ziggurat):
    done = ziggurat("plan", TWO_TEAMS, "--json")
    shown = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown["platform"] == "acme-ml"
    assert {each["kind"] for each in shown["objects"] if each["holdsData"]} == {
        "Namespace",
        "PersistentVolumeClaim",
    }


def test_plan_takes_less_than_a_second(tmp_path):
    """The goal is 1 s from a cold start; counted here is CPU time, as other work may share the machine.

    Python compiles a program once, so the first run, which does, is not counted. Other work makes a run take
    more, never less: the best of some is what it takes.
    """
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("plan", ROOT / "blueprints/starter.yaml", **compiled).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    taken: list[float] = []
    while len(taken) < 8 and min(taken, default=2) >= 1.5:
        taken.append(once())
    assert min(taken) < 1.5, taken


def test_same_bytes_whatever_the_machine(tmp_path):
    runs = {
        process(
            "plan", TWO_TEAMS, "--json", cwd=cwd, PYTHONHASHSEED=seed, KUBECONFIG=kubeconfig, HOME=str(home)
        ).stdout
        for cwd, seed, kubeconfig, home in ((ROOT, "1", "", tmp_path), (tmp_path, "2", "/no/such/file", ROOT))
    }
    assert len(runs) == 1


def test_plans_of_one_process_are_equal():
    first, second = plan(load(TWO_TEAMS)), plan(load(TWO_TEAMS))
    assert first == second
    assert plan_object_set(first) == plan_object_set(second)


def test_a_wrong_blueprint_is_refused(tmp_path, ziggurat):
    (tmp_path / "wrong.yaml").write_text("apiVersion: ziggurat/v1\nname: acme\nphase: starter\nteamz: {}\n")
    done = ziggurat("plan", tmp_path / "wrong.yaml")
    assert (done.returncode, done.stdout) == (3, "")
    assert "wrong.yaml:4:1: teamz" in done.stderr


def test_a_version_that_is_none_is_refused(ziggurat):
    done = ziggurat("plan", TWO_TEAMS, "--kubernetes", "newest")
    assert done.returncode == 2
    assert "'newest' is not a Kubernetes version such as 1.36; known are 1.25 to " in done.stderr


def test_an_unknown_version_takes_the_nearest_and_says_so(ziggurat):
    done = ziggurat("plan", TWO_TEAMS, "--kubernetes", "v1.99.3")
    assert done.returncode == 0
    assert done.stderr.startswith("no schemas of Kubernetes v1.99.3 are known; the nearest are those of 1.")


def test_what_could_not_be_checked_is_one_line(ziggurat, monkeypatch):
    monkeypatch.delenv("ZIGGURAT_TEST_CRDS", raising=False)
    queues = TWO_TEAMS.with_name("queues.yaml")
    done = ziggurat("plan", queues)
    (note,) = done.stderr.splitlines()
    assert re.fullmatch(r"note: (\d+) objects were not checked, .*: (\d+ \w+(, )?)+", note)
    assert "2 LocalQueue, 2 Release, " in note
    listed = json.loads(ziggurat("plan", queues, "--json").stdout)
    assert len(listed["kubernetes"]["unchecked"]) == int(note.split()[1])


def test_no_difference(edited, ziggurat):
    done = ziggurat("plan", TWO_TEAMS, "--diff", edited())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("no difference: the same ")


def test_a_team_more_loses_nothing(edited, ziggurat):
    done = ziggurat("plan", edited(("  pricing: {}", "  pricing: {}\n  fraud: {}")), "--diff", TWO_TEAMS)
    assert done.returncode == 0
    assert "+ Namespace acme-ml-fraud  holds data" in done.stdout
    assert "nothing that holds data goes" in done.stdout


def test_a_team_less_is_told_to_lose_its_namespace(edited, ziggurat):
    done = ziggurat("plan", edited(("  pricing: {}", "")), "--diff", TWO_TEAMS)
    assert "- Namespace acme-ml-pricing  holds data" in done.stdout
    assert "data would not come along: Namespace acme-ml-pricing" in done.stdout


def test_a_changed_quota_is_told_by_its_field(edited, ziggurat):
    file = edited(("memory: 32Gi", "memory: 64Gi"))
    done = ziggurat("plan", file, "--diff", TWO_TEAMS, "--json")
    changes = json.loads(done.stdout)["changes"]
    assert [(each["action"], each["kind"], each["namespace"]) for each in changes] == [
        ("changes", "ResourceQuota", "acme-ml-vision")
    ]
    assert {(field["before"], field["after"]) for field in changes[0]["fields"]} == {("32Gi", "64Gi")}


def test_an_object_that_kubernetes_would_refuse(monkeypatch, capsys):
    """A component is made to misspell a field: the plan names it, and fails."""
    from components.manifests import configuration
    from ziggurat.cli import run

    real = configuration.service_account

    def misspelt(*arguments, **options):
        return real(*arguments, **options) | {"automountServiceAccountTokn": False}

    monkeypatch.setattr(configuration, "service_account", misspelt)
    assert run(["plan", str(TWO_TEAMS)]) == 1
    errors = capsys.readouterr().err
    assert (
        "ServiceAccount acme-ml/mlflow: automountServiceAccountTokn: Kubernetes 1.36 has no such field "
        "— did you mean `automountServiceAccountToken`?" in errors
    )
    assert run(["render", str(TWO_TEAMS), "--output", "-"]) == 1
    assert capsys.readouterr().out == ""
