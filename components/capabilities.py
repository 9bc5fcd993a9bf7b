"""What a blueprint may ask for beside the core: one function each, and the order in which they are made.

A function takes the core, registers its component and returns what has to be ready before something that
uses the capability. It is called only where the blueprint asks for it.
"""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from blueprints.model import Blueprint
from blueprints.model.admission import Admission
from blueprints.model.storage import EmbeddedArtifacts, S3Artifacts
from components import certificates, gateway, pools, serving, training
from components.admission import AdmissionPolicies, AdmissionPoliciesArgs
from components.apps import Apps
from components.backup import PlatformBackup, PlatformBackupArgs
from components.certificates import PlatformCertificates, PlatformCertificatesArgs
from components.contents import images
from components.core import Core, Ground
from components.gateway import PlatformGateway, PlatformGatewayArgs
from components.kubeflow_capabilities import KUBEFLOW
from components.monitoring.component import Monitoring, MonitoringArgs
from components.pipelines import saved
from components.pipelines.provision import pipelines
from components.pools import GpuNodePools, GpuNodePoolsArgs
from components.projects import ScheduledProjects, ScheduledProjectsArgs
from components.queues import PlatformQueues, PlatformQueuesArgs
from components.signon.proxies import LoginProxies, LoginProxiesArgs, login_proxy, proxied

Provision = Callable[[Core], tuple[pulumi.Resource, ...]]
"""Registers a capability; what it returns is what others wait for."""


def _backup(core: Core) -> tuple[pulumi.Resource, ...]:
    backup = core.blueprint.backup
    assert backup is not None  # noqa: S101  # for the type checker: it is asked for
    args = PlatformBackupArgs(
        core.apps.backup,
        backup,
        core.registry.connection,
        _source(core.blueprint),
        core.bucket.store,
        core.images,
        core.credentials,
        pipelines=saved.connection(core.blueprint, core.credentials),
        after=core.system.ready,
    )
    return (PlatformBackup(f"{core.name}-backup", args, core.options),)


def _source(blueprint: Blueprint) -> EmbeddedArtifacts | S3Artifacts:
    if isinstance(blueprint.artifacts, EmbeddedArtifacts | S3Artifacts):
        return blueprint.artifacts
    # The rules of blueprints refuse a backup of the others.
    raise ValueError(f"artifacts of mode {blueprint.artifacts.mode!r} are not backed up")


def _gpu_pools(core: Core) -> tuple[pulumi.Resource, ...]:
    args = GpuNodePoolsArgs(pools.app(core.blueprint.name), core.blueprint.gpu_pools, core.images)
    return (GpuNodePools(f"{core.name}-gpu-pools", args, core.options),)


def _queues(core: Core) -> tuple[pulumi.Resource, ...]:
    queues = core.blueprint.queues
    assert queues is not None  # noqa: S101  # for the type checker: it is asked for
    args = PlatformQueuesArgs(
        core.apps.kueue,
        queues,
        core.blueprint.teams,
        core.teams.namespaces,
        core.blueprint.gpu_pools,
        core.images,
        after=core.system.ready,
    )
    return (PlatformQueues(f"{core.name}-queues", args, core.options),)


def _admission(core: Core) -> tuple[pulumi.Resource, ...]:
    chosen = core.blueprint.admission
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    args = admission_args(core.blueprint, core.apps, chosen)
    return (AdmissionPolicies(f"{core.name}-admission", args, core.options),)


def admission_args(blueprint: Blueprint, apps: Apps, chosen: Admission) -> AdmissionPoliciesArgs:
    """What the admission policies are made of."""
    return AdmissionPoliciesArgs(
        apps.admission,
        chosen,
        images(blueprint),
        mirror=blueprint.images.registry,
        queues=blueprint.queues is not None,
        owners=[kind for kind, key in _OWNERS.items() if getattr(blueprint, key)],
        gpu_runtimes=[
            name
            for names in (training.runtime_names, serving.runtime_names)
            for name, pool in names(blueprint.gpu_pools).items()
            if pool
        ],
    )


_OWNERS = {
    "TrainJob": "training",
    "InferenceService": "serving",
    "Notebook": "notebooks",
    "Experiment": "tuning",
}
"""The kind that teams make by each capability whose controller makes pods of it."""


def _projects(core: Core) -> tuple[pulumi.Resource, ...]:
    blueprint = core.blueprint
    args = ScheduledProjectsArgs(
        blueprint.name,
        blueprint.projects,
        blueprint.teams,
        blueprint.gpu_pools,
        core.connections,
        core.images,
        core.teams.namespaces,
        queued=blueprint.queues is not None,
        accounts=core.access.ready,
    )
    return (ScheduledProjects(f"{core.name}-projects", args, core.options),)


def _monitoring(core: Core) -> tuple[pulumi.Resource, ...]:
    args = MonitoringArgs(
        core.blueprint,
        core.connections,
        core.images,
        core.credentials,
        after=core.system.ready,
        gpus=core.after(["gpu_pools"]),
        gateway=core.after(["gateway"]),
    )
    return (Monitoring(f"{core.name}-monitoring", args, core.options),)


def _auth(core: Core) -> tuple[pulumi.Resource, ...]:
    """The login proxies of all pages but MLflow's, which is the core's."""
    pages = [site for site in proxied(core.blueprint) if site.name != "mlflow"]
    if not pages:
        return ()
    args = LoginProxiesArgs(
        [login_proxy(core.blueprint, site, core.images, core.credentials) for site in pages],
        after=(*core.system.ready, *(core.issuer.secrets if core.issuer else ())),
    )
    return (LoginProxies(f"{core.name}-logins", args, core.options),)


def _gateway(core: Ground) -> tuple[pulumi.Resource, ...]:
    chosen = core.blueprint.gateway
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    args = PlatformGatewayArgs(core.blueprint, chosen, core.connections, core.images, after=core.system.ready)
    made = PlatformGateway(f"{core.name}-gateway", args, core.options)
    core.made["gateway.kinds"] = made.kinds
    return made.ready


def _certificates(core: Ground) -> tuple[pulumi.Resource, ...]:
    chosen = core.blueprint.certificates
    assert chosen is not None  # noqa: S101  # for the type checker: it is asked for
    blueprint = core.blueprint
    tls = blueprint.gateway.tls if blueprint.gateway else None
    hosts = {secret: host for host, secret in gateway.certificates(blueprint).values()}
    args = PlatformCertificatesArgs(
        certificates.app(blueprint.name),
        chosen,
        core.images,
        issuer=tls.issuer if tls else None,
        hosts=hosts,
        gateway=gateway.reference(blueprint),
        after=(*core.system.ready, *core.after(["gateway.kinds"])),
        issuers_after=core.after(["gateway"]),
    )
    made = PlatformCertificates(f"{core.name}-certificates", args, core.options)
    core.made["certificates.controller"] = made.controller
    return made.ready


FRONT: dict[str, Callable[[Ground], tuple[pulumi.Resource, ...]]] = {
    "gateway": _gateway,
    "certificates": _certificates,
}
"""Of what a blueprint may ask for, what stands on the ground alone: it is made before the core, parts of
which wait for it."""


CAPABILITIES: dict[str, Provision] = {
    "auth": _auth,
    "backup": _backup,
    "gpu_pools": _gpu_pools,
    "queues": _queues,
    "admission": _admission,
    "projects": _projects,
    "pipelines": pipelines,
    **KUBEFLOW,
    "monitoring": _monitoring,
}
"""Each capability by the blueprint's attribute that asks for it; what others need comes before them."""
