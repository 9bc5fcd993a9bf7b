"""Credentials that a store outside the platform holds."""

from typing import Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Label, ObjectName, Port


class ExternalSecrets(Part):
    """External Secrets: every credential comes from a store of yours; Ziggurat derives and knows none."""

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs External Secrets: `embedded`, the platform; `existing`, the cluster has it already."""
    store: ObjectName
    """A ClusterSecretStore that you make."""
    store_ports: tuple[Port, ...] = Field(default=(443, 8200), min_length=1)
    """Where the platform runs External Secrets: the ports on which it may call the store. 443 is that of the
    clouds' stores, 8200 that of Vault and OpenBao."""
    prefix: Label | None = None
    """What the keys in the store begin with: `PREFIX/postgresql/mlflow`; left out, the platform's name."""
