"""Credentials that a store outside the platform holds."""

from typing import Literal

from blueprints.model.base import Part
from blueprints.model.scalars import Label, ObjectName


class ExternalSecrets(Part):
    """External Secrets: every credential comes from a store of yours; Ziggurat derives and knows none."""

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs External Secrets: `embedded`, the platform; `existing`, the cluster has it already."""
    store: ObjectName
    """A ClusterSecretStore that you make."""
    prefix: Label | None = None
    """What the keys in the store begin with: `PREFIX/postgresql/mlflow`; left out, the platform's name."""
