"""cert-manager's objects (cert-manager.io/v1): who signs, and what for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.manifests.metadata import App, Manifest

API_VERSION = "cert-manager.io/v1"


@dataclass(frozen=True)
class Signer:
    """An issuer, as a certificate names it."""

    name: str
    kind: str = "ClusterIssuer"

    def reference(self) -> Manifest:
        """`issuerRef` of a Certificate."""
        return {"name": self.name, "kind": self.kind, "group": "cert-manager.io"}


def issuer(app: App, name: str, spec: Manifest) -> Manifest:
    """Signs in the namespace of `app`."""
    return {"apiVersion": API_VERSION, "kind": "Issuer", "metadata": app.metadata(name), "spec": spec}


def acme(
    account: str, server: str, email: str | None, gateway: Mapping[str, str], solver: Mapping[str, str]
) -> Manifest:
    """`spec` of an Issuer that a public authority stands behind (HTTP-01, through a Gateway).

    `account` is the Secret with the account's key; pods that answer the authority have the labels `solver`.
    """
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **gateway}
    return {
        "acme": {
            "server": server,
            **({"email": email} if email else {}),
            "privateKeySecretRef": {"name": account},
            "solvers": [
                {
                    "http01": {
                        "gatewayHTTPRoute": {
                            "parentRefs": [parent],
                            "podTemplate": {"metadata": {"labels": dict(solver)}},
                        }
                    }
                }
            ],
        }
    }


def certificate(app: App, name: str, hosts: Sequence[str], signer: Signer) -> Manifest:
    """A certificate for host names, in the Secret `name`, renewed with a new key each time."""
    return _certificate(app, name, signer, {"dnsNames": list(hosts)})


def authority(app: App, name: str, signer: Signer) -> Manifest:
    """The certificate of an authority, in the Secret `name`: it lasts ten years, and so does its key."""
    spec = {"isCA": True, "commonName": name, "duration": "87600h", "usages": ["cert sign", "crl sign"]}
    return _certificate(app, name, signer, spec, rotation="Never")


def _certificate(app: App, name: str, signer: Signer, spec: Manifest, rotation: str = "Always") -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "Certificate",
        "metadata": app.metadata(name),
        "spec": {
            "secretName": name,
            "secretTemplate": {"labels": app.labels},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": rotation},
            "issuerRef": signer.reference(),
            **spec,
        },
    }
