"""External Secrets."""

from components.versions.model import Chart, Definition, Image

VERSION = "2.9.0"


def _kind(kind: str) -> Definition:
    return Definition("external-secrets.io", ("v1",), kind, f"{kind.lower()}s", namespaced=True, kept=True)


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
        Definition(
            "external-secrets.io",
            ("v1",),
            "ClusterSecretStore",
            "clustersecretstores",
            namespaced=False,
            kept=True,
        ),
    ),
)
