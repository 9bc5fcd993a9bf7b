"""What the checks of a platform came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from ziggurat.engine.runs import describe
from ziggurat.engine.target import Target


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be carried out, or there is nothing to check; the detail says why."""


@dataclass(frozen=True)
class Result:
    """What one check did, and what came of it."""

    name: str
    what: str
    seconds: float
    outcome: Outcome
    detail: str = ""
    remedy: str = ""
    team: str = ""
    """Empty for a check of the platform as a whole."""
    way: str = ""
    """How the tracking server was reached; empty for a check of the cluster."""

    def lines(self) -> list[str]:
        """The result for a person."""
        text = f"    {self.outcome:<7}  {self.seconds:6.2f} s  {self.what}"
        shown = [f"{text}: {self.detail}" if self.detail else text]
        return [*shown, f"        to do: {self.remedy}"] if self.remedy else shown


@dataclass(frozen=True)
class Report:
    """Every result, in the order of the checks."""

    target: Target
    phase: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether something was checked, and nothing failed."""
        outcomes = [result.outcome for result in self.results]
        return Outcome.OK in outcomes and Outcome.FAILED not in outcomes

    def count(self) -> dict[str, int]:
        """How many checks ended in each way."""
        counted = Counter(result.outcome for result in self.results)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    def as_json(self) -> dict[str, Any]:
        """The report for a machine."""
        return {
            **describe(self.target, self.phase),
            "passed": self.passed,
            "summary": self.count(),
            "checks": [
                {**asdict(result), "outcome": result.outcome.value, "seconds": round(result.seconds, 3)}
                for result in self.results
            ],
        }

    def text(self) -> str:
        """The report for a person: a line for each check, then how many ended in each way."""
        lines = [f"{self.target.platform} ({self.phase}) on {self.target.description}"]
        for (way, team), results in groupby(self.results, key=lambda result: (result.way, result.team)):
            place = f"team {team}" if team else "the platform"
            lines.append(f"  {place}{f', through {way}' if way else ''}")
            lines += [line for result in results for line in result.lines()]
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.count().items())
        took = sum(result.seconds for result in self.results)
        return "\n".join([*lines, f"{counted}; {took:.1f} s"])
