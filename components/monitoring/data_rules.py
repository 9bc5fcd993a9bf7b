"""The rules on what holds data: volumes, the database and its archive, the bucket, backups."""

from __future__ import annotations

from collections.abc import Iterable

from blueprints.model import Blueprint
from blueprints.model.storage import EmbeddedArtifacts, EmbeddedDatabase, HighlyAvailableDatabase
from blueprints.names import system_namespace
from components.manifests.metadata import Manifest
from components.monitoring.rule import PAGE, TICKET, alert, measured, own_namespaces, series, volumes_in_use


def storage(blueprint: Blueprint) -> Iterable[Manifest]:
    chosen = f'{{namespace=~"{own_namespaces(blueprint)}"}}'
    in_use, left = volumes_in_use(chosen), f"kubelet_volume_stats_available_bytes{chosen}"
    claim = "{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
    grow = "raise `storage` of the part in the blueprint, then ziggurat up (the class has to allow it)"
    yield alert(
        "VolumeNearlyFull",
        f"{in_use} > 0.9",
        lasting="10m",
        severity=PAGE,
        platform=blueprint.name,
        summary=f"volume {claim} has less than a tenth free",
        remedy=grow,
    )
    yield alert(
        "VolumeFullInDays",
        f"({in_use} > 0.6) and predict_linear({left}[6h], 4 * 86400) < 0",
        lasting="1h",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"volume {claim} is full within four days, if it goes on filling like this",
        remedy=grow,
    )


def backup(blueprint: Blueprint) -> Iterable[Manifest]:
    if blueprint.backup is None:
        return
    namespace = system_namespace(blueprint.name)
    job = f'{{namespace="{namespace}", cronjob="backup"}}'
    due, done = (
        f"kube_cronjob_status_last_schedule_time{job}",
        f"kube_cronjob_status_last_successful_time{job}",
    )
    yield alert(
        "BackupTooOld",
        f"({due} > {done}) or ({due} unless {done})",
        lasting="6h",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"no backup of {blueprint.name} has succeeded since the last one was due",
        remedy="ziggurat backup list; its pods tell why it failed; then ziggurat backup now",
    )
    yield alert(
        "BackupNotScheduled",
        f"(time() - kube_cronjob_next_schedule_time{job} > 3600) or (kube_cronjob_spec_suspend{job} == 1)",
        lasting="10m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"the backup of {blueprint.name} is suspended, or does not start when it is due",
        remedy=f"kubectl --namespace {namespace} describe cronjob backup",
    )


def _server_down(blueprint: Blueprint, server: str, name: str, what: str) -> Manifest:
    """One server on one volume: a StatefulSet of ours."""
    namespace = system_namespace(blueprint.name)
    chosen = f'{{namespace="{namespace}", statefulset="{server}"}}'
    return alert(
        name,
        f"kube_statefulset_status_replicas_ready{chosen} == 0",
        lasting="3m",
        severity=PAGE,
        platform=blueprint.name,
        summary=f"{what} of {blueprint.name} is not ready",
        remedy=f"kubectl --namespace {namespace} describe pod {server}-0; then its log",
    )


def database(blueprint: Blueprint) -> Iterable[Manifest]:
    if isinstance(blueprint.database, EmbeddedDatabase):
        yield _server_down(blueprint, "postgresql", "DatabaseDown", "the registry database")
    if not measured(blueprint, "postgresql"):
        return
    platform = blueprint.name
    up, standby, lag = (
        series(name, platform, job="postgresql")
        for name in ("cnpg_collector_up", "cnpg_pg_replication_in_recovery", "cnpg_pg_replication_lag")
    )
    yield alert(
        "DatabaseDown",
        f"(count({standby} == 0) or vector(0)) == 0",
        lasting="3m",
        severity=PAGE,
        platform=platform,
        summary=f"the registry database of {platform} has no primary, or none that can be measured",
        remedy=f"kubectl --namespace {platform} describe clusters.postgresql.cnpg.io",
    )
    yield alert(
        "DatabaseServerDown",
        f"{up} == 0",
        lasting="10m",
        severity=TICKET,
        platform=platform,
        summary="server {{ $labels.pod }} of the registry database does not answer",
        remedy="its log; CloudNativePG makes it anew if its volume is lost",
    )
    yield alert(
        "DatabaseLag",
        f"{lag} > 300",
        lasting="10m",
        severity=TICKET,
        platform=platform,
        summary="server {{ $labels.pod }} of the registry database is {{ $value }} seconds behind",
        remedy="is its volume full, or its node busy? nobody is promoted who is far behind",
    )


def archive(blueprint: Blueprint) -> Iterable[Manifest]:
    """Of the instance manager, and of the plugin, which each server shows: one alert, not one for each."""
    database, platform = blueprint.database, blueprint.name
    if not isinstance(database, HighlyAvailableDatabase) or database.archive is None:
        return
    waiting = series("cnpg_collector_pg_wal_archive_status", platform, job="postgresql", value="ready")
    failed, made = (
        f"max({series(f'barman_cloud_cloudnative_pg_io_{name}_backup_timestamp', platform)})"
        for name in ("last_failed", "last_available")
    )
    log = "logs --container plugin-barman-cloud, of the primary's pod, says why"
    yield alert(
        "DatabaseNotArchived",
        f"max({waiting}) > 5",
        lasting="15m",
        severity=PAGE,
        platform=platform,
        summary=f"{{{{ $value }}}} files of the log of {platform}'s database wait for the bucket: they fill "
        "its volume, and what is in them cannot be recovered",
        remedy=f"is the bucket there, and not full? kubectl --namespace {platform} {log}",
    )
    yield alert(
        "DatabaseBaseBackupMissing",
        f"({failed} > {made}) or ({made} == 0)",
        lasting="1h",
        severity=TICKET,
        platform=platform,
        summary=f"the last base backup of {platform}'s database failed, or there has been none",
        remedy=f"kubectl --namespace {platform} describe backups.postgresql.cnpg.io tells why",
    )


def bucket(blueprint: Blueprint) -> Iterable[Manifest]:
    if not isinstance(blueprint.artifacts, EmbeddedArtifacts):
        return
    yield _server_down(blueprint, "seaweedfs", "BucketDown", "the artifact bucket")
    own = series("SeaweedFS_s3_request_total", blueprint.name)
    bad = f'{own[:-1]}, code=~"5.."}}'
    yield alert(
        "BucketErrors",
        f"sum(rate({bad}[15m])) / sum(rate({own}[15m])) > 0.05",
        lasting="15m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"the bucket of {blueprint.name} answers more than 5 % of requests with 5xx",
        remedy="the log of seaweedfs; is its volume full?",
    )
