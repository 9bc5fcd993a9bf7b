"""Certificates: cert-manager, and who signs."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import Email, HttpsUrl, Label

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class AcmeIssuer(Part):
    """Certificates of a public authority, which asks for a token at each host name, through the gateway."""

    mode: Literal["acme"]
    """An ACME authority signs; it has to reach the host names on port 80."""
    server: HttpsUrl = LETS_ENCRYPT
    """The authority's directory; left out, Let's Encrypt."""
    email: Email | None = None
    """Where the authority writes to; left out, nowhere."""


class CaIssuer(Part):
    """Certificates of an authority of the platform's own, which browsers do not know: for trying."""

    mode: Literal["ca"]
    """The platform signs; its certificate is `ca.crt` in the Secret `ISSUER-ca` of its namespace."""


Issuer = Annotated[AcmeIssuer | CaIssuer, Field(discriminator="mode")]


class Certificates(Part):
    """cert-manager, which makes and renews certificates."""

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs cert-manager: `embedded`, the platform; `existing`, the cluster has it already."""
    issuers: dict[Label, Issuer] = Field(default_factory=dict[str, Issuer])
    """Who signs, by name; left out, ClusterIssuers that you make. `gateway.tls.issuer` names either."""
