"""Tokens of ServiceAccounts, as Kubernetes makes them."""

from __future__ import annotations

from typing import Any

from ziggurat.cluster import Cluster


def of_account(cluster: Cluster, namespace: str, account: str, *audiences: str) -> str:
    """A token for an hour; without `audiences` it is one for Kubernetes itself."""
    spec: dict[str, Any] = {"expirationSeconds": 3600}
    if audiences:
        spec["audiences"] = list(audiences)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    return cluster.request("POST", path, asked)["status"]["token"]
