"""Checking a running platform as its users use it: round trips, and refusals where they must be.

`report.py` says what a check came to, `server.py` speaks to MLflow and `ways.py` is how it gets there,
`checks.py` has the checks as tables, `visit.py` carries them out and cleans up.
"""

from __future__ import annotations

from ziggurat.check.report import Outcome, Report, Result
from ziggurat.check.visit import check_platform

__all__ = ["Outcome", "Report", "Result", "check_platform"]
