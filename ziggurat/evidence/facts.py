"""What controls are judged by: the stack's objects as the cluster has them, outputs, checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from ziggurat.check.report import Result
from ziggurat.cluster import Cluster, Object
from ziggurat.engine.state import Managed, State


@dataclass(frozen=True)
class Live:
    """An object that the stack manages."""

    managed: Managed
    found: Object | None
    """As the cluster has it; None if it is gone."""

    @property
    def label(self) -> str:
        """`Deployment acme-ml/mlflow`."""
        return self.managed.label

    def at(self, *path: str) -> Any:
        """A value in it; None where there is none."""
        value: Any = self.found
        for key in path:
            value = cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None
        return value


@dataclass(frozen=True)
class Facts:
    """Everything that is known, read once."""

    state: State
    outputs: Mapping[str, Any]
    cluster: Cluster
    now: datetime
    checks: Sequence[Result] | None = None
    """What `ziggurat check` came to; None if it was not carried out."""
    _lists: dict[tuple[str, str, str], dict[str, Object]] = field(
        default_factory=dict[tuple[str, str, str], dict[str, Object]]
    )

    @property
    def namespaces(self) -> list[str]:
        """The platform's own and its teams'."""
        return [item.name for item in self.state.objects if item.kind == "Namespace"]

    @property
    def team_namespaces(self) -> list[str]:
        """The teams'."""
        teams: Mapping[str, Mapping[str, Any]] = self.outputs.get("teams") or {}
        return [str(team["namespace"]) for team in teams.values()]

    def live(self, kind: str, name: str | None = None) -> list[Live]:
        """The managed objects of a kind, those of a name where one is given, as the cluster has them."""
        wanted = [item for item in self.state.objects if item.kind == kind and name in (None, item.name)]
        return [Live(item, self._list(item).get(item.name)) for item in wanted]

    def pods(self, namespaces: Iterable[str]) -> list[Object]:
        """The pods in some namespaces."""
        return [pod for space in namespaces for pod in self.cluster.objects("v1", "Pod", space)]

    def _list(self, item: Managed) -> dict[str, Object]:
        place = (item.api_version, item.kind, item.namespace)
        if place not in self._lists:
            self._lists[place] = {each["metadata"]["name"]: each for each in self.cluster.objects(*place)}
        return self._lists[place]
