"""Evidence for auditors: each control, the objects that implement it, how it was looked at, what came of it.

`facts.py` reads the cluster and the state, `controls.py` is the table of controls, `report.py` shows them.
"""

from ziggurat.evidence.controls import gather
from ziggurat.evidence.facts import Facts
from ziggurat.evidence.report import Evidence, Finding, Outcome

__all__ = ["Evidence", "Facts", "Finding", "Outcome", "gather"]
