"""The rules, evaluated by Prometheus's own promtool over made-up hours and days.

ZIGGURAT_TEST_PROMTOOL names it; by default it is looked for on the PATH. Without it these tests are skipped,
and say so. (go install github.com/prometheus/prometheus/cmd/promtool@v0.316.0)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from blueprints import load
from components.monitoring import objective, rules
from components.monitoring.dashboards import dashboards

VARIANTS = Path(__file__).parents[2] / "program" / "variants"
NAMES = ("database-archive", "monitoring", "monitoring-alerts", "monitoring-existing", "monitoring-login")


@pytest.fixture(scope="module")
def promtool() -> str:
    found = os.environ.get("ZIGGURAT_TEST_PROMTOOL") or shutil.which("promtool")
    if not found:
        pytest.skip("there is no promtool: name one in ZIGGURAT_TEST_PROMTOOL")
    return found


def written(name: str, folder: Path) -> Path:
    """The rules of a variant, as a file of Prometheus's."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"groups": rules.groups(load(VARIANTS / f"{name}.yaml").blueprint)}))
    return file


@pytest.mark.parametrize("name", NAMES)
def test_prometheus_takes_every_rule(promtool, name, tmp_path):
    file = written(name, tmp_path)
    done = subprocess.run(
        [promtool, "check", "rules", "--lint-fatal", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_prometheus_takes_every_query_of_a_dashboard(promtool, name, tmp_path):
    blueprint = load(VARIANTS / f"{name}.yaml").blueprint
    queries = [
        expression
        for board in dashboards(blueprint)
        for panel in board.panels
        for expression, _ in panel.queries
    ]
    made = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": made}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


UP = 'ziggurat_tracking_up{job="mlflow", platform="acme-ml", pod="mlflow-a"}'
GOOD = 'mlflow_http_request_total{job="mlflow", platform="acme-ml", method="GET", status="200"}'
BAD = 'mlflow_http_request_total{job="mlflow", platform="acme-ml", method="GET", status="500"}'
COUNT = 'count by (severity, window) (ALERTS{alertname="TrackingErrorBudget", alertstate="firing"})'


def firing(*windows: str) -> list[dict[str, Any]]:
    severity = {burn.long: burn.severity for burn in objective.BURNS}
    return [
        {"labels": f'{{severity="{severity[window]}", window="{window}"}}', "value": 1} for window in windows
    ]


def run(
    promtool: str, folder: Path, series: dict[str, str], asked: list[tuple[str, str, list[dict]]]
) -> None:
    """Lets promtool evaluate the rules over `series` and holds each (time, expression) to its samples."""
    test = {
        "rule_files": [str(written("monitoring-alerts", folder))],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"eval_time": when, "expr": expression, "exp_samples": samples}
                    for when, expression, samples in asked
                ],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_healthy_server_alerts_nobody(promtool, tmp_path):
    series = {UP: "1x1440", GOOD: "0+600x1440", BAD: "0x1440"}
    everything = 'count(ALERTS{alertname=~"Tracking.*"})'
    missed = 'ziggurat:tracking_missed:ratio_1h{platform="acme-ml"}'
    run(
        promtool,
        tmp_path,
        series,
        [
            ("1d", everything, []),
            ("1d", missed, [{"labels": 'ziggurat:tracking_missed:ratio_1h{platform="acme-ml"}', "value": 0}]),
        ],
    )


def test_nobody_asking_is_no_outage(promtool, tmp_path):
    run(promtool, tmp_path, {UP: "1x360"}, [("6h", 'count(ALERTS{alertname=~"Tracking.*"})', [])])


def test_2_percent_of_errors_page_within_the_hour_and_1_percent_do_not(promtool, tmp_path):
    fast = {UP: "1x120", GOOD: "0+980x120", BAD: "0+20x120"}
    run(promtool, tmp_path, fast, [("1h", COUNT, firing("1h", "6h", "1d", "3d"))])
    slower = {UP: "1x120", GOOD: "0+990x120", BAD: "0+10x120"}
    run(promtool, tmp_path, slower, [("1h", COUNT, firing("6h", "1d", "3d"))])


def test_a_server_that_is_down_pages_though_no_request_is_counted(promtool, tmp_path):
    down = {UP: "1x240 0x60", GOOD: "0+600x240 144000x60"}
    alert = 'count(ALERTS{alertname="TrackingDown", alertstate="firing"})'
    run(
        promtool,
        tmp_path,
        down,
        [
            ("4h", COUNT, []),
            ("4h2m", alert, []),
            ("4h6m", alert, [{"labels": "{}", "value": 1}]),
            # Six minutes of an hour are a tenth, 100 times what the objective allows.
            ("4h6m", COUNT, firing("1h", "6h", "1d", "3d")),
        ],
    )


def test_a_server_that_cannot_be_measured_is_down(promtool, tmp_path):
    gone = {UP: "1x60 _x30", GOOD: "0+600x60 _x30"}
    alert = 'count(ALERTS{alertname="TrackingDown", alertstate="firing"})'
    run(promtool, tmp_path, gone, [("1h15m", alert, [{"labels": "{}", "value": 1}])])


def test_an_outage_that_is_over_stops_paging_by_the_short_window(promtool, tmp_path):
    over = {UP: "1x240 0x10 1x120", GOOD: "0+600x370"}
    run(
        promtool,
        tmp_path,
        over,
        [("4h9m", COUNT, firing("1h", "6h", "1d", "3d")), ("4h20m", COUNT, firing("6h", "1d", "3d"))],
    )


def test_a_slow_leak_is_a_ticket_and_no_page(promtool, tmp_path):
    leak = {UP: "1x2880", GOOD: "0+996x2880", BAD: "0+4x2880"}
    run(promtool, tmp_path, leak, [("2d", COUNT, firing("1d", "3d"))])


def test_half_of_the_servers_being_down_counts_half(promtool, tmp_path):
    other = UP.replace("mlflow-a", "mlflow-b")
    half = 'ziggurat:tracking_missed:ratio_5m{platform="acme-ml"}'
    run(
        promtool,
        tmp_path,
        {UP: "1x60", other: "0x60"},
        [("1h", half, [{"labels": 'ziggurat:tracking_missed:ratio_5m{platform="acme-ml"}', "value": 0.5}])],
    )


CRON = 'namespace="acme-ml", cronjob="backup"'


@pytest.mark.parametrize(
    ("due", "done", "old"),
    [(86400, 86400 + 300, False), (86400, 300, True), (86400, None, True)],
    ids=["succeeded", "failed", "never"],
)
def test_a_backup_that_was_due_and_has_not_succeeded_is_a_ticket(promtool, tmp_path, due, done, old):
    series = {f"kube_cronjob_status_last_schedule_time{{{CRON}}}": f"{due}x600"}
    if done:
        series[f"kube_cronjob_status_last_successful_time{{{CRON}}}"] = f"{done}x600"
    alert = 'count(ALERTS{alertname="BackupTooOld", alertstate="firing"})'
    run(promtool, tmp_path, series, [("7h", alert, [{"labels": "{}", "value": 1}] if old else [])])


def test_a_volume_pages_before_it_is_full(promtool, tmp_path):
    """Fullness is of what may be used: the reserve for root of a half-full volume is not in use."""
    volumes = (
        ("acme-ml", "postgresql-data", 82, 9),
        ("acme-ml", "half-full-with-a-reserve", 9, 9),
        ("other", "a", 99, 1),
    )
    series: dict[str, str] = {}
    for space, claim, used, available in volumes:
        labels = f'{{namespace="{space}", persistentvolumeclaim="{claim}"}}'
        for which, size in (("capacity", 100), ("used", used), ("available", available)):
            series[f"kubelet_volume_stats_{which}_bytes{labels}"] = f"{size}x600"
    alert = 'count by (persistentvolumeclaim) (ALERTS{alertname="VolumeNearlyFull", alertstate="firing"})'
    expected = [{"labels": '{persistentvolumeclaim="postgresql-data"}', "value": 1}]
    run(promtool, tmp_path, series, [("30m", alert, expected)])


KUEUE = 'platform="acme-ml", cluster_queue="acme-ml-vision"'
WAITS = f'kueue_pending_workloads{{{KUEUE}, status="inadmissible"}}'
RUNS = f"kueue_admitted_active_workloads{{{KUEUE}}}"
ACTIVE = f'kueue_cluster_queue_status{{{KUEUE}, status="active"}}'


def queue_alerts(*names: str) -> list[dict[str, Any]]:
    return [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]


@pytest.mark.parametrize(
    ("waits", "runs", "active", "after_an_hour", "after_seven"),
    [
        ("3x420", "2x420", "1x420", (), ()),
        ("3x420", "0x420", "1x420", (), ("QueueStuck",)),
        ("3x420", "_x420", "1x420", (), ("QueueStuck",)),
        ("3x420", "0x200 1x5 0x215", "1x420", (), ()),
        ("3x420", "2x420", "0x420", ("QueueInactive",), ("QueueInactive",)),
        ("0x420", "0x420", "0x420", (), ()),
    ],
    ids=["waits for its turn", "stuck", "never ran", "ran in between", "inactive", "inactive and unused"],
)
def test_waiting_alone_is_no_alert(promtool, tmp_path, waits, runs, active, after_an_hour, after_seven):
    fires = 'count by (alertname) (ALERTS{alertname=~"Queue.*", alertstate="firing"})'
    run(
        promtool,
        tmp_path,
        {WAITS: waits, RUNS: runs, ACTIVE: active},
        [("1h", fires, queue_alerts(*after_an_hour)), ("6h55m", fires, queue_alerts(*after_seven))],
    )
