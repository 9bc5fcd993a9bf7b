"""Certificates and kubeconfigs of the node, made once for each state folder."""

from __future__ import annotations

import ipaddress
import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from onenode.layout import Layout

_LIFE = timedelta(days=30)
_USES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def write_all(layout: Layout) -> None:
    """Every key, certificate and kubeconfig that is missing."""
    pki = layout.root / "pki"
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    for authority in ("ca", "front-proxy-ca"):
        _authority(pki, authority)
    api_names = [
        f"kubernetes{rest}" for rest in ("", ".default", ".default.svc", ".default.svc.cluster.local")
    ]
    addresses = ["127.0.0.1", layout.address, layout.api_service]
    _certificate(
        pki, "ca", "apiserver", "kube-apiserver", names=[*api_names, "localhost"], addresses=addresses
    )
    masters = "system:masters"
    _certificate(pki, "ca", "apiserver-kubelet-client", "kube-apiserver-kubelet-client", masters)
    _certificate(pki, "ca", "admin", "admin", masters)
    for name in ("controller-manager", "scheduler", "proxy"):
        _certificate(pki, "ca", name, f"system:kube-{name}")
    _certificate(pki, "ca", "dns", "system:coredns")
    _certificate(pki, "ca", "policies", "network-policies")
    _certificate(
        pki,
        "ca",
        "kubelet",
        f"system:node:{layout.name}",
        "system:nodes",
        names=[layout.name],
        addresses=[layout.address],
    )
    _certificate(pki, "front-proxy-ca", "front-proxy-client", "front-proxy-client")
    if not (pki / "sa.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        (pki / "sa.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))
        _write_key(pki / "sa.key", key)
    (layout.root / "conf").mkdir(exist_ok=True)
    _kubeconfig(layout, "admin", layout.kubeconfig)
    for name in ("controller-manager", "scheduler", "proxy", "dns", "policies", "kubelet"):
        _kubeconfig(layout, name, layout.root / "conf" / f"{name}.kubeconfig")


def self_signed(common: str, names: Sequence[str]) -> tuple[str, str]:
    """A key, and the certificate of these names that it signs itself: both as PEM, kept nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(common), _name(common), key)
    builder = builder.add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return _pem(key).decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
    )


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _authority(pki: Path, name: str) -> None:
    if (pki / f"{name}.crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(pki / f"{name}.key", key)
    (pki / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _certificate(
    pki: Path,
    authority: str,
    name: str,
    common: str,
    organization: str = "",
    *,
    names: list[str] | None = None,
    addresses: list[str] | None = None,
) -> None:
    if (pki / f"{name}.crt").exists():
        return
    signer = serialization.load_pem_private_key((pki / f"{authority}.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate((pki / f"{authority}.crt").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(common, organization), issuer.subject, key).add_extension(
        x509.ExtendedKeyUsage(_USES), critical=False
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names or []]
    alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses or []]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    _write_key(pki / f"{name}.key", key)
    certificate = builder.sign(signer, hashes.SHA256())
    (pki / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _kubeconfig(layout: Layout, name: str, path: Path) -> None:
    if path.exists():
        return

    def data(file: str) -> str:
        return b64encode((layout.root / "pki" / file).read_bytes()).decode()

    cluster = {
        "server": f"https://{layout.address}:{layout.api_port}",
        "certificate-authority-data": data("ca.crt"),
    }
    user = {"client-certificate-data": data(f"{name}.crt"), "client-key-data": data(f"{name}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "node", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": name}}],
        "current-context": "node",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))
