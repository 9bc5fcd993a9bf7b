"""Which kinds the API server knows, and where they are served: aggregated discovery, two requests."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from standin.client import Client
from standin.normal import group_of
from standin.wire import Object

_ACCEPT: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_REPEAT: Final = 1.0
"""Seconds between two looks because of a kind that was not found."""

GroupVersionKind = tuple[str, str, str]


class NoSuchKindError(Exception):
    """The API server does not know the kind."""

    def __init__(self, kind: GroupVersionKind) -> None:
        group, version, name = kind
        super().__init__(
            f'no matches for kind "{name}" in version "{f"{group}/{version}" if group else version}"'
        )


@dataclass(frozen=True)
class Resource:
    """Where a kind is served."""

    prefix: str
    """`/api/v1` or `/apis/GROUP/VERSION`."""
    plural: str
    namespaced: bool

    def collection(self, namespace: str = "") -> str:
        """The path of all of them, or of those in a namespace."""
        if self.namespaced and namespace:
            return f"{self.prefix}/namespaces/{urllib.parse.quote(namespace, safe='')}/{self.plural}"
        return f"{self.prefix}/{self.plural}"

    def item(self, namespace: str, name: str) -> str:
        """The path of one object."""
        return f"{self.collection(namespace)}/{urllib.parse.quote(name, safe='')}"


def kind_of(manifest: Object) -> GroupVersionKind:
    """Group ("" is core), version and kind of an object."""
    version = str(manifest.get("apiVersion", "")).rpartition("/")[2]
    return group_of(manifest), version, str(manifest.get("kind", ""))


class Discovery:
    """The kinds of one API server, looked up when first needed and again when one is missing."""

    def __init__(self, client: Client) -> None:
        """Asks nothing yet."""
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[GroupVersionKind, Resource] | None = None
        self._looked = 0.0
        self._announced: dict[GroupVersionKind, bool] = {}

    def find(self, kind: GroupVersionKind) -> Resource:
        """Where `kind` is served. Raises NoSuchKindError."""
        with self._lock:
            if self._known is None:
                self._look()
            found = (self._known or {}).get(kind)
            if found is None and time.monotonic() - self._looked > _REPEAT:
                self._look()
                found = (self._known or {}).get(kind)
        if found is None:
            raise NoSuchKindError(kind)
        return found

    def knows(self, kind: GroupVersionKind) -> bool:
        """Whether the server serves the kind."""
        try:
            self.find(kind)
        except NoSuchKindError:
            return False
        return True

    def is_namespaced(self, kind: GroupVersionKind) -> bool:
        """Whether objects of the kind live in namespaces; a kind nobody knows is thought to."""
        try:
            return self.find(kind).namespaced
        except NoSuchKindError:
            return self._announced.get(kind, True)

    def announce(self, crd: Object) -> None:
        """Remembers the scope of kinds that a definition will add once it is applied."""
        spec = cast("Object", crd.get("spec") or {})
        name = str((cast("Object", spec.get("names") or {})).get("kind"))
        for version in cast("list[Object]", spec.get("versions") or []):
            kind = (str(spec.get("group")), str(version.get("name")), name)
            self._announced[kind] = spec.get("scope") != "Cluster"

    def forget(self) -> None:
        """The server's kinds have changed."""
        with self._lock:
            self._known = None

    def _look(self) -> None:
        known: dict[GroupVersionKind, Resource] = {}
        for root in ("/api", "/apis"):
            listed = self._client.get(root, accept=_ACCEPT)
            for group in cast("list[Object]", listed.get("items") or []):
                known.update(_kinds(root, group))
        self._known = known
        self._looked = time.monotonic()


def _kinds(root: str, group: Object) -> Iterator[tuple[GroupVersionKind, Resource]]:
    name = str(cast("Object", group.get("metadata") or {}).get("name") or "")
    for version in cast("list[Object]", group.get("versions") or []):
        label = str(version.get("version"))
        prefix = f"{root}/{name}/{label}" if name else f"{root}/{label}"
        for resource in cast("list[Object]", version.get("resources") or []):
            kind = cast("Object", resource.get("responseKind") or {})
            # A resource may answer with a kind of another group (autoscaling's Scale); its own group counts.
            where = Resource(prefix, str(resource.get("resource")), resource.get("scope") == "Namespaced")
            yield (name, label, str(kind.get("kind"))), where
