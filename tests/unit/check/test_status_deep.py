"""`ziggurat status --deep`: what the platform is made of and what its checks came to, together."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kube_api import OUTPUTS, serve

from ziggurat.check import Outcome, Result
from ziggurat.cli import run
from ziggurat.engine.state import Managed

Status = Callable[..., SimpleNamespace]
GOOD = Result("run", "logs a run", 0.2, Outcome.OK, team="vision", way="a port-forward")
BAD = Result("run", "logs a run", 0.2, Outcome.FAILED, "403 no", "ziggurat up", "vision", "a port-forward")


@pytest.fixture
def platform(objects: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """An opened platform of one Service, whose cluster is the test's API server."""
    objects["/api/v1/namespaces/acme/services"] = [{"metadata": {"name": "mlflow"}, "spec": {}}]
    service = Managed("urn", "v1", "Service", "mlflow", "acme", False, {})
    target = SimpleNamespace(
        platform="acme", stack="acme", description="context c", context="c", sandbox=False
    )
    engine = SimpleNamespace(
        target=target,
        outputs=lambda: OUTPUTS,
        last_update=lambda: None,
        state=SimpleNamespace(objects=(service,), releases=(), half_done=False, exists=True),
    )
    opened = SimpleNamespace(target=target, engine=engine, phase="starter")
    monkeypatch.setattr("ziggurat.commands.status.open_platform", lambda *_, **__: opened)
    with serve(objects, 1, tmp_path) as (_, cluster):  # nobody listens on port 1
        monkeypatch.setattr("ziggurat.engine.preflight.connect", lambda _: (cluster, "id"))
        monkeypatch.setattr("ziggurat.engine.preflight.require_same_cluster", lambda *_: False)
        yield opened


@pytest.fixture
def status(capsys: pytest.CaptureFixture[str]) -> Status:
    def call(*arguments: str) -> SimpleNamespace:
        code = run(["status", *arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(code=int(code), out=printed.out, err=printed.err)

    return call


def checks_end(monkeypatch: pytest.MonkeyPatch, *results: Result) -> None:
    monkeypatch.setattr("ziggurat.check.check_platform", lambda *_, **__: results)


def test_without_deep_nothing_is_used(platform: Any, status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    checks_end(monkeypatch, BAD)

    result = status("--json")

    assert (result.code, json.loads(result.out)["ready"]) == (0, True)
    assert "check" not in json.loads(result.out)


@pytest.mark.parametrize(("ended", "code"), [((GOOD,), 0), ((GOOD, BAD), 1), ((), 1)])
def test_a_platform_is_well_only_if_its_checks_are(
    platform: Any, status: Status, monkeypatch: pytest.MonkeyPatch, ended: tuple[Result, ...], code: int
) -> None:
    checks_end(monkeypatch, *ended)

    result = status("--deep", "--json")
    shown = json.loads(result.out)

    assert (result.code, shown["ready"], shown["check"]["passed"]) == (code, True, code == 0)
    assert [each["name"] for each in shown["check"]["checks"]] == [each.name for each in ended]


def test_the_text_has_both_and_what_to_do(
    platform: Any, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks_end(monkeypatch, GOOD, BAD)

    out = status("--deep").out

    assert "1 of 1 objects, ready" in out
    assert "failed     0.20 s  logs a run: 403 no\n        to do: ziggurat up" in out
    assert out.index("1 of 1 objects") < out.index("logs a run")


def test_checks_that_pass_do_not_hide_what_is_missing(
    platform: Any, objects: dict[str, Any], status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks_end(monkeypatch, GOOD)
    objects["/api/v1/namespaces/acme/services"] = []

    result = status("--deep", "--json")

    assert (result.code, json.loads(result.out)["ready"]) == (1, False)
    assert json.loads(result.out)["check"]["passed"] is True


def test_the_checks_really_run(platform: Any, status: Status) -> None:
    result = status("--deep", "--json")

    ended = {each["name"]: each["outcome"] for each in json.loads(result.out)["check"]["checks"]}
    assert (result.code, ended["volumes"], ended["health"]) == (1, "ok", "failed")


def test_a_platform_of_which_nothing_is_there_is_not_checked(platform: Any, status: Status) -> None:
    platform.engine.state.objects = ()

    result = status("--deep", "--json")

    assert result.code == 1
    assert "check" not in json.loads(result.out)


def test_simulated_pods_are_not_checked(
    platform: Any, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.target.sandbox = True
    monkeypatch.setattr("ziggurat.sandbox.status", lambda _: SimpleNamespace(simulated=True))

    result = status("--deep")

    assert (result.code, "nothing serves in the sandbox" in result.err) == (4, True)
