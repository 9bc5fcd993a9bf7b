"""The evidence of a platform, as Markdown and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ziggurat.engine.runs import describe
from ziggurat.engine.target import Target


class Outcome(StrEnum):
    """What is known of a control."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
    """Nothing shows whether it holds; the detail says what would."""
    ABSENT = "absent"
    """The blueprint does not ask for it."""


@dataclass(frozen=True)
class Exempt:
    """An object that a control does not hold for, as the platform decided."""

    object: str
    reason: str
    """Why so, as the platform declares where it makes the object."""


@dataclass(frozen=True)
class Finding:
    """One control: what implements it, how it was looked at, and what came of it."""

    id: str
    title: str
    check: str
    """What was looked at, or the command that proves it."""
    objects: tuple[str, ...]
    """What implements it, as found on the cluster."""
    outcome: Outcome
    detail: str
    at: datetime
    """When it was looked at."""
    exceptions: tuple[Exempt, ...] = ()
    """What was left out of the judgement, and why. What deviates and is not among these makes it fail."""

    @property
    def result(self) -> str:
        """The outcome for a person: `holds, with 2 exceptions`."""
        count = len(self.exceptions)
        more = f", with {count} exception{'s' if count > 1 else ''}" if count else ""
        return f"{self.outcome}{more}"

    def as_json(self) -> dict[str, Any]:
        """The finding for a machine."""
        return {
            "control": self.id,
            "title": self.title,
            "objects": list(self.objects),
            "check": self.check,
            "result": self.outcome.value,
            "detail": self.detail,
            "exceptions": [{"object": each.object, "reason": each.reason} for each in self.exceptions],
            "at": self.at.isoformat(timespec="seconds"),
        }

    def row(self) -> str:
        """The finding as a row of a table."""
        cells = (self.title, f"**{self.result}**", self.detail, self.check, _shown(self.objects))
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@dataclass(frozen=True)
class Evidence:
    """Every control of a platform."""

    target: Target
    phase: str
    at: datetime
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether no control fails. What is unknown does not fail, and is not known to hold."""
        return all(each.outcome is not Outcome.FAILS for each in self.findings)

    def count(self) -> dict[str, int]:
        """How many controls came to what."""
        counted = Counter(each.outcome for each in self.findings)
        return {outcome.value: counted[outcome] for outcome in Outcome}

    def as_json(self) -> dict[str, Any]:
        """The evidence for a machine."""
        return {
            **describe(self.target, self.phase),
            "at": self.at.isoformat(timespec="seconds"),
            "summary": self.count(),
            "controls": [each.as_json() for each in self.findings],
        }

    def markdown(self) -> str:
        """The evidence for a person."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.count().items())
        lines = [
            f"# Evidence: {self.target.platform}",
            "",
            f"Phase {self.phase}, on {self.target.description}, {self.at:%Y-%m-%d %H:%M:%S UTC}: {counted}.",
            "",
            "| control | result | what was found | how | objects on the cluster |",
            "|---|---|---|---|---|",
            *(each.row() for each in self.findings),
        ]
        excepted = [(each.title, exempt) for each in self.findings for exempt in each.exceptions]
        if excepted:
            rows = [f"- {title}: `{exempt.object}`: {exempt.reason}" for title, exempt in excepted]
            lines += ["", "## Exceptions", "", *rows]
        unknown = [each for each in self.findings if each.outcome is Outcome.UNKNOWN]
        if unknown:
            lines += ["", "## Not known", "", *(f"- {each.title}: {each.detail}" for each in unknown)]
        return "\n".join(lines)


def _shown(objects: tuple[str, ...]) -> str:
    return "<br>".join(f"`{each}`" for each in objects) or "none"
