"""The gateway: host names, certificates and one login in front of every page."""

from blueprints.model.base import Part
from blueprints.model.scalars import ObjectName


class Tls(Part):
    """Certificates of the host names."""

    issuer: ObjectName | None = None
    """The cert-manager ClusterIssuer; left out, `secretName`."""
    secret_name: ObjectName | None = None
    """A brought certificate, in the platform's namespace; left out, `issuer`."""


class Gateway(Part):
    """The Gateway API gateway in front of every host name."""

    class_name: ObjectName
    """The GatewayClass."""
    tls: Tls | None = None
    """Certificates; left out, plain HTTP."""
