"""The blueprint: the whole of what a user declares."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blueprints.model.access import Auth, BasicAuth
from blueprints.model.base import Part
from blueprints.model.later import (
    Admission,
    Backup,
    Gateway,
    GpuPool,
    Monitoring,
    Notebooks,
    Pipelines,
    Project,
    Queues,
    Serving,
    Training,
    Tuning,
)
from blueprints.model.scalars import Cpu, HostName, Label, Memory, ObjectName
from blueprints.model.storage import Artifacts, Database, EmbeddedArtifacts, EmbeddedDatabase
from blueprints.model.teams import Team
from blueprints.phases import Phase


class Cluster(Part):
    """The cluster that the platform is for."""

    context: str = Field(min_length=1)
    """The kubeconfig context; there is no ambient default."""
    kubeconfig: str | None = Field(default=None, min_length=1)
    """The kubeconfig file, relative to the blueprint; left out, `$KUBECONFIG` or `~/.kube/config`."""


class Resources(Part):
    """What a container asks for."""

    cpu: Cpu
    """CPU request, in cores."""
    memory: Memory
    """Memory request."""
    memory_limit: Memory
    """The memory at which the container is ended."""


class Tracking(Part):
    """The MLflow tracking server and model registry."""

    replicas: int = Field(default=1, ge=1, le=20)
    """Servers behind one Service."""
    workers: int = Field(default=2, ge=1, le=32)
    """Web workers of each server."""
    host: HostName | None = None
    """The name under which people reach it; left out, it is reached inside the cluster or by port-forward."""
    resources: Resources = Field(
        default_factory=lambda: Resources(cpu="250m", memory="768Mi", memory_limit="1536Mi")
    )
    """What each server asks for: by default enough for two workers."""


class Images(Part):
    """Where container images come from."""

    registry: str | None = Field(default=None, pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?$")
    """A mirror that holds every image under its own repository path; left out, the makers' registries."""
    pull_secret: ObjectName | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson` in each namespace; left out, pulls are anonymous."""


class Blueprint(Part):
    """A machine-learning platform."""

    api_version: Literal["ziggurat/v1"]
    """The version of this language."""
    name: Label
    """The platform's name; it is the prefix of its namespaces and cannot be changed later."""
    phase: Phase
    """How mature the organisation's practice is; it says what may be asked for and what the defaults are."""
    cluster: Cluster | None = None
    """The cluster that the platform is for; left out, the sandbox."""
    teams: dict[Label, Team] = Field(min_length=1)
    """Teams by name."""
    tracking: Tracking = Field(default_factory=Tracking)
    database: Database = Field(default_factory=EmbeddedDatabase)
    artifacts: Artifacts = Field(default_factory=EmbeddedArtifacts)
    auth: Auth = Field(default_factory=BasicAuth)
    images: Images = Field(default_factory=Images)

    backup: Backup | None = None
    gateway: Gateway | None = None
    monitoring: Monitoring | None = None
    projects: dict[Label, Project] = Field(default_factory=dict[str, Project])
    queues: Queues | None = None
    gpu_pools: dict[Label, GpuPool] = Field(default_factory=dict[str, GpuPool])
    pipelines: Pipelines | None = None
    training: Training | None = None
    tuning: Tuning | None = None
    serving: Serving | None = None
    notebooks: Notebooks | None = None
    admission: Admission | None = None
