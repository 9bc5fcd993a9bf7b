"""Every rule of a platform: the objective of its tracking server, and what else somebody has to see to."""

from __future__ import annotations

from collections.abc import Iterable

from blueprints.model import Blueprint
from blueprints.names import monitoring_namespace
from components.manifests.metadata import Manifest
from components.monitoring import data_rules, objective
from components.monitoring.parts import embedded
from components.monitoring.rule import TICKET, alert, measured, own_namespaces, series


def groups(blueprint: Blueprint) -> list[Manifest]:
    """Every group of rules that a platform has something for."""
    found = (
        ("tracking-objective", [*objective.recordings(blueprint.name), *objective.burns(blueprint.name)]),
        ("tracking", objective.tracking(blueprint.name)),
        ("storage", data_rules.storage(blueprint)),
        ("backup", data_rules.backup(blueprint)),
        ("workloads", _workloads(blueprint)),
        ("bucket", data_rules.bucket(blueprint)),
        ("database", [*data_rules.database(blueprint), *data_rules.archive(blueprint)]),
        ("certificates", _certificates(blueprint)),
        ("gpus", _gpus(blueprint)),
        ("queues", _queues(blueprint)),
        ("targets", _targets(blueprint)),
    )
    listed = ((name, list(rules)) for name, rules in found)
    return [{"name": f"{blueprint.name}-{name}", "rules": rules} for name, rules in listed if rules]


def _workloads(blueprint: Blueprint) -> Iterable[Manifest]:
    chosen = f'{{namespace=~"{own_namespaces(blueprint)}"}}'
    kinds = (
        ("Deployment", "kube_deployment_status_replicas_available", "kube_deployment_spec_replicas"),
        ("StatefulSet", "kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"),
    )
    for kind, ready, wanted in kinds:
        yield alert(
            f"{kind}Short",
            f"{ready}{chosen} < {wanted}{chosen}",
            lasting="15m",
            severity=TICKET,
            platform=blueprint.name,
            summary=f"{kind} {{{{ $labels.namespace }}}}/{{{{ $labels.{kind.lower()} }}}} lacks ready pods",
            remedy="ziggurat status --deep",
        )
    yield alert(
        "ContainerRestarts",
        f"increase(kube_pod_container_status_restarts_total{chosen}[1h]) > 3",
        severity=TICKET,
        platform=blueprint.name,
        summary="{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} starts again and again",
        remedy="kubectl logs --previous; an exit by OOMKilled means that its memory limit is too low",
    )
    yield alert(
        "JobFailed",
        f'kube_job_failed{chosen[:-1]}, condition="true"}} > 0',
        lasting="5m",
        severity=TICKET,
        platform=blueprint.name,
        summary="Job {{ $labels.namespace }}/{{ $labels.job_name }} failed",
        remedy="its pods tell why (kubectl logs --all-containers); ziggurat up makes a Job of ours anew",
    )


def _certificates(blueprint: Blueprint) -> Iterable[Manifest]:
    if not measured(blueprint, "cert-manager"):
        return
    ends = series("certmanager_certificate_expiration_timestamp_seconds", blueprint.name)
    yield alert(
        "CertificateEnds",
        f"{ends} - time() < 10 * 86400",
        lasting="1h",
        severity=TICKET,
        platform=blueprint.name,
        summary="certificate {{ $labels.exported_namespace }}/{{ $labels.name }} ends within ten days",
        remedy="kubectl describe certificate tells why cert-manager has not renewed it",
    )


def _gpus(blueprint: Blueprint) -> Iterable[Manifest]:
    if not measured(blueprint, "dcgm"):
        return
    gpu = "GPU {{ $labels.gpu }} of node {{ $labels.Hostname }}"
    yield alert(
        "GpuError",
        f"{series('DCGM_FI_DEV_XID_ERRORS', blueprint.name)} > 0",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"{gpu} reports XID {{{{ $value }}}}",
        remedy="look the XID up at NVIDIA; drain the node if it is one of the hardware",
    )
    yield alert(
        "GpuTooHot",
        f"{series('DCGM_FI_DEV_GPU_TEMP', blueprint.name)} > 90",
        lasting="10m",
        severity=TICKET,
        platform=blueprint.name,
        summary=f"{gpu} has {{{{ $value }}}} degrees Celsius",
        remedy="drain the node, and see to its cooling",
    )


def _queues(blueprint: Blueprint) -> Iterable[Manifest]:
    if not measured(blueprint, "kueue"):
        return
    # Of any status: Kueue calls inadmissible whatever it has tried once, also what only waits for its turn.
    waits = f"{_of_queue('kueue_pending_workloads', blueprint)} > 0"
    yield alert(
        "QueueStuck",
        f"{waits} unless {_of_queue('kueue_admitted_active_workloads', blueprint)} > 0",
        lasting="6h",
        severity=TICKET,
        platform=blueprint.name,
        summary="work waits in {{ $labels.cluster_queue }}, and for six hours none of that queue has run",
        remedy="kubectl describe workloads in the team's namespace: does it ask for more than the queue may "
        "ever have (`quota`, the pool's `nodes.max`)? do other teams have it all?",
    )
    yield alert(
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
    return f"max by (cluster_queue, platform) ({series(name, blueprint.name, **labels)})"


def _targets(blueprint: Blueprint) -> Iterable[Manifest]:
    yield alert(
        "NotMeasured",
        f"{series('up', blueprint.name)} == 0",
        lasting="15m",
        severity=TICKET,
        platform=blueprint.name,
        summary="{{ $labels.job }}, pod {{ $labels.pod }}, cannot be measured",
        remedy="is the pod ready? does a NetworkPolicy of yours stop Prometheus?",
    )
    if embedded(blueprint):
        own = f'{{namespace="{monitoring_namespace(blueprint.name)}"}}'
        yield alert(
            "RulesFail",
            f"increase(prometheus_rule_evaluation_failures_total{own}[15m]) > 0",
            severity=TICKET,
            platform=blueprint.name,
            summary="Prometheus cannot evaluate a rule: {{ $labels.rule_group }}",
            remedy="the log of Prometheus tells which, and why",
        )
