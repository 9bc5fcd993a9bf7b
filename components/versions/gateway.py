"""Envoy Gateway."""

from components.versions.model import Chart, Definition, Image

ENVOY_GATEWAY_IMAGE = Image("docker.io", "envoyproxy/gateway", "v1.9.0")
ENVOY_IMAGE = Image("docker.io", "envoyproxy/envoy", "distroless-v1.39.0")
_API = "gateway.networking.k8s.io"
_OWN = "gateway.envoyproxy.io"


def _own(kind: str, plural: str | None = None) -> Definition:
    return Definition(_OWN, ("v1alpha1",), kind, plural or f"{kind.lower()}s", namespaced=True, kept=True)


def _api(kind: str, plural: str, *versions: str, namespaced: bool = True) -> Definition:
    return Definition(_API, versions, kind, plural, namespaced, kept=True)


ENVOY_GATEWAY = Chart(
    "gateway-helm",
    "docker.io",
    "envoyproxy",
    "v1.9.0",
    oci=True,
    images=(ENVOY_GATEWAY_IMAGE, ENVOY_IMAGE),
    definitions=(
        _api("GatewayClass", "gatewayclasses", "v1beta1", "v1", namespaced=False),
        _api("Gateway", "gateways", "v1beta1", "v1"),
        _api("HTTPRoute", "httproutes", "v1beta1", "v1"),
        _api("GRPCRoute", "grpcroutes", "v1"),
        _api("ReferenceGrant", "referencegrants", "v1", "v1beta1"),  # stored as the older one
        _api("BackendTLSPolicy", "backendtlspolicies", "v1"),
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
"""Of the Gateway API, the kinds that pages need; the chart brings the others, too. All lie in the folder
`crds` of a chart in the chart: Helm leaves them."""
