"""What a RegistryDatabase is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from blueprints.model.storage import Database
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
    after: tuple[pulumi.Resource, ...] = ()
    """What comes first: the namespace and its policies."""
