"""What runs and schedules pipelines: Argo's controller, the persistence agent, the schedules' controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blueprints.model.pipelines import Pipelines
from components.manifests import workloads
from components.manifests.metadata import App, Manifest, digest
from components.pipelines.parts import GRPC, HTTP, SCHEDULE_METRICS, USER, WORKFLOW_METRICS, Parts
from components.pipelines.pods import api_token, with_token
from components.versions import (
    ARGOEXEC,
    KFP_PERSISTENCE_AGENT,
    KFP_SCHEDULED_WORKFLOWS,
    WORKFLOW_CONTROLLER,
    ImageSource,
)

_HEALTH = 6060
_WORKFLOW_RESOURCES = workloads.Resources(cpu="100m", memory="500Mi", memory_limit="1536Mi")
_AGENT_RESOURCES = workloads.Resources(cpu="120m", memory="500Mi", memory_limit="1Gi")
_SCHEDULE_RESOURCES = workloads.Resources(cpu="20m", memory="64Mi", memory_limit="512Mi")
_LOST_NODES = "(?i)(imminent node shutdown|node is shutting down|preempt|evict|spot|pod deleted)"
"""Messages after which Argo tries again: nodes come and go."""


def workflow_pod(app: App, images: ImageSource, configuration: Mapping[str, str]) -> Manifest:
    """Argo's controller. It looks at the whole cluster, and may act in the teams' namespaces alone."""
    volumes = [workloads.scratch("tmp", "/tmp", "64Mi")]  # noqa: S108  # a mount inside a container
    alive = workloads.http_probe("/healthz", _HEALTH, periodSeconds=20)
    main = workloads.container(
        app.name,
        images.reference(WORKFLOW_CONTROLLER),
        resources=_WORKFLOW_RESOURCES,
        command=["workflow-controller"],
        args=["--configmap", app.name, "--executor-image", images.reference(ARGOEXEC)],
        env=[
            {
                "name": "LEADER_ELECTION_IDENTITY",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
            },
            *workloads.plain({"TRANSIENT_ERROR_PATTERN": _LOST_NODES}),
        ],
        ports={"metrics": WORKFLOW_METRICS, "health": _HEALTH},
        volumes=volumes,
        probes={"livenessProbe": {**alive, "initialDelaySeconds": 90, "failureThreshold": 6}},
    )
    return _pod(app, main, images, digest(configuration), volumes)


def agent_pod(parts: Parts, images: ImageSource, pipelines: Pipelines) -> Manifest:
    """The persistence agent: it tells the API server what became of each run, before its pods go."""
    app = parts.persistence
    args = [
        "--logtostderr=true",
        "--namespace=",  # every one
        f"--mlPipelineAPIServerName={parts.door.name}",
        f"--mlPipelineServiceHttpPort={HTTP}",
        f"--mlPipelineServiceGRPCPort={GRPC}",
        f"--ttlSecondsAfterWorkflowFinish={pipelines.keep_finished_hours * 3600}",
        "--numWorker=2",
    ]
    token = api_token("persistenceagent-sa-token")
    main = workloads.container(
        app.name,
        images.reference(KFP_PERSISTENCE_AGENT),
        resources=_AGENT_RESOURCES,
        command=["/bin/persistence_agent"],
        args=args,
        volumes=[token],
    )
    return _pod(app, main, images, digest(args), [token])


def schedule_pod(parts: Parts, images: ImageSource) -> Manifest:
    """The controller of recurring runs. It is known by its token: it names nobody in a header."""
    app = parts.schedules
    args = [
        "--logtostderr=true",
        "--namespace=",  # every one
        f"--mlPipelineAPIServerName={parts.door.name}",
        f"--mlPipelineServiceGRPCPort={GRPC}",
        f"--metricsPort={SCHEDULE_METRICS}",
        "--clientQPS=10",
        "--clientBurst=20",
    ]
    token = api_token("scheduledworkflow-sa-token")
    main = workloads.container(
        app.name,
        images.reference(KFP_SCHEDULED_WORKFLOWS),
        resources=_SCHEDULE_RESOURCES,
        command=["/bin/controller"],
        args=args,
        # The API server refuses version 1 as well; this one runs what is in a ScheduledWorkflow by itself.
        env=workloads.plain({"CRON_SCHEDULE_TIMEZONE": "UTC", "BLOCK_V1_PIPELINES": "true"}),
        ports={"metrics": SCHEDULE_METRICS},
        volumes=[token],
    )
    return _pod(app, main, images, digest(args), [token])


def _pod(
    app: App, main: Manifest, images: ImageSource, config_hash: str, volumes: Sequence[workloads.Volume]
) -> Manifest:
    template = workloads.pod_template(
        app,
        main,
        user=USER,
        config_hash=config_hash,
        volumes=volumes,
        pull_secret=images.pull_secret,
    )
    return with_token(template)
