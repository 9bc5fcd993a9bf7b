"""Helm releases, recorded instead of installed.

The stand-in has no Helm. For a Release it keeps a record on the cluster (a ConfigMap), and puts the
definitions of the chart's custom resources there, so that these can be made. They say nothing of the fields
(`x-kubernetes-preserve-unknown-fields`), unless the folder that ZIGGURAT_TEST_CRDS names holds the real ones.
Nothing else of the chart is there: no pod, no webhook.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

from standin import differ, metadata, waitfor
from standin.awaiting import NotReadyError
from standin.checkpoint import at, text_at
from standin.client import ApiError
from standin.cluster import Cluster
from standin.config import unsupported
from standin.definitions import FOLDER, by_name
from standin.differ import Change
from standin.discovery import NoSuchKindError, kind_of
from standin.failures import OperationError, refused
from standin.ready import Await
from standin.replaces import Fields
from standin.urn import RELEASE, Urn
from standin.wire import Object

RECORDED: Final = "recorded"
"""What the status of a release says that was recorded; Helm's own word for an installed one is `deployed`."""
RECORD: Final = "ziggurat.dev/recorded-release"
"""The annotation that says for which release an object is there."""
POLICY: Final = "helm.sh/resource-policy"
KEEP: Final = "keep"
"""Helm's own annotation, and its value, on what stays when a release goes."""

_MANAGER: Final = "ziggurat-recorded-release"
_NOT_FOUND: Final = 404
_SECONDS: Final = 60.0
_REPLACING: Final[Fields] = ("name", "namespace")
_SERVED: Final = Await(waitfor.parse("condition=Established"))
_CHANGING: Final = threading.Lock()
"""Releases of one chart share its definitions, and come and go at the same time."""


def is_release(urn: Urn) -> bool:
    """Whether a resource is a Helm release."""
    return urn.token == RELEASE


def check(news: Object) -> Object:
    """The inputs of a release; OperationError if it has no name or names no chart."""
    for key in ("name", "namespace", "chart"):
        if not news.get(key):
            raise OperationError(f"a Release needs `{key}` where it is recorded only")
    return news


def diff(olds: Object, news: Object) -> tuple[Change, ...]:
    """What differs between the inputs in the state and the new ones."""
    before = {key: value for key, value in olds.items() if key != "status"}
    return tuple(differ.compare(before, news, _REPLACING))


def identifier(inputs: Object) -> str:
    """The identifier in Pulumi's state, as the official plugin makes it."""
    return f"{inputs['namespace']}/{inputs['name']}"


def state(inputs: Object) -> Object:
    """The state of a recorded release."""
    shown = {key: inputs[key] for key in ("name", "namespace", "chart", "version") if key in inputs}
    return {**inputs, "status": {"status": RECORDED, **shown}}


@dataclass(frozen=True)
class Records:
    """The records of releases on one cluster."""

    cluster: Cluster

    def announce(self, inputs: Object) -> None:
        """Tells which of the chart's kinds have namespaces, before any of them is there."""
        for definition in definitions(inputs):
            self.cluster.discovery.announce(definition)

    def keep(self, inputs: Object) -> None:
        """Puts the definitions and the record there. Raises OperationError."""
        with _CHANGING:
            for definition in definitions(inputs):
                self._define(definition, identifier(inputs))
            self.cluster.discovery.forget()
            self._apply(_record(inputs))

    def exists(self, inputs: Object) -> bool:
        """Whether the release is on record."""
        return self._find(_record(inputs)) is not None

    def remove(self, inputs: Object) -> None:
        """Takes the record away, and the definitions that are there for it. Raises OperationError."""
        with _CHANGING:
            for definition in definitions(inputs):
                live = self._find(definition)
                if live and _note(live, RECORD) == identifier(inputs) and _note(live, POLICY) != KEEP:
                    self._delete(definition)
            self.cluster.discovery.forget()
            self._delete(_record(inputs))

    def nobody_acts_on(self, manifest: Object) -> bool:
        """Whether an object's kind is there for a recorded release, so that its controller does not run."""
        group, _, _ = kind = kind_of(manifest)
        if "." not in group:
            return False
        try:
            plural = self.cluster.discovery.find(kind).plural
        except NoSuchKindError:
            return False
        definition = self._find(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
            }
        )
        return definition is not None and bool(_note(definition, RECORD))

    def _define(self, definition: Object, owner: str) -> None:
        live = self._find(definition)
        if live is not None and _note(live, RECORD) != owner:
            return  # somebody brought it, or another release of the same chart: it is as good as ours
        known = cast("Object", at(definition, "metadata", "annotations") or {})
        live = self._apply(metadata.with_metadata(definition, annotations={**known, RECORD: owner}))
        try:
            self.cluster.waiter.until_ready(live, _SERVED, _SECONDS, lambda _text: None)
        except NotReadyError as error:
            raise OperationError(f"{text_at(live, 'metadata', 'name')}: {error.reasons[0]}") from error

    def _apply(self, manifest: Object) -> Object:
        try:
            return self.cluster.apply(manifest, _MANAGER, force=True, preview=False).body
        except (ApiError, NoSuchKindError) as error:
            raise OperationError(refused("create", manifest, error)) from error

    def _find(self, manifest: Object) -> Object | None:
        try:
            return self.cluster.read(manifest)
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise OperationError(refused("read", manifest, error)) from error

    def _delete(self, manifest: Object) -> None:
        try:
            self.cluster.delete(manifest, "Background")
            self.cluster.waiter.until_gone(manifest, _SECONDS, lambda _text: None)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise OperationError(refused("delete", manifest, error)) from error
        except NotReadyError as error:
            raise OperationError(f"{text_at(manifest, 'metadata', 'name')}: {error.reasons[0]}") from error


def _note(live: Object, annotation: str) -> object:
    return at(live, "metadata", "annotations", annotation)


def _record(inputs: Object) -> Object:
    shown = ("chart", "version", "name")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"recorded-release-{inputs['name']}",
            "namespace": inputs["namespace"],
            "annotations": {RECORD: identifier(inputs)},
        },
        "data": {key: str(inputs[key]) for key in shown if key in inputs},
    }


def definitions(inputs: Object) -> list[Object]:
    """The CustomResourceDefinitions of a release's chart: the real ones where they are at hand, else stubs.

    OperationError for a chart of which nothing is known: its custom resources could not be made.
    """
    name = str(inputs["chart"]).rpartition("/")[2]
    known = _charts().get(name)
    if known is None:
        raise OperationError(unsupported(f"the chart {name}, of whose definitions nothing is known,"))
    real = by_name(os.environ.get(FOLDER, ""), [_name(item) for item in known])
    return [_kept(item, real.get(_name(item)) or _stub(item)) for item in known]


def _kept(known: Object, definition: Object) -> Object:
    """The definition, which says so where Helm would leave it."""
    if not known.get("kept"):
        return definition
    notes = cast("Object", at(definition, "metadata", "annotations") or {})
    return metadata.with_metadata(definition, annotations={**notes, POLICY: KEEP})


@cache
def _charts() -> dict[str, list[Object]]:
    path = Path(__file__).with_name("charts.json")
    return cast("dict[str, list[Object]]", json.loads(path.read_text(encoding="utf-8")))


def _name(definition: Object) -> str:
    return f"{definition['plural']}.{definition['group']}"


_UNAPPROVED: Final = {"api-approved.kubernetes.io": "unapproved, a stand-in for the chart's own definition"}
"""Without it the API server takes no kind of a group below k8s.io, such as Gateway API's."""


def _stub(definition: Object) -> Object:
    """A definition that takes whatever it is given."""
    versions = cast("list[str]", definition["versions"])
    kind = str(definition["kind"])
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": _name(definition), "annotations": _UNAPPROVED},
        "spec": {
            "group": definition["group"],
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": definition["plural"],
                "singular": kind.lower(),
            },
            "scope": "Namespaced" if definition["namespaced"] else "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for version in versions
            ],
        },
    }
