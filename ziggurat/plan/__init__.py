"""The plan: everything that a blueprint comes to, made in this process.

No engine, no cluster, no network: the program runs under a recording monitor (recording.py), and each
object is checked against Kubernetes' own schemas (schemas.py).
"""

from ziggurat.plan.comparison import Difference, ObjectChange, compare
from ziggurat.plan.footprint import Footprint, footprint
from ziggurat.plan.model import MASK, Plan, PlannedComponent, PlannedObject, SchemaProblem, SchemaReport
from ziggurat.plan.planning import PLANNING_SECRET, plan, plan_object_set
from ziggurat.plan.schemas import (
    DEFAULT_VERSION,
    available_versions,
    check_schemas,
    nearest_version,
    report_schemas,
)

__all__ = [
    "DEFAULT_VERSION",
    "MASK",
    "PLANNING_SECRET",
    "Difference",
    "Footprint",
    "ObjectChange",
    "Plan",
    "PlannedComponent",
    "PlannedObject",
    "SchemaProblem",
    "SchemaReport",
    "available_versions",
    "check_schemas",
    "compare",
    "footprint",
    "nearest_version",
    "plan",
    "plan_object_set",
    "report_schemas",
]
