"""cert-manager."""

from components.versions.model import Chart, Definition, Image

VERSION = "v1.21.1"


def _image(name: str) -> Image:
    return Image("quay.io", f"jetstack/cert-manager-{name}", VERSION)


def _kind(kind: str, *, group: str = "cert-manager.io", namespaced: bool = True) -> Definition:
    return Definition(group, ("v1",), kind, f"{kind.lower()}s", namespaced, kept=True)


CERT_MANAGER = Chart(
    "cert-manager",
    "quay.io",
    "jetstack/charts",
    VERSION,
    oci=True,
    images=tuple(
        _image(name) for name in ("controller", "webhook", "cainjector", "startupapicheck", "acmesolver")
    ),
    definitions=(
        _kind("Certificate"),
        _kind("CertificateRequest"),
        _kind("Issuer"),
        _kind("ClusterIssuer", namespaced=False),
        _kind("Challenge", group="acme.cert-manager.io"),
        _kind("Order", group="acme.cert-manager.io"),
    ),
)
