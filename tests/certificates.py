"""What cert-manager makes of Certificates, where it does not run: Secrets, and webhooks that trust them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ziggurat.cluster import Cluster, Object, plural

_FROM = "cert-manager.io/inject-ca-from"


def issue(cluster: Cluster, namespace: str, name: str) -> None:
    """Makes the Secret that a Certificate asks for, signed by itself, and has the webhooks that name the
    Certificate trust it."""
    found = cluster.find("cert-manager.io/v1", "Certificate", namespace, name)
    assert found is not None, name
    key, certificate = _signed_by_itself(found["spec"]["dnsNames"])
    made: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": found["spec"]["secretName"], "namespace": namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.key": key, "tls.crt": certificate, "ca.crt": certificate},
    }
    cluster.create(made)
    authority = base64.b64encode(certificate.encode()).decode()
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        path = f"/apis/admissionregistration.k8s.io/v1/{plural(kind)}"
        for each in cluster.request("GET", path)["items"]:
            if each["metadata"].get("annotations", {}).get(_FROM) == f"{namespace}/{name}":
                for hook in each["webhooks"]:
                    hook["clientConfig"]["caBundle"] = authority
                cluster.request("PUT", f"{path}/{each['metadata']['name']}", each)


def _signed_by_itself(names: list[str]) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "certified")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
