"""What a RegistryDatabase is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from blueprints.model.storage import Artifacts, Database, EmbeddedArtifacts
from components.apps import Apps
from components.credentials import Credentials
from components.versions import ImageSource


@dataclass(frozen=True)
class RegistryDatabaseArgs:
    """What a RegistryDatabase is made of."""

    apps: Apps
    """Of these, what the mode runs, and the Job that sets passwords which were rotated."""
    database: Database
    images: ImageSource
    credentials: Credentials = field(repr=False)
    artifacts: Artifacts = field(default_factory=EmbeddedArtifacts)
    """The platform's bucket, where an archive of the database goes that has no other destination."""
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""
    archive_after: tuple[pulumi.Resource, ...] = ()
    """What comes before the archive: cert-manager, and the embedded bucket if the archive is in it."""
