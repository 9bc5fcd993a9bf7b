"""People before a cluster, as whom a test asks: by impersonation, so with their rights and no others."""

from __future__ import annotations

from ziggurat.cluster import Cluster


class Person(Cluster):
    """The cluster as a person of one group sees it."""

    def __init__(self, cluster: Cluster, name: str, group: str) -> None:
        super().__init__(cluster.kubeconfig, cluster.context)
        self._who = {"Impersonate-User": name, "Impersonate-Group": group}

    def _credentials(self) -> dict[str, str]:
        return {**super()._credentials(), **self._who}
