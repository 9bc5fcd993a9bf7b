"""Envoy Gateway."""

from components.versions.model import Chart, Definition, Image

ENVOY_GATEWAY_IMAGE = Image("docker.io", "envoyproxy/gateway", "v1.9.0")
ENVOY_IMAGE = Image("docker.io", "envoyproxy/envoy", "distroless-v1.39.0")
_API = "gateway.networking.k8s.io"
_OWN = "gateway.envoyproxy.io"


def _own(kind: str, plural: str | None = None) -> Definition:
    return Definition(_OWN, ("v1alpha1",), kind, plural or f"{kind.lower()}s", namespaced=True)


ENVOY_GATEWAY = Chart(
    "gateway-helm",
    "docker.io",
    "envoyproxy",
    "v1.9.0",
    oci=True,
    images=(ENVOY_GATEWAY_IMAGE, ENVOY_IMAGE),
    definitions=(
        Definition(_API, ("v1beta1", "v1"), "GatewayClass", "gatewayclasses"),
        Definition(_API, ("v1beta1", "v1"), "Gateway", "gateways", namespaced=True),
        Definition(_API, ("v1beta1", "v1"), "HTTPRoute", "httproutes", namespaced=True),
        Definition(_API, ("v1",), "GRPCRoute", "grpcroutes", namespaced=True),
        Definition(_API, ("v1beta1", "v1"), "ReferenceGrant", "referencegrants", namespaced=True),
        Definition(_API, ("v1",), "BackendTLSPolicy", "backendtlspolicies", namespaced=True),
        _own("Backend"),
        _own("BackendTrafficPolicy", "backendtrafficpolicies"),
        _own("ClientTrafficPolicy", "clienttrafficpolicies"),
        _own("EnvoyExtensionPolicy", "envoyextensionpolicies"),
        _own("EnvoyPatchPolicy", "envoypatchpolicies"),
        _own("EnvoyProxy", "envoyproxies"),
        _own("HTTPRouteFilter"),
        _own("SecurityPolicy", "securitypolicies"),
    ),
)
"""Of the Gateway API, the kinds that pages need; the chart brings the others, too."""
