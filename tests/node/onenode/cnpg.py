"""CloudNativePG on the node: its operator as its makers publish it, and a platform whose database it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onenode import modules
from onenode.layout import Layout
from onenode.platform import Platform, until

NAMESPACE = "cnpg-system"
_BLUEPRINT = """\
apiVersion: ziggurat/v1
name: {name}
phase: orchestration
cluster: {{context: node, kubeconfig: {kubeconfig}}}
teams: {{vision: {{}}}}
tracking: {{replicas: 2, resources: {{cpu: 100m, memory: 768Mi, memoryLimit: 1536Mi}}}}
database:
  mode: highlyAvailable
  operator: existing
  instances: {instances}
  storage: 2Gi
  resources: {{cpu: 50m, memory: 256Mi, memoryLimit: 512Mi}}
"""


@contextmanager
def operator(platform: Platform) -> Iterator[None]:
    """While the body runs, the operator is there, in a namespace of its own; its image is ours.

    `platform` only lends its kubectl.
    """
    source = modules.folder("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg")
    manifest = (source / "releases" / "cnpg-1.30.0.yaml").read_text()
    mine = manifest.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    platform.kubectl("apply", "--server-side", "-f", "-", stdin=mine)
    deployment = "deployment/cnpg-controller-manager"
    platform.kubectl("rollout", "status", deployment, "-n", NAMESPACE, "--timeout=180s")
    try:
        yield
    finally:
        platform.kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=mine)


@dataclass(frozen=True)
class Servers:
    """A platform with MLflow servers on PostgreSQL servers, which the operator runs."""

    platform: Platform
    instances: int

    def cluster(self) -> dict[str, Any]:
        """The Cluster, as the operator sees it."""
        (found,) = self.platform.objects("clusters.postgresql.cnpg.io", self.platform.name)
        return found

    def primary(self) -> str:
        """The pod that is written to."""
        return self.cluster()["status"]["currentPrimary"]

    def wait_whole(self, seconds: float = 240) -> None:
        """Until every server is well."""
        until(
            lambda: self.cluster().get("status", {}).get("readyInstances"),
            self.instances,
            lambda: self.cluster()["status"],
            seconds,
        )

    def sql(self, pod: str, statement: str) -> list[str]:
        """The lines that a server answers to its superuser."""
        return self.platform.sql(statement, pod, "postgres")


@contextmanager
def provisioned(
    node: Layout, first: Platform, folder: str, name: str, instances: int, more: str = ""
) -> Iterator[Servers]:
    """While the body runs, a platform with such a database is there; `more` are further lines of `database`.

    `folder`: which of the node's platforms; `first`: any platform of the node.
    """
    made = Platform(name, node.platforms[folder], first.kubeconfig, first.cache)
    made.write(_BLUEPRINT.format(name=name, kubeconfig=first.kubeconfig, instances=instances) + more)
    try:
        made.up()
        yield Servers(made, instances)
    finally:
        made.ziggurat("destroy", str(made.blueprint), "--with-data", "--stand-in", "--confirm", name)
