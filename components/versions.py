"""Every image and version that Ziggurat provisions, in one place, and where images are pulled from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A container image at its maker's registry, pinned by its tag."""

    registry: str
    repository: str
    tag: str


MLFLOW = Image("ghcr.io", "mlflow/mlflow", "v3.17.2-full")
"""The `-full` variant: it alone has the database drivers, the bucket clients and basic-auth's Flask-WTF."""
POSTGRESQL = Image("docker.io", "library/postgres", "17")
"""The major version is pinned: patch releases are compatible on disk, the next major version is not."""
SEAWEEDFS = Image("docker.io", "chrislusf/seaweedfs", "4.48")
OAUTH2_PROXY = Image("quay.io", "oauth2-proxy/oauth2-proxy", "v7.15.3")
"""7.15.2 is the oldest without the critical authentication bypasses."""
RESTIC = Image("docker.io", "restic/restic", "0.18.1")
RCLONE = Image("docker.io", "rclone/rclone", "1.76.0")
GIT = Image("docker.io", "alpine/git", "v2.52.0")
"""MLflow's image has no git."""

ALL: tuple[Image, ...] = (MLFLOW, POSTGRESQL, SEAWEEDFS, OAUTH2_PROXY, RESTIC, RCLONE, GIT)
"""What a mirror has to hold."""


@dataclass(frozen=True)
class ImageSource:
    """Where images are pulled from, and with which Secret."""

    registry: str | None = None
    """A mirror that holds every image under its own repository path; None means the makers' registries."""
    pull_secret: str | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson` in each namespace; None pulls anonymously."""

    def reference(self, image: Image) -> str:
        """What a container's `image` says."""
        return f"{self.registry or image.registry}/{image.repository}:{image.tag}"
