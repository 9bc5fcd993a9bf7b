"""Waits until an object is ready, or gone, and says what it is waiting for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from standin.checkpoint import at, text_at
from standin.client import ApiError, Client, UnreachableError
from standin.discovery import Discovery, NoSuchKindError, Resource, kind_of
from standin.ready import Await, Lookup, Query, Verdict, condition
from standin.wire import Object

_POLL: Final = 1.0
"""Seconds between two looks at objects that are not watched."""
_WATCH: Final = 30.0
"""Seconds that a watch may be silent before the object itself is looked at again."""
_NOT_FOUND: Final = 404

Say = Callable[[str], None]


class NotReadyError(Exception):
    """The object exists and is not ready."""

    def __init__(self, live: Object, reasons: tuple[str, ...]) -> None:
        """`live` is how it was last seen, `reasons` why it is not ready, the main one first."""
        super().__init__(reasons[0])
        self.live = live
        self.reasons = reasons


@dataclass(frozen=True)
class Waiter:
    """What waiting needs."""

    client: Client
    discovery: Discovery
    cancelled: threading.Event

    def lookup(self, query: Query) -> list[Object]:
        """Other objects; [] where they, or their kind, do not exist."""
        group, _, version = query.api_version.rpartition("/")
        try:
            resource = self.discovery.find((group, version, query.kind))
            if query.name:
                return [self.client.get(resource.item(query.namespace, query.name))]
            selector = {"labelSelector": query.labels} if query.labels else {}
            listed = self.client.get(resource.collection(query.namespace), selector)
        except (ApiError, NoSuchKindError):
            return []
        return cast("list[Object]", listed.get("items") or [])

    def until_ready(self, live: Object, how: Await, seconds: float, say: Say) -> Object:
        """The object once it is ready. Raises NotReadyError when time is up, all is lost, or we must stop."""
        return self._wait(live, how, time.monotonic() + seconds, seconds, say)

    def until_gone(self, live: Object, seconds: float, say: Say) -> None:
        """Returns once the object is deleted. Raises NotReadyError when it is still there after `seconds`."""
        resource = self.discovery.find(kind_of(live))
        uid = text_at(live, "metadata", "uid")
        deadline = time.monotonic() + seconds
        while True:
            seen = self._look(resource, live)
            if seen is None or (uid and text_at(seen, "metadata", "uid") not in ("", uid)):
                return
            live = seen
            say(_deleting(live))
            if self._over(deadline):
                raise NotReadyError(live, (f"{self._why(seconds)}: {_deleting(live)}",))
            for event in self._events(resource, live, deadline, _WATCH):
                if event.kind == "DELETED":
                    return
                if event.kind == "MODIFIED":
                    say(_deleting(event.object))

    def _wait(self, live: Object, how: Await, deadline: float, seconds: float, say: Say) -> Object:
        resource = self.discovery.find(kind_of(live))
        silence = _POLL if how.looks_around else _WATCH
        while True:
            seen = self._look(resource, live)
            if seen is None:
                raise NotReadyError(live, ("the object has been deleted while it was awaited",))
            live = seen
            verdict = self._judge(live, how, say)
            if verdict.done:
                return live
            if self._over(deadline):
                why = f"{self._why(seconds)}: {verdict.message}"
                raise NotReadyError(live, (why, *explain(live, self.lookup)))
            for event in self._events(resource, live, deadline, silence):
                if event.kind not in ("ADDED", "MODIFIED"):
                    break
                live = event.object
                if self._judge(live, how, say).done:
                    return live

    def _judge(self, live: Object, how: Await, say: Say) -> Verdict:
        verdict = how.check(live, self.lookup)
        if verdict.failed:
            raise NotReadyError(live, (verdict.message, *explain(live, self.lookup)))
        if not verdict.done:
            say(verdict.message)
        return verdict

    def _look(self, resource: Resource, live: Object) -> Object | None:
        """The object as it is now; as it was where the server does not answer just now."""
        path = resource.item(text_at(live, "metadata", "namespace"), text_at(live, "metadata", "name"))
        try:
            return self.client.get(path)
        except UnreachableError:
            self.cancelled.wait(_POLL)
            return live
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def _events(self, resource: Resource, live: Object, deadline: float, silence: float):
        namespace, name = text_at(live, "metadata", "namespace"), text_at(live, "metadata", "name")
        seconds = max(0.05, min(silence, deadline - time.monotonic()))
        started = time.monotonic()
        query = {
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": text_at(live, "metadata", "resourceVersion"),
        }
        for event in self.client.watch(resource.collection(namespace), query, seconds):
            yield event
            if self._over(deadline):
                return
        # A watch that is refused ends at once: do not ask again in a hurry.
        if time.monotonic() - started < seconds / 2:
            self.cancelled.wait(min(_POLL, seconds))

    def _over(self, deadline: float) -> bool:
        return self.cancelled.is_set() or time.monotonic() >= deadline

    def _why(self, seconds: float) -> str:
        return "the run was cancelled" if self.cancelled.is_set() else f"timed out after {seconds:g} s"


def _deleting(live: Object) -> str:
    finalizers = cast("list[str]", at(live, "metadata", "finalizers") or [])
    return (
        f"waiting for deletion (finalizers: {', '.join(finalizers)})"
        if finalizers
        else "waiting for deletion"
    )


def explain(live: Object, look: Lookup) -> tuple[str, ...]:
    """What the cluster itself says of the trouble: warnings about the object, and its pods' problems."""
    namespace, uid = text_at(live, "metadata", "namespace"), text_at(live, "metadata", "uid")
    try:
        events = look(Query("v1", "Event", namespace)) if namespace else []
        labels = cast("Object", at(live, "spec", "selector", "matchLabels") or {})
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = look(Query("v1", "Pod", namespace, labels=selector)) if selector else []
    except UnreachableError:
        return ()
    warnings = [
        f"[{event.get('reason')}] {event.get('message')}"
        for event in events
        if event.get("type") == "Warning" and text_at(event, "involvedObject", "uid") == uid
    ]
    problems = [problem for pod in pods for problem in _pod_problems(pod)]
    return tuple(dict.fromkeys(_store_problems(live, look) + warnings[-3:] + problems[:5]))


def _store_problems(live: Object, look: Lookup) -> list[str]:
    """What is wrong with the store that an ExternalSecret is filled from, by the store's name."""
    store = cast("Object", at(live, "spec", "secretStoreRef") or {})
    if live.get("kind") != "ExternalSecret" or not store.get("name"):
        return []
    kind = str(store.get("kind") or "SecretStore")
    namespace = "" if kind.startswith("Cluster") else text_at(live, "metadata", "namespace")
    found = look(Query(str(live["apiVersion"]), kind, namespace, name=str(store["name"])))
    label = f"{kind} {store['name']}"
    if not found:
        return [f"there is no {label}, which it is filled from"]
    ready = condition(found[0], "Ready")
    if ready.get("status") == "True":
        return [f"it is filled from {label}, which is ready"]
    return [f"it is filled from {label}, which is not ready: {ready.get('message') or 'it does not say why'}"]


def _pod_problems(pod: Object) -> list[str]:
    name = text_at(pod, "metadata", "name")
    problems = [
        f"pod {name}: {item.get('message')}"
        for item in cast("list[Object]", at(pod, "status", "conditions") or [])
        if item.get("type") == "PodScheduled" and item.get("status") == "False" and item.get("message")
    ]
    for container in cast("list[Object]", at(pod, "status", "containerStatuses") or []):
        waiting = cast("Object", at(container, "state", "waiting") or {})
        if waiting.get("reason") and waiting.get("reason") != "ContainerCreating":
            text = f"{waiting.get('reason')} {waiting.get('message') or ''}".strip()
            problems.append(f"pod {name}, container {container.get('name')}: {text}")
    return problems
