"""Monitoring: metrics, alerts and dashboards."""

from typing import Annotated

from blueprints.model.base import Part
from blueprints.model.scalars import text

Duration = Annotated[str, text("^[1-9][0-9]*[hdwy]$", "a number of hours, days, weeks or years, such as 15d")]


class Monitoring(Part):
    """Metrics, alerts and dashboards."""

    retention: Duration = "15d"
    """How long metrics are kept."""
