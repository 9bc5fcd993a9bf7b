"""The one Kubernetes provider of a stack: explicit, so nothing is ever written to an ambient cluster."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes import Provider


def kubernetes_provider(
    *, cluster_identifier: str, kubeconfig: str | None = None, context: str | None = None
) -> Provider:
    """The provider for one cluster.

    `cluster_identifier` stands for the cluster: as long as it stays, a changed kubeconfig replaces nothing
    (pulumi-kubernetes#4019). ConfigMaps and Secrets are updated in place instead of being replaced; pods
    restart by the hash on their template. `kubeconfig` may hold a client key, so it is kept as a secret.
    """
    return Provider(
        "kubernetes",
        kubeconfig=None if kubeconfig is None else pulumi.Output.secret(kubeconfig),
        context=context,
        cluster_identifier=cluster_identifier,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        # enable_patch_force stays unset, which means no: two programs that own the same field are an error to
        # be seen, not a race to be won. One run may say otherwise (PULUMI_K8S_ENABLE_PATCH_FORCE).
    )
