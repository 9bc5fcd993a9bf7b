"""The Barman Cloud plugin on the node, beside CloudNativePG's operator, as its makers publish it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from components.versions import PLUGIN_BARMAN_CLOUD, ImageSource
from onenode import modules, pki
from onenode.cnpg import NAMESPACE
from onenode.platform import Platform

Manifest = dict[str, Any]

_SIDECAR = "SIDECAR_IMAGE"


@contextmanager
def plugin(platform: Platform) -> Iterator[None]:
    """While the body runs, the operator has the plugin. `platform` only lends its kubectl."""
    made = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests()})
    platform.kubectl("apply", "--server-side", "-f", "-", stdin=made)
    platform.kubectl("rollout", "status", "deployment/barman-cloud", "-n", NAMESPACE, "--timeout=180s")
    try:
        yield
    finally:
        platform.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=made)


def manifests() -> list[Manifest]:
    """What the makers publish, at the version that platforms pin; images are those that platforms pin.

    The certificates that it asks cert-manager for are made here: cert-manager's programs are modules of
    their own, which are not to be had.
    """
    source = modules.folder("barman-cloud", "github.com/cloudnative-pg/plugin-barman-cloud")
    image, sidecar = (ImageSource().reference(each) for each in PLUGIN_BARMAN_CLOUD.images)
    assert source.name.partition("@")[2] == image.rpartition(":")[2]
    found: list[Manifest] = []
    for each in yaml.safe_load_all((source / "manifest.yaml").read_text()):
        match each["kind"]:
            case "Issuer":
                continue
            case "Certificate":
                found.append(_certified(each))
                continue
            case "Deployment":
                (container,) = each["spec"]["template"]["spec"]["containers"]
                container["image"] = image
            case "Secret" if _SIDECAR in each["data"]:
                each = {**each, "data": {}, "stringData": {_SIDECAR: sidecar}}
            case _:
                pass
        found.append(each)
    return found


def _certified(certificate: Manifest) -> Manifest:
    """The Secret that cert-manager makes of a Certificate which signs itself."""
    spec = certificate["spec"]
    key, text = pki.self_signed(spec["commonName"], spec.get("dnsNames", []))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": spec["secretName"], "namespace": certificate["metadata"]["namespace"]},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.key": key, "tls.crt": text, "ca.crt": text},
    }
