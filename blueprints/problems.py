"""What is wrong with a blueprint, said so that its writer can mend it at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, at one place of the file.

    Lines and columns count from 1, as editors do; 0 means that the problem has no place (a file that
    cannot be read). `value` is empty where showing it helps nobody.
    """

    file: str
    line: int
    column: int
    path: str
    """Where in the blueprint, such as `teams.vision.quota.cpu`; empty for the whole document."""
    message: str
    """What is wrong."""
    value: str = ""
    """The value that is wrong, as written."""
    rule: str = ""
    """The rule that it breaks."""
    remedy: str = ""
    """What to do, or the nearest valid key."""

    def __str__(self) -> str:
        """`file:line:column: path: what is wrong (value) — the rule — what to do`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        what = f"{self.message} ({self.value})" if self.value else self.message
        head = ": ".join(part for part in (place, self.path, what) if part)
        return " — ".join(part for part in (head, self.rule, self.remedy) if part)


class BlueprintError(Exception):
    """A blueprint that cannot be used, with everything that is wrong with it, in the file's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
