"""MLflow Projects that run on the cluster: where they come from, as whom and when they run, with how much."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Cpu, Cron, Label, Memory, ObjectName, Storage, UserName, text
from blueprints.model.teams import Team

ParameterName = Annotated[str, text(r"^[^=\s]+$", "a name without blanks and without =")]

ImageReference = Annotated[
    str,
    text(
        r"^[a-z0-9]([a-zA-Z0-9.:_/-]*[a-zA-Z0-9])?(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$",
        "an image with a tag or a digest, such as registry.acme.example/train:1.4",
        max_length=512,
    ),
]


class SourceSecret(Part):
    """A Secret that exists already, in the team's namespace; Ziggurat never reads its values."""

    secret_name: ObjectName
    """The Secret's name."""


class ProjectResources(Part):
    """What each run asks for; it has to fit the team's quota."""

    cpu: Cpu = "1"
    """CPU request, in cores."""
    memory: Memory = "2Gi"
    """Memory request."""
    memory_limit: Memory | None = None
    """The memory at which the run is ended; left out, as much as it asks for."""
    gpus: int | None = Field(default=None, ge=0, le=16)
    """GPUs (`nvidia.com/gpu`); left out, one with `gpuPool`, and none without."""
    scratch: Storage = "10Gi"
    """The most that the run may write on its node's disk: `/work` (its home) and `/tmp` together."""


class History(Part):
    """How many runs' Jobs and pods stay, with their logs; MLflow's runs stay in any case."""

    succeeded: int = Field(default=3, ge=0)
    """Runs that succeeded."""
    failed: int = Field(default=3, ge=0)
    """Runs that failed."""


class Project(Part):
    """An MLflow Project that runs on a schedule or on request, in its team's namespace."""

    team: Label
    """The team: its namespace, its MLflow workspace, its quota."""
    user: UserName | None = None
    """The MLflow account of the team that it runs as; left out, the team's first by name with the role
    `user`, or the first where none has it. What a run makes belongs to this account."""
    uri: str = Field(min_length=1)
    """Where the project is: the http(s) URL of a git repository or of a .zip file, or an absolute path inside
    `image`; `#folder` at its end names a folder in it, as for `mlflow run`."""
    version: str | None = Field(default=None, min_length=1)
    """The commit, tag or branch of a git repository; left out, its default branch."""
    secret: SourceSecret | None = None
    """The Secret with the keys `username` and `password` for the repository; left out, it is public."""
    image: ImageReference | None = None
    """The image that it runs in, with MLflow and all that the project imports; left out, the platform's
    MLflow image. Nothing is installed when it runs."""
    entry_point: str = Field(default="main", min_length=1)
    """The entry point."""
    parameters: dict[ParameterName, str] = Field(default_factory=dict[str, str])
    """Parameters of the entry point."""
    experiment: str | None = Field(default=None, min_length=1, max_length=250)
    """The MLflow experiment of the team that its runs belong to; left out, the project's name."""
    schedule: Cron | None = None
    """When, as five cron fields in UTC; left out, only on request (`ziggurat run`)."""
    concurrency_policy: Literal["Forbid", "Allow", "Replace"] = "Forbid"
    """What happens when a run is due while another one still runs: it is left out (Forbid), runs beside it
    (Allow), or ends the other one (Replace)."""
    deadline_seconds: int = Field(default=86400, ge=1)
    """After how long a run is ended, its retries included: one that hangs must not block the next."""
    retries: int = Field(default=1, ge=0, le=10)
    """How often a run that fails is tried again; each try is an MLflow run of its own."""
    history: History = Field(default_factory=History)
    """How many finished runs the cluster keeps."""
    resources: ProjectResources = Field(default_factory=ProjectResources)
    """What each run asks for; left out, 1 CPU and 2Gi."""
    gpu_pool: Label | None = None
    """The pool of `gpuPools` that it runs on; left out, nodes without GPUs."""

    @property
    def gpus(self) -> int:
        """The GPUs that each run asks for."""
        if self.resources.gpus is None:
            return 1 if self.gpu_pool else 0
        return self.resources.gpus

    @property
    def source(self) -> Literal["git", "zip", "path"]:
        """What `uri` names."""
        location = self.uri.partition("#")[0]
        if location.startswith("/"):
            return "path"
        return "zip" if location.endswith(".zip") else "git"

    def account(self, name: str, team: Team) -> str:
        """The account that it runs as; `name` is the team's."""
        return self.user or team.account(name)
