"""The blueprint: the whole of what a user declares."""

from typing import Literal

from pydantic import Field

from blueprints.model.access import Auth, BasicAuth
from blueprints.model.admission import Admission, Registry
from blueprints.model.backup import Backup
from blueprints.model.base import IMMUTABLE, Part
from blueprints.model.certificates import Certificates
from blueprints.model.gateway import Gateway
from blueprints.model.kubeflow import Notebooks, Serving, Training, Tuning
from blueprints.model.monitoring import Monitoring
from blueprints.model.pipelines import Pipelines
from blueprints.model.pools import GpuPool
from blueprints.model.projects import Project
from blueprints.model.queues import Queues
from blueprints.model.resources import Resources
from blueprints.model.scalars import HostName, Label, ObjectName
from blueprints.model.secrets import ExternalSecrets
from blueprints.model.storage import Artifacts, Database, EmbeddedArtifacts, EmbeddedDatabase
from blueprints.model.teams import Team
from blueprints.phases import Phase


class Cluster(Part):
    """The cluster that the platform is for."""

    context: str = Field(min_length=1)
    """The kubeconfig context; there is no ambient default."""
    kubeconfig: str | None = Field(default=None, min_length=1)
    """The kubeconfig file, relative to the blueprint; left out, `$KUBECONFIG` or `~/.kube/config`."""


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
    """What each server asks for; left out, 250m CPU, 768Mi and a limit of 1536Mi: enough for two workers."""


class Images(Part):
    """Where container images come from."""

    registry: Registry | None = None
    """A mirror that holds every image under its own repository path; left out, the makers' registries."""
    pull_secret: ObjectName | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson` in each namespace; left out, pulls are anonymous."""


class Blueprint(Part):
    """A machine-learning platform."""

    api_version: Literal["ziggurat/v1"]
    """The version of this language."""
    name: Label = Field(json_schema_extra=IMMUTABLE)
    """The platform's name; it is the prefix of its namespaces."""
    phase: Phase
    """How mature the organisation's practice is; it says what may be asked for and what the defaults are."""
    cluster: Cluster | None = None
    """The cluster that the platform is for; left out, the sandbox."""
    teams: dict[Label, Team] = Field(min_length=1)
    """Teams by name."""
    tracking: Tracking = Field(default_factory=Tracking)
    """The MLflow tracking server and model registry."""
    database: Database = Field(default_factory=EmbeddedDatabase)
    """Where MLflow keeps runs, models and accounts; left out, a PostgreSQL run by Ziggurat."""
    artifacts: Artifacts = Field(default_factory=EmbeddedArtifacts)
    """Where models and artifacts are kept; left out, a bucket run by Ziggurat."""
    auth: Auth = Field(default_factory=BasicAuth)
    """Who gets in, and how; left out, MLflow's own accounts."""
    images: Images = Field(default_factory=Images)
    """Where container images come from."""
    backup: Backup | None = None
    """Regular backups of the databases and the artifacts; left out, none."""

    certificates: Certificates | None = None
    """cert-manager, for what needs certificates; left out, none."""
    gateway: Gateway | None = None
    """The gateway in front of every host name; left out, none."""
    monitoring: Monitoring | None = None
    """Metrics, alerts and dashboards; left out, none."""
    projects: dict[Label, Project] = Field(default_factory=dict[str, Project])
    """MLflow Projects that run on a schedule or on request, by name."""
    queues: Queues | None = None
    """Kueue queues, one for each team; left out, none: what exceeds a team's quota is refused."""
    gpu_pools: dict[Label, GpuPool] = Field(default_factory=dict[str, GpuPool])
    """Nodes with GPUs, by name of the pool; empty means that GPUs are not told apart."""
    pipelines: Pipelines | None = None
    """Kubeflow Pipelines; left out, none."""
    training: Training | None = None
    """Kubeflow Trainer; left out, none."""
    tuning: Tuning | None = None
    """Katib; left out, none."""
    serving: Serving | None = None
    """KServe; left out, none."""
    notebooks: Notebooks | None = None
    """Notebooks; left out, none."""
    admission: Admission | None = None
    """What the API server refuses in the teams' namespaces; left out, nothing but what Pod Security does."""
    external_secrets: ExternalSecrets | None = None
    """The store that every credential comes from; left out, they derive from the stack's root secret."""
