"""What the engine asks for a resource: check, diff, create, read, update and delete, on plain data.

Nothing here knows of gRPC; server.py translates. Behaviour is that of the official plugin unless
docs/stand-in.md says otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar, cast

from standin import checkpoint, differ, metadata, ownership, paths, ready, releases, render, replaces, waitfor
from standin.awaiting import NotReadyError
from standin.checkpoint import Checkpoint, object_id, text_at
from standin.client import ApiError, Response, UnreachableError
from standin.cluster import Cluster, Unreachable
from standin.config import Options, unsupported
from standin.discovery import NoSuchKindError, kind_of
from standin.failures import CONFLICT, InitFailedError, OperationError, refused, title
from standin.host import Host, Severity
from standin.metadata import Autonaming
from standin.normal import is_crd, normalise
from standin.paths import Path
from standin.ready import Await
from standin.replaces import Fields
from standin.urn import Urn, refuse
from standin.wire import Object, Secret, Unknown, holds, mark, reveal

_CREATE_WAITS: Final = (1.0, 2.0, 3.0, 4.0, 4.0)
"""Seconds between attempts to create what the server does not know yet (a definition just applied)."""
_Answer = TypeVar("_Answer")
_OVERTAKEN_WAITS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between attempts to write an object that others change at the same time (its controller)."""
_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403
_DELETE_LIMIT: Final = 600.0
_DELETED_UNSEEN: Final = frozenset(
    {
        ("", "Namespace"),
        ("", "Pod"),
        ("", "ReplicationController"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    }
)
"""Kinds for which `skipAwait` skips the wait for their deletion too."""
_SERVER_ANNOTATIONS: Final = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
)


@dataclass(frozen=True)
class Difference:
    """The answer to Diff."""

    changes: tuple[differ.Change, ...]
    replaces: tuple[str, ...]
    delete_before_replace: bool
    always: bool = False
    """There is something to do even without a change (render mode)."""


@dataclass(frozen=True)
class Operations:
    """The operations of one configured provider."""

    options: Options
    cluster: Cluster | Unreachable
    namespace: str
    """Where objects go that name no namespace."""
    host: Host
    cancelled: threading.Event

    # --- check -------------------------------------------------------------------------------------------

    def check(self, urn: Urn, olds: Object, news: Object, seed: bytes, autonaming: Autonaming) -> Object:
        """The inputs in normal form, named and placed. Raises OperationError for what is not served."""
        refuse(urn)
        if releases.is_release(urn):
            return self._check_release(news)
        inputs = normalise(cast("Object", reveal(news)))
        old = cast("Object", reveal(olds))
        try:
            inputs = metadata.named(inputs, old, urn.name, seed, autonaming)
        except metadata.NamingError as error:
            raise OperationError(str(error)) from error
        if (
            not text_at(inputs, "metadata", "namespace")
            and self._is_namespaced(inputs)
            and _no_namespace(inputs)
        ):
            inputs = metadata.with_metadata(inputs, namespace=self.namespace)
        if isinstance(self.cluster, Cluster):
            inputs = self._check_with(self.cluster, urn, inputs)
        marked = mark(inputs, news)
        if self.options.render_to and holds(marked, Secret):
            self.host.log(Severity.WARNING, "the rendered YAML will hold a secret value in clear", urn.text)
        return marked

    def _check_with(self, cluster: Cluster, urn: Urn, inputs: Object) -> Object:
        if is_crd(inputs):
            cluster.discovery.announce(inputs)
        if cluster.strict:
            return inputs
        kept, dropped = cluster.schemas.prune(kind_of(inputs), inputs)
        for path in dropped:
            text = f"Kubernetes does not know the field {path} of {inputs.get('kind')}: it is left out"
            self.host.once(Severity.WARNING, text, urn.text)
        return kept

    def _is_namespaced(self, manifest: Object) -> bool:
        if isinstance(self.cluster, Unreachable):
            return str(manifest.get("kind")) not in _CLUSTER_SCOPED
        return self.cluster.discovery.is_namespaced(kind_of(manifest))

    # --- diff --------------------------------------------------------------------------------------------

    def diff(self, urn: Urn, olds: Object, news: Object, ignored: tuple[str, ...]) -> Difference:
        """What an update would change, and whether it must replace."""
        if releases.is_release(urn):
            found = releases.diff(cast("Object", reveal(olds)), cast("Object", reveal(news)))
            replacing = tuple(change.shown for change in found if change.replace)
            return Difference(found, replacing, bool(replacing))
        state = checkpoint.read(olds)
        new = normalise(cast("Object", reveal(news)))
        old = differ.prune(state.live, normalise(state.inputs))
        if metadata.is_named(new):
            old = metadata.with_metadata(old, name=state.name)
        namespaced = self._is_namespaced(new)
        old, new = (_placed(manifest, namespaced=namespaced) for manifest in (old, new))
        for key in ("apiVersion", "kind"):
            old.setdefault(key, new.get(key))
        fields = self._force_new(new)
        changes = tuple(differ.compare(old, new, fields, tuple(paths.parse(text) for text in ignored)))
        replacing = [change.shown for change in changes if change.replace]
        if metadata.is_on(new, metadata.REPLACE_UNREADY) and self._is_unready(urn, new, state):
            replacing.append(f'.metadata.annotations["{metadata.REPLACE_UNREADY}"]')
        same_place = text_at(new, "metadata", "name") == state.name and (
            text_at(new, "metadata", "namespace") == (state.namespace or ("default" if namespaced else ""))
        )
        keeps_name = metadata.is_named(new) and not metadata.is_on(new, metadata.AUTONAMED) and same_place
        always = bool(self.options.render_to) and self.options.always_render
        return Difference(changes, tuple(replacing), bool(replacing) and keeps_name, always)

    def _force_new(self, manifest: Object) -> Fields:
        return replaces.force_new(
            manifest,
            config_map_mutable=self.options.config_map_mutable,
            secret_mutable=self.options.secret_mutable,
        )

    def _is_unready(self, urn: Urn, new: Object, state: Checkpoint) -> bool:
        """For the annotation replaceUnready, which only Jobs have."""
        if new.get("kind") != "Job" or isinstance(self.cluster, Unreachable):
            text = "the annotation replaceUnready only works for a Job on a cluster that answers"
            self.host.log(Severity.WARNING, text, urn.text)
            return False
        try:
            live = self.cluster.read(state.live)
        except (ApiError, NoSuchKindError, UnreachableError):
            return False
        return not ready.job(live, self.cluster.waiter.lookup).done

    # --- create ------------------------------------------------------------------------------------------

    def create(self, urn: Urn, given: Object, *, preview: bool, timeout: float) -> tuple[str, Object]:
        """Makes the object and waits until it is ready: its identifier ("" in a preview) and state."""
        if releases.is_release(urn):
            return self._record(urn, given, preview=preview)
        inputs = cast("Object", reveal(given))
        if self.options.render_to and not (preview and holds(inputs, Unknown)):
            return self._render(urn, inputs, given, _manager(inputs, None))
        if preview and (isinstance(self.cluster, Unreachable) or not self._can_preview(self.cluster, inputs)):
            return "", given
        cluster = self._reached()
        manager = _manager(inputs, None)
        version = str(inputs.get("apiVersion"))
        if not cluster.discovery.is_namespaced(kind_of(inputs)):
            inputs = metadata.with_metadata(inputs, namespace=None)
        try:
            live = self._create(cluster, urn, inputs, manager, preview=preview)
        except (ApiError, NoSuchKindError) as error:
            if preview and _previews_anyway(error):
                return "", given
            raise OperationError(refused("create", inputs, error)) from error
        if preview:
            live = {key: value for key, value in live.items() if key != "status"}
            return "", checkpoint.write(inputs, live, given, version, manager)
        if is_crd(inputs):
            cluster.discovery.forget()
        try:
            live = self._await(cluster, urn, inputs, live, timeout)
        except NotReadyError as error:
            properties = checkpoint.write(inputs, error.live, given, version, manager)
            text = f"{title(inputs)} was created, but is not ready: {error.reasons[0]}"
            raise InitFailedError(object_id(live), properties, {}, (text, *error.reasons[1:])) from error
        return object_id(live), checkpoint.write(inputs, live, given, version, manager)

    def _can_preview(self, cluster: Cluster, inputs: Object) -> bool:
        return not holds(inputs, Unknown) and cluster.discovery.knows(kind_of(inputs))

    def _create(self, cluster: Cluster, urn: Urn, inputs: Object, manager: str, *, preview: bool) -> Object:
        """One creation, tried again while the server does not know the kind or the namespace yet."""
        waits = () if preview else _CREATE_WAITS
        for seconds in (*waits, 0.0):
            try:
                if self.options.upsert:
                    force = preview or self._forces(inputs)
                    answer = cluster.apply(inputs, manager, force=force, preview=preview)
                else:
                    answer = cluster.create(inputs, preview=preview)
            except (ApiError, NoSuchKindError) as error:
                missing = isinstance(error, NoSuchKindError) or error.code == _NOT_FOUND
                if not missing or not seconds or self.cancelled.is_set():
                    raise
                self.host.status(urn.text, f"not possible yet, trying again: {error}")
                cluster.discovery.forget()
                self.cancelled.wait(seconds)
            else:
                self._warn(urn, answer.warnings)
                return answer.body
        raise AssertionError("the last attempt returns or raises")

    def _forces(self, inputs: Object) -> bool:
        return self.options.patch_force or metadata.is_on(inputs, metadata.PATCH_FORCE)

    # --- update ------------------------------------------------------------------------------------------

    def update(
        self,
        urn: Urn,
        olds: Object,
        given: Object,
        ignored: tuple[str, ...],
        *,
        preview: bool,
        timeout: float,
    ) -> Object:
        """Changes the object in place and waits until it is ready: its state."""
        if releases.is_release(urn):
            return self._record(urn, given, preview=preview)[1]
        state = checkpoint.read(olds)
        inputs = normalise(cast("Object", reveal(given)))
        manager = _manager(inputs, state)
        if self.options.render_to and not (preview and holds(inputs, Unknown)):
            return self._render(urn, inputs, given, manager)[1]
        if preview and (isinstance(self.cluster, Unreachable) or not self._can_preview(self.cluster, inputs)):
            return given
        cluster = self._reached()
        version = state.initial_api_version or str(inputs.get("apiVersion"))
        try:
            live = self._update(cluster, urn, state, inputs, manager, ignored, preview=preview)
            if not preview:
                live = self._await(cluster, urn, inputs, live, timeout)
        except NoSuchKindError as error:
            raise OperationError(refused("update", inputs, error)) from error
        except (ApiError, NotReadyError) as error:
            if preview and isinstance(error, ApiError) and error.code == _FORBIDDEN:
                return given
            self._update_failed(cluster, state, inputs, given, (version, manager), error)
        if is_crd(inputs):
            cluster.discovery.forget()
        if not preview and state.field_manager not in ("", manager):
            cluster.relinquish(live, state.field_manager)
        return checkpoint.write(inputs, live, given, version, manager)

    def _update(
        self,
        cluster: Cluster,
        urn: Urn,
        state: Checkpoint,
        inputs: Object,
        manager: str,
        ignored: tuple[str, ...],
        *,
        preview: bool,
    ) -> Object:
        here = metadata.with_metadata({**inputs, "apiVersion": inputs.get("apiVersion")}, name=state.name)
        if is_crd(inputs):
            live = cluster.read(here)
            current = metadata.with_metadata(
                inputs, resourceVersion=text_at(live, "metadata", "resourceVersion")
            )
            answer = cluster.replace(current, manager, preview=preview)
        else:
            live = (
                cluster.read(here) if preview else _past_others(lambda: self._owned(cluster, here, manager))
            )
            ignored_paths: tuple[Path, ...] = tuple(paths.parse(text) for text in ignored)
            wanted = ownership.with_ignored(inputs, live, manager, ignored_paths)
            force = self._forces(inputs) or ownership.must_force(live, preview=preview)
            answer = self._apply(cluster, wanted, manager, force=force, preview=preview)
        self._warn(urn, answer.warnings)
        return answer.body

    @staticmethod
    def _owned(cluster: Cluster, here: Object, manager: str) -> Object:
        """The live object, with the adopted managers' fields as `manager`'s own."""
        live = cluster.read(here)
        managed = ownership.folded(live, manager)
        return live if managed is None else cluster.own(live, managed)

    def _apply(
        self, cluster: Cluster, wanted: Object, manager: str, *, force: bool, preview: bool
    ) -> Response:
        """Server-side apply; a preview overrides the conflicts that the real update will not have."""
        try:
            return _past_others(lambda: cluster.apply(wanted, manager, force=force, preview=preview))
        except ApiError as error:
            if preview and error.code == CONFLICT and ownership.all_adopted(error.causes):
                return cluster.apply(wanted, manager, force=True, preview=True)
            raise

    def _update_failed(
        self,
        cluster: Cluster,
        state: Checkpoint,
        inputs: Object,
        given: Object,
        stored: tuple[str, str],
        error: ApiError | NotReadyError,
    ) -> NoReturn:
        """Keeps the object as it is now, with the new inputs, so that the next run tries again."""
        if isinstance(error, NotReadyError):
            reasons = (
                f"{title(inputs)} was updated, but is not ready: {error.reasons[0]}",
                *error.reasons[1:],
            )
        else:
            reasons = (refused("update", inputs, error),)
        try:
            live = error.live if isinstance(error, NotReadyError) else cluster.read(state.live)
        except (ApiError, NoSuchKindError, UnreachableError):
            raise OperationError(reasons[0]) from error
        properties = checkpoint.write(inputs, live, given, *stored)
        raise InitFailedError(object_id(live), properties, {}, reasons) from error

    # --- read --------------------------------------------------------------------------------------------

    def read(
        self, urn: Urn, identifier: str, properties: Object, given: Object
    ) -> tuple[str, Object, Object]:
        """The object as it is now: identifier ("" where it is gone), state and inputs."""
        state = checkpoint.read(properties)
        old = normalise(cast("Object", reveal(given)))
        if self.options.render_to:
            return identifier, properties, given
        if isinstance(self.cluster, Unreachable):
            return self._read_nothing(urn, self.cluster, identifier, properties, given)
        if releases.is_release(urn):
            there = releases.Records(self.cluster).exists(releases.check(old))
            return (identifier, properties, given) if there else ("", {}, {})
        adopting = "kind" not in old and "kind" not in state.live
        wanted = _wanted(urn, identifier, old, state)
        try:
            live = self.cluster.read(wanted)
        except NoSuchKindError:
            return "", {}, {}
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return "", {}, {}
            raise OperationError(refused("read", wanted, error)) from error
        inputs = _adopted(live) if adopting else differ.prune(live, old or wanted)
        version = state.initial_api_version or str(wanted.get("apiVersion"))
        stored = checkpoint.write(inputs, live, given, version, _manager(wanted, state))
        marked = mark(inputs, given)
        if not adopting:
            self._read_unready(self.cluster, identifier, live, old, (stored, marked))
        return identifier or object_id(live), stored, marked

    def _read_nothing(
        self, urn: Urn, cluster: Unreachable, identifier: str, properties: Object, given: Object
    ) -> tuple[str, Object, Object]:
        text = f"configured Kubernetes cluster is unreachable: {cluster.reason}"
        self.host.log(Severity.WARNING, text, urn.text)
        if self.options.delete_unreachable:
            self.host.log(
                Severity.INFO, "deleteUnreachable: the resource is dropped from the state", urn.text
            )
            return "", {}, {}
        if self.options.skip_update_unreachable:
            self.host.log(Severity.INFO, "skipUpdateUnreachable: the state is left as it is", urn.text)
            return identifier, properties, given
        raise OperationError(f"{text}. {_IF_GONE}")

    def _read_unready(
        self, cluster: Cluster, identifier: str, live: Object, old: Object, parts: tuple[Object, Object]
    ) -> None:
        """Reports a workload that is not ready, as a refresh should."""
        how = ready.awaited(live)
        if how is None or not how.on_read or metadata.is_on(old, metadata.SKIP_AWAIT):
            return
        verdict = how.check(live, cluster.waiter.lookup)
        if not verdict.done:
            reason = f"{title(live)} is not ready: {verdict.message}"
            raise InitFailedError(identifier or object_id(live), *parts, (reason,))

    # --- delete ------------------------------------------------------------------------------------------

    def delete(self, urn: Urn, identifier: str, properties: Object, timeout: float) -> None:
        """Deletes the object and waits until it is gone. One that is gone already is a success."""
        state = checkpoint.read(properties)
        if self.options.render_to:
            render.remove(state.live, self.options.render_to)
            return
        if isinstance(self.cluster, Unreachable):
            text = f"configured Kubernetes cluster is unreachable: {self.cluster.reason}"
            self.host.log(Severity.WARNING, text, urn.text)
            if self.options.delete_unreachable:
                self.host.log(
                    Severity.INFO, "deleteUnreachable: the resource is dropped from the state", urn.text
                )
                return
            raise OperationError(f"{text}. {_IF_GONE}")
        if releases.is_release(urn):
            releases.Records(self.cluster).remove(cast("Object", reveal(properties)))
            return
        namespace, name = checkpoint.split_id(identifier)
        target = metadata.with_metadata(state.live, name=name, namespace=namespace or None)
        try:
            self.cluster.delete(target, metadata.propagation(state.inputs))
            if self._waits_for_deletion(state.inputs):
                limit = metadata.time_limit(state.inputs, timeout, _DELETE_LIMIT)
                self.cluster.waiter.until_gone(target, limit, lambda text: self.host.status(urn.text, text))
        except NoSuchKindError:
            return
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise OperationError(refused("delete", target, error)) from error
        except NotReadyError as error:
            stored = checkpoint.write(
                state.inputs, error.live, properties, state.initial_api_version, state.field_manager
            )
            reason = f"{title(target)} is not deleted yet: {error.reasons[0]}"
            raise InitFailedError(identifier, stored, {}, (reason,)) from error

    def _waits_for_deletion(self, inputs: Object) -> bool:
        group, _, kind = kind_of(inputs)
        return not (metadata.is_on(inputs, metadata.SKIP_AWAIT) and (group, kind) in _DELETED_UNSEEN)

    # --- releases ----------------------------------------------------------------------------------------

    def _check_release(self, news: Object) -> Object:
        if self.options.render_to:
            raise OperationError(unsupported("rendering a Release"))
        inputs = releases.check(cast("Object", reveal(news)))
        if isinstance(self.cluster, Cluster):
            releases.Records(self.cluster).announce(inputs)
        return news

    def _record(self, urn: Urn, given: Object, *, preview: bool) -> tuple[str, Object]:
        inputs = cast("Object", reveal(given))
        if preview:
            return "", given
        releases.Records(self._reached()).keep(inputs)
        text = f"the chart {inputs['chart']} is recorded, not installed: the stand-in has no Helm"
        self.host.once(Severity.INFO, text, urn.text)
        return releases.identifier(inputs), releases.state(given)

    # --- common ------------------------------------------------------------------------------------------

    def _reached(self) -> Cluster:
        if isinstance(self.cluster, Unreachable):
            raise OperationError(f"configured Kubernetes cluster is unreachable: {self.cluster.reason}")
        return self.cluster

    def _await(self, cluster: Cluster, urn: Urn, inputs: Object, live: Object, timeout: float) -> Object:
        """The object once it is ready. Raises NotReadyError."""
        try:
            how = self._how(inputs, live)
        except ValueError as error:
            raise NotReadyError(live, (str(error),)) from error
        if how is None or self._is_idle(cluster, urn, inputs, live):
            return live
        limit = metadata.time_limit(inputs, timeout, how.limit)
        try:
            done = cluster.waiter.until_ready(live, how, limit, lambda text: self.host.status(urn.text, text))
        except (ApiError, ValueError) as error:
            raise NotReadyError(live, (str(error),)) from error
        self.host.done(urn.text)
        return done

    def _is_idle(self, cluster: Cluster, urn: Urn, inputs: Object, live: Object) -> bool:
        """Whether a wait would never end, as what should act on the object is recorded and does not run."""
        wanted = metadata.annotation(inputs, metadata.WAIT_FOR)
        if not wanted or not releases.Records(cluster).nobody_acts_on(live):
            return False
        text = f"{title(live)} is stored and not awaited: what acts on it is recorded, not installed"
        self.host.once(Severity.INFO, text, urn.text)
        return True

    def _how(self, inputs: Object, live: Object) -> Await | None:
        if metadata.is_on(inputs, metadata.SKIP_AWAIT):
            return None
        wanted = metadata.annotation(inputs, metadata.WAIT_FOR)
        if wanted:
            return Await(waitfor.parse(wanted))
        return ready.awaited(live) or (ready.ANYTHING if self.options.await_all else None)

    def _render(self, urn: Urn, inputs: Object, given: Object, manager: str) -> tuple[str, Object]:
        path = render.write(inputs, self.options.render_to)
        self.host.log(Severity.INFO, f"rendered {path}", urn.text, ephemeral=True)
        properties = checkpoint.write(inputs, inputs, given, str(inputs.get("apiVersion")), manager)
        return object_id(inputs), properties

    def _warn(self, urn: Urn, warnings: tuple[str, ...]) -> None:
        if not self.options.quiet:
            for text in warnings:
                self.host.once(Severity.WARNING, text, urn.text)


_IF_GONE: Final = (
    "If the cluster is gone for good, run again with the environment variable "
    "PULUMI_K8S_DELETE_UNREACHABLE=true to drop what it held from the state"
)
_CLUSTER_SCOPED: Final = frozenset(
    [
        "APIService",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "CSIDriver",
        "CSINode",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    ]
)
"""Kinds without namespace, for when no cluster can be asked."""


def _no_namespace(manifest: Object) -> bool:
    """Whether no namespace is given, not even one that is not known yet."""
    known = manifest.get("metadata")
    return not (isinstance(known, dict) and cast("Object", known).get("namespace"))


def _placed(manifest: Object, *, namespaced: bool) -> Object:
    """With the namespace that an empty one means; without one where there can be none."""
    known: Any = cast("Object", manifest.get("metadata") or {}).get("namespace")
    return metadata.with_metadata(manifest, namespace=(known or "default") if namespaced else None)


def _manager(inputs: Object, state: Checkpoint | None) -> str:
    """The manager of our fields: as annotated, as in the state, else a new one that is kept for ever."""
    stored = state.field_manager if state else ""
    return (
        metadata.annotation(inputs, metadata.FIELD_MANAGER)
        or stored
        or metadata.unique_name("pulumi-kubernetes-")
    )


def _past_others(write: Callable[[], _Answer]) -> _Answer:
    """Repeats a write that others overtook. A conflict over fields has causes and is not repeated."""
    for seconds in _OVERTAKEN_WAITS:
        try:
            return write()
        except ApiError as error:
            if error.code != CONFLICT or error.causes:
                raise
        time.sleep(seconds)
    return write()


def _previews_anyway(error: ApiError | NoSuchKindError) -> bool:
    """Whether a dry run cannot tell: what it needs is not there yet, or still is, or may not be asked."""
    if isinstance(error, NoSuchKindError):
        return True
    return error.code == _FORBIDDEN or error.reason == "AlreadyExists" or error.namespace_missing


def _wanted(urn: Urn, identifier: str, old: Object, state: Checkpoint) -> Object:
    """What to read: the kind of the inputs or of the state, else of the type; the place that the ID names."""
    known = old if "kind" in old else state.live
    namespace, name = checkpoint.split_id(identifier)
    kind = {"apiVersion": known.get("apiVersion") or urn.api_version, "kind": known.get("kind") or urn.kind}
    placed = metadata.with_metadata({**old, **kind}, name=name)
    return metadata.with_metadata(placed, namespace=namespace) if namespace else placed


def _adopted(live: Object) -> Object:
    """Inputs that would have made this object."""
    inputs = normalise({key: value for key, value in live.items() if key != "status"})
    annotations = cast("Object", checkpoint.at(inputs, "metadata", "annotations") or {})
    kept = {key: value for key, value in annotations.items() if key not in _SERVER_ANNOTATIONS}
    return metadata.with_metadata(inputs, annotations=kept or None)
