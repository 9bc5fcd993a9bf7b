"""External Secrets."""

from components.versions.model import Chart, Definition, Image

VERSION = "2.9.0"


def _kind(kind: str, *, namespaced: bool = True) -> Definition:
    return Definition("external-secrets.io", ("v1",), kind, f"{kind.lower()}s", namespaced, kept=True)


EXTERNAL_SECRETS = Chart(
    "external-secrets",
    "ghcr.io",
    "external-secrets/charts",
    VERSION,
    oci=True,
    images=(Image("ghcr.io", "external-secrets/external-secrets", f"v{VERSION}"),),
    definitions=(
        _kind("ExternalSecret"),
        _kind("SecretStore"),
        _kind("ClusterSecretStore", namespaced=False),
    ),
)
