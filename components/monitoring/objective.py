"""Whether the tracking server keeps its objective.

The objective is 99.9 % over 30 days. What counts against it is the share of time in which no server works
(`ziggurat_tracking_up`: each server asks itself for something in the database) and, of the rest, the share of
requests that are answered 5xx. The alerts are those of Google's SRE workbook: several windows, several rates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from components.manifests.metadata import Manifest
from components.monitoring.rule import PAGE, TICKET, alert, record, series

OBJECTIVE = 0.999
"""The share of time and requests that has to be good."""


@dataclass(frozen=True)
class Burn:
    """An alert on how fast the error budget goes: over `long`, and still over `short`."""

    factor: float
    """How many times as fast as would use it up in exactly 30 days."""
    long: str
    short: str
    severity: str
    budget: str
    """How much of the budget is gone when it fires."""


BURNS = (
    Burn(14.4, "1h", "5m", PAGE, "2 %"),
    Burn(6, "6h", "30m", PAGE, "5 %"),
    Burn(3, "1d", "2h", TICKET, "10 %"),
    Burn(1, "3d", "6h", TICKET, "10 %"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def recordings(platform: str) -> Iterable[Manifest]:
    """What is down, what fails, and both together, over each window."""
    up = series("ziggurat_tracking_up", platform)
    yield record("ziggurat:tracking_up:ratio", f"avg({up}) or vector(0)", platform)
    requests = "mlflow_http_request_total"
    own = f'{{platform="{platform}"}}'
    for window in WINDOWS:
        down = f"1 - avg_over_time(ziggurat:tracking_up:ratio{own}[{window}])"
        yield record(f"ziggurat:tracking_down:ratio_{window}", down, platform)
        bad = f'sum(rate({requests}{{platform="{platform}", status=~"5.."}}[{window}]))'
        every = f"sum(rate({requests}{own}[{window}]))"
        # Nothing asked, nothing failed: 0 / 0 is no number, and `> 0` leaves it out.
        failed = f"(({bad} or vector(0)) / ({every} > 0)) or vector(0)"
        yield record(f"ziggurat:tracking_errors:ratio_{window}", failed, platform)
        missed = (
            f"ziggurat:tracking_down:ratio_{window}{own} + (1 - ziggurat:tracking_down:ratio_{window}{own}) "
            f"* ziggurat:tracking_errors:ratio_{window}{own}"
        )
        yield record(f"ziggurat:tracking_missed:ratio_{window}", missed, platform)


def burns(platform: str) -> Iterable[Manifest]:
    own = f'{{platform="{platform}"}}'
    for burn in BURNS:
        # A threshold, as text that is the same everywhere: 14.4 * 0.001 is 0.0144.
        over = f"{burn.factor * round(1 - OBJECTIVE, 6):.6g}"
        windows = (
            f"ziggurat:tracking_missed:ratio_{window}{own} > {over}" for window in (burn.long, burn.short)
        )
        yield alert(
            "TrackingErrorBudget",
            " and ".join(windows),
            severity=burn.severity,
            platform=platform,
            summary=f"MLflow of {platform} misses its objective: {burn.factor:g} times the error rate that "
            f"{OBJECTIVE:.1%} allows, over {burn.long} and {burn.short}; {burn.budget} of the budget of 30 "
            "days is gone",
            remedy="ziggurat status --deep; the dashboard Tracking tells whether servers are down or answer "
            "5xx",
        ) | {"labels": {"severity": burn.severity, "platform": platform, "window": burn.long}}


def tracking(platform: str) -> Iterable[Manifest]:
    yield alert(
        "TrackingDown",
        f'ziggurat:tracking_up:ratio{{platform="{platform}"}} == 0',
        lasting="3m",
        severity=PAGE,
        platform=platform,
        summary=f"no MLflow server of {platform} works, or none is measured",
        remedy="ziggurat status --deep; if the servers are ready and answer 503, see to the database",
    )
