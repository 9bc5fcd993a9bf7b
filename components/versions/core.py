"""What every platform runs, and its backups."""

from components.versions.model import Image

MLFLOW = Image("ghcr.io", "mlflow/mlflow", "v3.17.2-full")
"""The `-full` variant: it alone has the database drivers, the bucket clients and basic-auth's Flask-WTF."""
POSTGRESQL = Image("docker.io", "library/postgres", "17")
"""The major version is pinned: patch releases are compatible on disk, the next major version is not."""
SEAWEEDFS = Image("docker.io", "chrislusf/seaweedfs", "4.48")
OAUTH2_PROXY = Image("quay.io", "oauth2-proxy/oauth2-proxy", "v7.15.3")
"""7.15.2 is the oldest without the critical authentication bypasses."""
DEX = Image("ghcr.io", "dexidp/dex", "v2.45.1")
RESTIC = Image("docker.io", "restic/restic", "0.18.1")
RCLONE = Image("docker.io", "rclone/rclone", "1.76.0")
GIT = Image("docker.io", "alpine/git", "v2.52.0")
"""MLflow's image has no git."""
