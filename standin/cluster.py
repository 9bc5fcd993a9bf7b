"""The cluster as the operations see it: one object created, applied, replaced, read or deleted at a time."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Final

from standin import kubeconfig
from standin.awaiting import Waiter
from standin.checkpoint import text_at
from standin.client import APPLY, JSON, JSON_PATCH, ApiError, Client, Response, UnreachableError
from standin.config import Options
from standin.discovery import Discovery, kind_of
from standin.kubeconfig import KubeconfigError
from standin.ownership import CREATOR, Entry
from standin.schema import Schemas
from standin.wire import Object

_AGENT: Final = "ziggurat-standin"
_PREVIEW: Final = {"dryRun": "All"}


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers."""

    client: Client
    discovery: Discovery
    schemas: Schemas
    waiter: Waiter
    strict: bool

    def create(self, manifest: Object, *, preview: bool) -> Response:
        """POST: fails where the object exists already."""
        resource = self.discovery.find(kind_of(manifest))
        namespace = text_at(manifest, "metadata", "namespace")
        query = {"fieldManager": CREATOR, **self._validation(), **(_PREVIEW if preview else {})}
        return self.client.request("POST", resource.collection(namespace), query, manifest)

    def apply(self, manifest: Object, manager: str, *, force: bool, preview: bool) -> Response:
        """Server-side apply."""
        query = {
            "fieldManager": manager,
            "force": "true" if force else "false",
            **self._validation(),
            **(_PREVIEW if preview else {}),
        }
        return self.client.request("PATCH", self._path(manifest), query, manifest, content_type=APPLY)

    def replace(self, manifest: Object, manager: str, *, preview: bool) -> Response:
        """PUT: the whole object."""
        query = {"fieldManager": manager, **self._validation(), **(_PREVIEW if preview else {})}
        return self.client.request("PUT", self._path(manifest), query, manifest, content_type=JSON)

    def own(self, live: Object, managed: list[Entry]) -> Object:
        """Writes other managed fields, if the object is still the one that was read."""
        version = text_at(live, "metadata", "resourceVersion")
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": managed},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]
        return self.client.request("PATCH", self._path(live), None, patch, content_type=JSON_PATCH).body

    def relinquish(self, live: Object, manager: str) -> None:
        """`manager` gives up the fields that it owns; what nobody else owns goes away."""
        metadata = {key: text_at(live, "metadata", key) for key in ("name", "namespace")}
        bare = {
            "apiVersion": live.get("apiVersion"),
            "kind": live.get("kind"),
            "metadata": {key: value for key, value in metadata.items() if value},
        }
        query = {"fieldManager": manager, "force": "false"}
        self.client.request("PATCH", self._path(live), query, bare, content_type=APPLY)

    def read(self, manifest: Object) -> Object:
        """The object as it is. Raises ApiError (404 where it is gone) and NoSuchKindError."""
        return self.client.get(self._path(manifest))

    def delete(self, manifest: Object, propagation: str) -> None:
        """DELETE; returns before the object is gone."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        self.client.request("DELETE", self._path(manifest), None, options)

    def _path(self, manifest: Object) -> str:
        resource = self.discovery.find(kind_of(manifest))
        return resource.item(
            text_at(manifest, "metadata", "namespace"), text_at(manifest, "metadata", "name")
        )

    def _validation(self) -> dict[str, str]:
        return {"fieldValidation": "Strict" if self.strict else "Warn"}


@dataclass(frozen=True)
class Unreachable:
    """A cluster that cannot be used, and why."""

    reason: str


@dataclass(frozen=True)
class Connection:
    """What Configure comes to: a cluster or the reason why there is none, and the default namespace."""

    cluster: Cluster | Unreachable
    namespace: str


def connect(options: Options, cancelled: threading.Event) -> Connection:
    """Finds the cluster and asks it once. Never raises: previews must work without a cluster."""
    try:
        access = _access(options)
    except KubeconfigError as error:
        where = "`kubernetes:config:kubeconfig`" if options.kubeconfig else "the ambient kubeconfig"
        reason = f"failed to parse kubeconfig data in {where}: {error}"
        return Connection(Unreachable(reason), options.overrides.namespace or "default")
    namespace = access.namespace or "default"
    try:
        client = Client(access, user_agent=_AGENT, timeout=options.timeout)
        discovery = Discovery(client)
        discovery.knows(("", "v1", "Namespace"))
    except (UnreachableError, KubeconfigError) as error:
        return Connection(
            Unreachable(f"unable to load schema information from the API server: {error}"), namespace
        )
    except ApiError as error:
        reason = f"unable to load schema information from the API server: {error.request}: {error}"
        return Connection(Unreachable(reason), namespace)
    waiter = Waiter(client, discovery, cancelled)
    return Connection(Cluster(client, discovery, Schemas(client), waiter, options.strict), namespace)


def _access(options: Options) -> kubeconfig.Access:
    if options.kubeconfig:
        return kubeconfig.access(kubeconfig.parse(options.kubeconfig), options.overrides)
    config = kubeconfig.ambient(os.environ)
    pod = None if config else kubeconfig.in_pod(os.environ)
    return pod or kubeconfig.access(config, options.overrides)
