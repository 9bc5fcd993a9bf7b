"""Kinds that a real cluster brings with what makes its GPU nodes, so that a sandbox takes objects of them.

Nobody acts on these objects in a sandbox. The definitions take whatever they are given, unless
ZIGGURAT_TEST_CRDS names a folder of real ones (YAML).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from standin.definitions import FOLDER, by_name

_KINDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "karpenter": (("NodePool", "karpenter.sh", "v1"), ("EC2NodeClass", "karpenter.k8s.aws", "v1")),
    "gke": (("ComputeClass", "cloud.google.com", "v1"),),
}
"""By the provider of a pool: kind, group and version."""


def definitions(providers: Iterable[str]) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions that objects for these providers need; none for most of them."""
    stubs = [_stub(*kind) for provider in sorted(set(providers)) for kind in _KINDS.get(provider, ())]
    real = by_name(os.environ.get(FOLDER, ""), [stub["metadata"]["name"] for stub in stubs])
    return [real.get(stub["metadata"]["name"], stub) for stub in stubs]


def _stub(kind: str, group: str, version: str) -> dict[str, Any]:
    plural = f"{kind.lower()}es" if kind.endswith("s") else f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
            },
            "scope": "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
