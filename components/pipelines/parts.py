"""The parts of Kubeflow Pipelines: what each is called, and where it listens."""

from __future__ import annotations

from dataclasses import dataclass

from blueprints.names import system_namespace
from components.manifests.metadata import App

HTTP = 8888
"""The port of the API server's HTTP, and of the door that its clients come through."""
GRPC = 8887
"""The same for gRPC."""
PEOPLE = 8889
"""The door's port for the page alone: there the name of a person is believed."""
METADATA_WEB = 9090
"""The door's port for the page's reading of metadata."""
TRACKING = 5000
"""The door's port to MLflow."""
METRICS = 8890
"""The door's port to the API server's metrics, which it has on the port of everything else."""
METADATA = 8080
PAGE = 3000
WORKFLOW_METRICS = 9090
SCHEDULE_METRICS = 9090
RUNNER = "pipeline-runner"
"""The ServiceAccount of runs in each team's namespace."""
STORE_SECRET = "kfp-artifacts"  # noqa: S105  # the name of a Secret
"""The Secret in each team's namespace with what its runs enter the bucket with."""
AUDIENCE = "pipelines.kubeflow.org"
"""The audience of the ServiceAccount tokens that the API server takes."""
IDENTITY = "x-forwarded-email"
"""The header that names a person; it is believed on the door's port for the page alone."""
USER = 1000
"""The user of every pod of ours here but those of MySQL: what the images are built for."""


@dataclass(frozen=True)
class Parts:
    """Every part that runs in the platform's namespace."""

    engine: App
    """Who objects belong to that are of no one part."""
    door: App
    """What everybody calls the API server by: its name is the well-known one."""
    server: App
    persistence: App
    schedules: App
    workflows: App
    metadata: App
    mysql: App
    page: App

    @staticmethod
    def of(platform: str) -> Parts:
        """Those of the platform called so."""

        def app(name: str) -> App:
            return App(platform, system_namespace(platform), name, "pipelines")

        return Parts(
            engine=app("pipelines"),
            door=app("ml-pipeline"),
            server=app("ml-pipeline-server"),
            persistence=app("ml-pipeline-persistenceagent"),
            schedules=app("ml-pipeline-scheduledworkflow"),
            workflows=app("workflow-controller"),
            # The name is fixed: drivers call the metadata store by it.
            metadata=app("metadata-grpc-service"),
            mysql=app("mysql"),
            page=app("ml-pipeline-ui"),
        )


def address(app: App) -> str:
    """The name of a part's Service, as every namespace knows it."""
    return f"{app.name}.{app.namespace}.svc.cluster.local"


def tracking_path(team: str) -> str:
    """Where on the door's port to MLflow the workspace of a team is."""
    return f"/teams/{team}"
