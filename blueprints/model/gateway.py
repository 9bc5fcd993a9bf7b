"""The gateway: host names, certificates and one login in front of every page."""

from typing import Literal

from blueprints.model.base import Part
from blueprints.model.scalars import ObjectName


class Tls(Part):
    """Certificates of the host names."""

    issuer: ObjectName | None = None
    """Who signs: one of `certificates.issuers`, else a ClusterIssuer of the cluster; or else `secretName`."""
    secret_name: ObjectName | None = None
    """A brought certificate of every host name (`kubernetes.io/tls`), in the platform's namespace; left out,
    `issuer`."""


class Gateway(Part):
    """The Gateway API gateway in front of every host name."""

    controller: Literal["embedded", "existing"] = "embedded"
    """Who runs it: `embedded`, the platform (Envoy Gateway); `existing`, the cluster has one already, whose
    namespace you label `ziggurat.dev/gateway` with the platform's name."""
    class_name: ObjectName = "envoy"
    """The GatewayClass, an object of the whole cluster; with `controller: embedded` the platform makes it."""
    name: ObjectName | None = None
    """A Gateway that exists already, with listeners and certificates of its own; left out, one is made."""
    namespace: ObjectName | None = None
    """The namespace of that Gateway."""
    tls: Tls | None = None
    """Certificates; left out, plain HTTP."""
    login: Literal["proxy", "securityPolicy"] = "proxy"
    """What logs people in, with a single sign-on: `proxy`, an oauth2-proxy for each page; `securityPolicy`,
    the gateway itself, which has to be Envoy Gateway."""
