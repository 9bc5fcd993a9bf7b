"""Who gets in: MLflow's own accounts, or a single sign-on over every page."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from blueprints.model.base import Part
from blueprints.model.scalars import Email, GroupName, HostName, HttpsUrl, Label, ObjectName, UserName, text


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


class Endpoints(Part):
    """Where an issuer is asked for what, as its discovery document says."""

    authorization: HttpsUrl
    """Where people log in (`authorization_endpoint`)."""
    token: HttpsUrl
    """Where a code becomes a token (`token_endpoint`)."""
    keys: HttpsUrl
    """The issuer's public keys (`jwks_uri`)."""
    userinfo: HttpsUrl
    """Who a token is of (`userinfo_endpoint`)."""


class OidcAuth(Part):
    """An OpenID Connect issuer that you bring; the accounts of teams go on working for machines."""

    mode: Literal["oidc"]
    """You bring an OpenID Connect issuer."""
    issuer: HttpsUrl
    """The issuer's URL, exactly as its discovery document gives it."""
    client_id: str = Field(default="ziggurat", min_length=1)
    """The client registered at the issuer; its redirect URLs are `https://<host>/oauth2/callback` for the
    host of each page."""
    client_secret: ClientSecretRef
    """Where the client's secret is."""
    endpoints: Endpoints | None = None
    """For pages that cannot read the issuer's discovery document; left out, there must be none."""
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


class SecretKey(Part):
    """One value of a Secret that exists already, in the platform's namespace."""

    secret_name: ObjectName
    """The Secret's name."""
    key: str = Field(min_length=1)
    """The key of the value."""


Variable = Annotated[
    str, text("^[A-Z][A-Z0-9_]*$", "the name of a variable: capitals, digits and underscores", max_length=60)
]


class Connector(Part):
    """A place where the organisation's users are, as Dex knows it."""

    type: Literal[
        "atlassian-crowd",
        "bitbucket-cloud",
        "gitea",
        "github",
        "gitlab",
        "google",
        "keystone",
        "ldap",
        "linkedin",
        "microsoft",
        "oauth",
        "oidc",
        "openshift",
        "saml",
    ]
    """Dex's name for its kind."""
    name: str = Field(min_length=1, max_length=100)
    """What people read on the login page."""
    config: dict[str, JsonValue]
    """Dex's own configuration of such a connector, whose `redirectURI` is `https://<host>/callback`; `$NAME`
    stands for the value of `secrets.NAME`."""
    secrets: dict[Variable, SecretKey] = Field(default_factory=dict[str, SecretKey])
    """What of `config` is secret."""


class LocalUser(Part):
    """A user of the embedded issuer's own."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    """What people call them; left out, the part of the address before the @."""
    groups: tuple[GroupName, ...] = ()
    """The groups that they are in, which `teams.<team>.groups` are matched with."""


class EmbeddedAuth(Part):
    """Dex run by Ziggurat as the issuer."""

    mode: Literal["embedded"]
    """Ziggurat runs Dex."""
    host: HostName
    """The name under which people reach it; the issuer's URL is `https://<host>`, exactly."""
    replicas: int = Field(default=1, ge=1, le=5)
    """Servers behind one Service."""
    connectors: dict[Label, Connector] = Field(default_factory=dict[str, Connector])
    """Where the organisation's users are, by the connector's `id`."""
    users: dict[Email, LocalUser] = Field(default_factory=dict[str, LocalUser])
    """Users of the issuer's own, by e-mail address, for trying; the password of each is in a Secret."""
    admin_groups: tuple[GroupName, ...] = ()
    """Groups whose members administer the platform in MLflow; empty means only the derived account does."""
    admin: UserName = "admin"
    """The name of the platform's own administrator account in MLflow."""

    @property
    def issuer(self) -> str:
        """The issuer's URL."""
        return f"https://{self.host}"


Auth = Annotated[BasicAuth | OidcAuth | EmbeddedAuth, Field(discriminator="mode")]
