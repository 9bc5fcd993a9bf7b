"""What the checks' report says, and where the verb refuses to run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ziggurat import sandbox
from ziggurat.check import Outcome, Report, Result
from ziggurat.commands.check import require_containers
from ziggurat.errors import ClusterError
from ziggurat.exit_codes import ExitCode

TARGET = cast(
    "Any", SimpleNamespace(platform="acme", description="context prod", stack="s", context="c", sandbox=False)
)
GOOD = Result("health", "asks for its health", 0.1, Outcome.OK)
BAD = Result("run", "logs a run", 1.5, Outcome.FAILED, "403 no", "ziggurat up", "vision", "a port-forward")
SKIPPED = Result("isolation", "tries", 0, Outcome.SKIPPED, "one team only")


def test_a_failure_shows_its_time_and_remedy() -> None:
    text = Report(TARGET, "starter", (GOOD, BAD)).text()

    assert "failed     1.50 s  logs a run: 403 no\n        to do: ziggurat up" in text
    assert "team vision, through a port-forward" in text
    assert text.endswith("1 ok, 1 failed, 0 skipped; 1.6 s")


@pytest.mark.parametrize(
    ("results", "passed"),
    [((GOOD,), True), ((GOOD, SKIPPED), True), ((GOOD, BAD), False), ((SKIPPED,), False), ((), False)],
)
def test_it_passes_if_something_was_checked_and_nothing_failed(results: Any, passed: bool) -> None:
    assert Report(TARGET, "starter", results).passed is passed


@pytest.mark.parametrize("simulated", [True, False])
def test_a_sandbox_that_runs_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, simulated: bool) -> None:
    monkeypatch.setattr(sandbox, "status", lambda _settings: SimpleNamespace(simulated=simulated))
    run = cast("Any", SimpleNamespace(target=SimpleNamespace(sandbox=True, description=str(Path("x")))))

    if simulated:
        with pytest.raises(ClusterError, match="nothing serves in the sandbox") as raised:
            require_containers(run)
        assert raised.value.exit_code is ExitCode.CLUSTER
    else:
        require_containers(run)
