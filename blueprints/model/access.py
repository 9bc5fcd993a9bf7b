"""Who gets in: the tracking server's authentication and, later, the gateway."""

from typing import Annotated, Literal

from pydantic import Field

from blueprints.model.base import Part
from blueprints.model.scalars import GroupName, HttpsUrl, ObjectName, UserName


class ClientSecretRef(Part):
    """A Secret that exists already, in the platform's namespace, with an OIDC client's secret."""

    secret_name: ObjectName
    """The Secret's name."""
    key: str = Field(default="client-secret", min_length=1)
    """The key whose value is the client's secret."""


class CaSecretRef(Part):
    """A Secret that exists already, in the platform's namespace, with the certificate of an authority."""

    secret_name: ObjectName
    """The Secret's name."""
    key: str = Field(default="ca.crt", min_length=1)
    """The key whose value is the certificate, or several, in PEM."""


class BasicAuth(Part):
    """MLflow's own accounts and passwords, derived from the stack's root secret."""

    mode: Literal["basic"] = "basic"
    """MLflow's own accounts."""
    admin: UserName = "admin"
    """The name of the platform's administrator in MLflow."""


class OidcAuth(Part):
    """An OpenID Connect issuer that you bring; the accounts of teams go on working for machines."""

    mode: Literal["oidc"]
    """You bring an OpenID Connect issuer."""
    issuer: HttpsUrl
    """The issuer's URL, exactly as its discovery document gives it."""
    client_id: str = Field(default="ziggurat", min_length=1)
    """The client registered at the issuer; its redirect URL is `https://<tracking.host>/oauth2/callback`."""
    client_secret: ClientSecretRef
    """Where the client's secret is."""
    ca_secret: CaSecretRef | None = None
    """Where the certificate of the authority is that signed the issuer's own; left out, it is one that
    everybody trusts."""
    username_claim: str = Field(default="email", min_length=1)
    """The claim that names the user in MLflow."""
    groups_claim: str = Field(default="groups", min_length=1)
    """The claim that lists the user's groups, which `teams.<team>.groups` are matched with."""
    admin_groups: tuple[GroupName, ...] = ()
    """Groups whose members administer the platform in MLflow; empty means only the derived account does."""
    admin: UserName = "admin"
    """The name of the platform's own administrator account in MLflow."""


class EmbeddedAuth(Part):
    """Dex run by Ziggurat as the issuer."""

    mode: Literal["embedded"]
    """Ziggurat runs Dex."""


Auth = Annotated[BasicAuth | OidcAuth | EmbeddedAuth, Field(discriminator="mode")]
