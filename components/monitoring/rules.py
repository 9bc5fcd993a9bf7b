"""The rules: whether the tracking server keeps its objective, and what else somebody has to see to.

The objective is 99.9 % over 30 days. What counts against it is the share of time in which no server works
(`ziggurat_tracking_up`: each server asks itself for something in the database) and, of the rest, the share of
requests that are answered 5xx. The alerts are those of Google's SRE workbook: several windows, several rates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, EmbeddedDatabase, HighlyAvailableDatabase
from blueprints.names import monitoring_namespace, system_namespace
from components.manifests.metadata import Manifest
from components.monitoring.parts import embedded
from components.monitoring.targets import targets

OBJECTIVE = 0.999
"""The share of time and requests that has to be good."""
PAGE, TICKET = "page", "ticket"
"""Severities: now, whatever the hour; within some days."""


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


def groups(blueprint: Blueprint) -> list[Manifest]:
    """Every group of rules that a platform has something for."""
    found = (
        ("tracking-objective", [*_recordings(blueprint.name), *_burns(blueprint.name)]),
        ("tracking", _tracking(blueprint.name)),
        ("storage", _storage(blueprint)),
        ("backup", _backup(blueprint)),
        ("workloads", _workloads(blueprint)),
        ("bucket", _bucket(blueprint)),
        ("database", [*_database(blueprint), *_archive(blueprint)]),
        ("certificates", _certificates(blueprint)),
        ("gpus", _gpus(blueprint)),
        ("queues", _queues(blueprint)),
        ("targets", _targets(blueprint)),
    )
    listed = ((name, list(rules)) for name, rules in found)
    return [{"name": f"{blueprint.name}-{name}", "rules": rules} for name, rules in listed if rules]


def _record(name: str, expression: str, platform: str) -> Manifest:
    return {"record": name, "expr": expression, "labels": {"platform": platform}}


def _alert(
    name: str,
    expression: str,
    *,
    severity: str,
    platform: str,
    summary: str,
    remedy: str,
    lasting: str = "",
) -> Manifest:
    return {
        "alert": name,
        "expr": expression,
        **({"for": lasting} if lasting else {}),
        "labels": {"severity": severity, "platform": platform},
        "annotations": {"summary": summary, "remedy": remedy},
    }


def _series(name: str, platform: str, **labels: str) -> str:
    chosen = "".join(f', {label}="{value}"' for label, value in labels.items())
    return f'{name}{{platform="{platform}"{chosen}}}'


def _recordings(platform: str) -> Iterable[Manifest]:
    """What is down, what fails, and both together, over each window."""
    up = _series("ziggurat_tracking_up", platform)
    yield _record("ziggurat:tracking_up:ratio", f"avg({up}) or vector(0)", platform)
    requests = "mlflow_http_request_total"
    own = f'{{platform="{platform}"}}'
    for window in WINDOWS:
        down = f"1 - avg_over_time(ziggurat:tracking_up:ratio{own}[{window}])"
        yield _record(f"ziggurat:tracking_down:ratio_{window}", down, platform)
        bad = f'sum(rate({requests}{{platform="{platform}", status=~"5.."}}[{window}]))'
        every = f"sum(rate({requests}{own}[{window}]))"
        # Nothing asked, nothing failed: 0 / 0 is no number, and `> 0` leaves it out.
        failed = f"(({bad} or vector(0)) / ({every} > 0)) or vector(0)"
        yield _record(f"ziggurat:tracking_errors:ratio_{window}", failed, platform)
        missed = (
            f"ziggurat:tracking_down:ratio_{window}{own} + (1 - ziggurat:tracking_down:ratio_{window}{own}) "
            f"* ziggurat:tracking_errors:ratio_{window}{own}"
        )
        yield _record(f"ziggurat:tracking_missed:ratio_{window}", missed, platform)


def _burns(platform: str) -> Iterable[Manifest]:
    own = f'{{platform="{platform}"}}'
    for burn in BURNS:
        # A threshold, as text that is the same everywhere: 14.4 * 0.001 is 0.0144.
        over = f"{burn.factor * round(1 - OBJECTIVE, 6):.6g}"
        windows = (
            f"ziggurat:tracking_missed:ratio_{window}{own} > {over}" for window in (burn.long, burn.short)
        )
        yield _alert(
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


def _tracking(platform: str) -> Iterable[Manifest]:
    yield _alert(
        "TrackingDown",
        f'ziggurat:tracking_up:ratio{{platform="{platform}"}} == 0',
        lasting="3m",
        severity=PAGE,
        platform=platform,
        summary=f"no MLflow server of {platform} works, or none is measured",
        remedy="ziggurat status --deep; if the servers are ready and answer 503, see to the database",
    )


def _volumes(namespaces: str) -> tuple[str, str]:
    chosen = f'{{namespace=~"{namespaces}"}}'
    free = f"kubelet_volume_stats_available_bytes{chosen} / kubelet_volume_stats_capacity_bytes{chosen}"
    return chosen, free


def _own_namespaces(blueprint: Blueprint) -> str:
    """A pattern of the platform's own namespaces; teams see to their own volumes and pods."""
    platform = system_namespace(blueprint.name)
    return f"{platform}|{platform}-(monitoring|gpu)"


def _storage(blueprint: Blueprint) -> Iterable[Manifest]:
    chosen, free = _volumes(_own_namespaces(blueprint))
    claim = "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
    grow = "raise `storage` of the part in the blueprint, then ziggurat up (the class has to allow it)"
    yield _alert(
        "VolumeNearlyFull",
        f"{free} < 0.1",
        lasting="10m",
        severity=PAGE,
        platform=blueprint.name,
        summary=f"volume {claim} has less than a tenth free",
        remedy=grow,
    )
    yield _alert(
        "VolumeFullInDays",
        f"({free} < 0.4) and predict_linear(kubelet_volume_stats_available_bytes{chosen}[6h], 4 * 86400) < 0",
        lasting="1h",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"volume {claim} is full within four days, if it goes on filling like this",
        remedy=grow,
    )


def _backup(blueprint: Blueprint) -> Iterable[Manifest]:
    if blueprint.backup is None:
        return
    namespace = system_namespace(blueprint.name)
    job = f'{{namespace="{namespace}", cronjob="backup"}}'
    due, done = (
        f"kube_cronjob_status_last_schedule_time{job}",
        f"kube_cronjob_status_last_successful_time{job}",
    )
    yield _alert(
        "BackupTooOld",
        f"({due} > {done}) or ({due} unless {done})",
        lasting="6h",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"no backup of {blueprint.name} has succeeded since the last one was due",
        remedy="ziggurat backup list; its pods tell why it failed; then ziggurat backup now",
    )
    yield _alert(
        "BackupNotScheduled",
        f"(time() - kube_cronjob_next_schedule_time{job} > 3600) or (kube_cronjob_spec_suspend{job} == 1)",
        lasting="10m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"the backup of {blueprint.name} is suspended, or does not start when it is due",
        remedy=f"kubectl --namespace {namespace} describe cronjob backup",
    )


def _workloads(blueprint: Blueprint) -> Iterable[Manifest]:
    chosen = f'{{namespace=~"{_own_namespaces(blueprint)}"}}'
    kinds = (
        ("Deployment", "kube_deployment_status_replicas_available", "kube_deployment_spec_replicas"),
        ("StatefulSet", "kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"),
    )
    for kind, ready, wanted in kinds:
        yield _alert(
            f"{kind}Short",
            f"{ready}{chosen} < {wanted}{chosen}",
            lasting="15m",
            severity=TICKET,
            platform=blueprint.name,
            summary=f"{kind} {{{{ $labels.namespace }}}}/{{{{ $labels.{kind.lower()} }}}} lacks ready pods",
            remedy="ziggurat status --deep",
        )
    yield _alert(
        "ContainerRestarts",
        f"increase(kube_pod_container_status_restarts_total{chosen}[1h]) > 3",
        severity=TICKET,
        platform=blueprint.name,
        summary="{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} starts again and again",
        remedy="kubectl logs --previous; an exit by OOMKilled means that its memory limit is too low",
    )
    yield _alert(
        "JobFailed",
        f'kube_job_failed{chosen[:-1]}, condition="true"}} > 0',
        lasting="5m",
        severity=TICKET,
        platform=blueprint.name,
        summary="Job {{ $labels.namespace }}/{{ $labels.job_name }} failed",
        remedy="its pods tell why (kubectl logs --all-containers); ziggurat up makes a Job of ours anew",
    )


def _server_down(blueprint: Blueprint, name: str, alert: str, what: str) -> Manifest:
    """One server on one volume: a StatefulSet of ours."""
    chosen = f'{{namespace="{system_namespace(blueprint.name)}", statefulset="{name}"}}'
    return _alert(
        alert,
        f"kube_statefulset_status_replicas_ready{chosen} == 0",
        lasting="3m",
        severity=PAGE,
        platform=blueprint.name,
        summary=f"{what} of {blueprint.name} is not ready",
        remedy=f"kubectl --namespace {system_namespace(blueprint.name)} describe pod {name}-0; then its log",
    )


def _database(blueprint: Blueprint) -> Iterable[Manifest]:
    if isinstance(blueprint.database, EmbeddedDatabase):
        yield _server_down(blueprint, "postgresql", "DatabaseDown", "the registry database")
    if not _measured(blueprint, "postgresql"):
        return
    platform = blueprint.name
    up, standby, lag = (
        _series(name, platform, job="postgresql")
        for name in ("cnpg_collector_up", "cnpg_pg_replication_in_recovery", "cnpg_pg_replication_lag")
    )
    yield _alert(
        "DatabaseDown",
        f"(count({standby} == 0) or vector(0)) == 0",
        lasting="3m",
        severity=PAGE,
        platform=platform,
        summary=f"the registry database of {platform} has no primary, or none that can be measured",
        remedy=f"kubectl --namespace {platform} describe clusters.postgresql.cnpg.io",
    )
    yield _alert(
        "DatabaseServerDown",
        f"{up} == 0",
        lasting="10m",
        severity=TICKET,
        platform=platform,
        summary="server {{ $labels.pod }} of the registry database does not answer",
        remedy="its log; CloudNativePG makes it anew if its volume is lost",
    )
    yield _alert(
        "DatabaseLag",
        f"{lag} > 300",
        lasting="10m",
        severity=TICKET,
        platform=platform,
        summary="server {{ $labels.pod }} of the registry database is {{ $value }} seconds behind",
        remedy="is its volume full, or its node busy? nobody is promoted who is far behind",
    )


def _archive(blueprint: Blueprint) -> Iterable[Manifest]:
    """Of the instance manager, and of the plugin, which each server shows: one alert, not one for each."""
    database, platform = blueprint.database, blueprint.name
    if not isinstance(database, HighlyAvailableDatabase) or database.archive is None:
        return
    waiting = _series("cnpg_collector_pg_wal_archive_status", platform, job="postgresql", value="ready")
    failed, made = (
        f"max({_series(f'barman_cloud_cloudnative_pg_io_{name}_backup_timestamp', platform)})"
        for name in ("last_failed", "last_available")
    )
    log = "logs --container plugin-barman-cloud, of the primary's pod, says why"
    yield _alert(
        "DatabaseNotArchived",
        f"max({waiting}) > 5",
        lasting="15m",
        severity=PAGE,
        platform=platform,
        summary=f"{{{{ $value }}}} files of the log of {platform}'s database wait for the bucket: they fill "
        "its volume, and what is in them cannot be recovered",
        remedy=f"is the bucket there, and not full? kubectl --namespace {platform} {log}",
    )
    yield _alert(
        "DatabaseBaseBackupMissing",
        f"({failed} > {made}) or ({made} == 0)",
        lasting="1h",
        severity=TICKET,
        platform=platform,
        summary=f"the last base backup of {platform}'s database failed, or there has been none",
        remedy=f"kubectl --namespace {platform} describe backups.postgresql.cnpg.io tells why",
    )


def _certificates(blueprint: Blueprint) -> Iterable[Manifest]:
    if not _measured(blueprint, "cert-manager"):
        return
    ends = _series("certmanager_certificate_expiration_timestamp_seconds", blueprint.name)
    yield _alert(
        "CertificateEnds",
        f"{ends} - time() < 10 * 86400",
        lasting="1h",
        severity=TICKET,
        platform=blueprint.name,
        summary="certificate {{ $labels.exported_namespace }}/{{ $labels.name }} ends within ten days",
        remedy="kubectl describe certificate tells why cert-manager has not renewed it",
    )


def _bucket(blueprint: Blueprint) -> Iterable[Manifest]:
    if not isinstance(blueprint.artifacts, EmbeddedArtifacts):
        return
    yield _server_down(blueprint, "seaweedfs", "BucketDown", "the artifact bucket")
    own = _series("SeaweedFS_s3_request_total", blueprint.name)
    bad = f'{own[:-1]}, code=~"5.."}}'
    yield _alert(
        "BucketErrors",
        f"sum(rate({bad}[15m])) / sum(rate({own}[15m])) > 0.05",
        lasting="15m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"the bucket of {blueprint.name} answers more than 5 % of requests with 5xx",
        remedy="the log of seaweedfs; is its volume full?",
    )


def _measured(blueprint: Blueprint, name: str) -> bool:
    return any(target.name == name for target in targets(blueprint))


def _gpus(blueprint: Blueprint) -> Iterable[Manifest]:
    if not _measured(blueprint, "dcgm"):
        return
    gpu = "GPU {{ $labels.gpu }} of node {{ $labels.Hostname }}"
    yield _alert(
        "GpuError",
        f"{_series('DCGM_FI_DEV_XID_ERRORS', blueprint.name)} > 0",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"{gpu} reports XID {{{{ $value }}}}",
        remedy="look the XID up at NVIDIA; drain the node if it is one of the hardware",
    )
    yield _alert(
        "GpuTooHot",
        f"{_series('DCGM_FI_DEV_GPU_TEMP', blueprint.name)} > 90",
        lasting="10m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"{gpu} has {{{{ $value }}}} degrees Celsius",
        remedy="drain the node, and see to its cooling",
    )


def _queues(blueprint: Blueprint) -> Iterable[Manifest]:
    if not _measured(blueprint, "kueue"):
        return
    # Of any status: Kueue calls inadmissible whatever it has tried once, also what only waits for its turn.
    waits = f"{_of_queue('kueue_pending_workloads', blueprint)} > 0"
    yield _alert(
        "QueueStuck",
        f"{waits} unless {_of_queue('kueue_admitted_active_workloads', blueprint)} > 0",
        lasting="6h",
        severity=TICKET,
        platform=blueprint.name,
        summary="work waits in {{ $labels.cluster_queue }}, and for six hours none of that queue has run",
        remedy="kubectl describe workloads in the team's namespace: does it ask for more than the queue may "
        "ever have (`quota`, the pool's `nodes.max`)? do other teams have it all?",
    )
    yield _alert(
        "QueueInactive",
        f"{waits} and {_of_queue('kueue_cluster_queue_status', blueprint, status='active')} == 0",
        lasting="15m",
        severity=TICKET,
        platform=blueprint.name,
        summary="work waits in {{ $labels.cluster_queue }}, which is not active and lets nothing run",
        remedy="kubectl describe clusterqueue {{ $labels.cluster_queue }}: its condition Active says why "
        "(stopped, a ResourceFlavor that is missing)",
    )


def _of_queue(name: str, blueprint: Blueprint, **labels: str) -> str:
    """What Kueue counts for each queue: the same by each of its replicas, so the most of them."""
    return f"max by (cluster_queue, platform) ({_series(name, blueprint.name, **labels)})"


def _targets(blueprint: Blueprint) -> Iterable[Manifest]:
    yield _alert(
        "NotMeasured",
        f"{_series('up', blueprint.name)} == 0",
        lasting="15m",
        severity=TICKET,
        platform=blueprint.name,
        summary="{{ $labels.job }}, pod {{ $labels.pod }}, cannot be measured",
        remedy="is the pod ready? does a NetworkPolicy of yours stop Prometheus?",
    )
    if embedded(blueprint):
        own = f'{{namespace="{monitoring_namespace(blueprint.name)}"}}'
        yield _alert(
            "RulesFail",
            f"increase(prometheus_rule_evaluation_failures_total{own}[15m]) > 0",
            severity=TICKET,
            platform=blueprint.name,
            summary="Prometheus cannot evaluate a rule: {{ $labels.rule_group }}",
            remedy="the log of Prometheus tells which, and why",
        )
