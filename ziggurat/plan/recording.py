"""The recording monitor: runs a Pulumi program in this process and keeps what it registers.

The monitor takes the engine's place behind Pulumi's own runtime, so a program is run by the same code
that runs it under `pulumi up`: the same serialisation, the same order of dependencies, the same rules on
secrets. Nothing is contacted and nothing is stored. It behaves as the engine does in the first preview of
a new stack: identities are unknown, outputs are the inputs.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf import struct_pb2
from pulumi import Resource, ResourceTransformationArgs, RunError
from pulumi.runtime import (
    MockCallArgs,
    MockResourceArgs,
    Mocks,
    Settings,
    _depends_on,  # pyright: ignore[reportPrivateUsage]
    configure,
    register_stack_transformation,
    resource,
    resource_cycle_breaker,
    run_in_stack,
    settings,
)
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2, source_pb2

# The SDK's own way to run the loop from within a program; its mocks use it too.
from pulumi.runtime.sync_await import _sync_await  # pyright: ignore[reportPrivateUsage]

from ziggurat.plan.model import MASK, UNKNOWN, Registered

PROJECT = "ziggurat"
"""The project's name in Pulumi.yaml; it is part of every URN."""
STACK = "plan"
"""The stack's name in a plan unless another is asked for."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # Pulumi's wire protocol, public
_REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class Recording:
    """What one run of a program registered, in the order of registration."""

    resources: list[Registered] = field(default_factory=list[Registered])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Registered outputs by URN, secrets masked; the stack's own are among them."""
    stack: str = ""
    """The URN of the stack."""


def record(program: Callable[[], None], *, stack: str = STACK) -> Recording:
    """Runs `program`, as the program of a new stack, and returns what it registered.

    May be called any number of times in one process, though not from inside a running event loop: each
    run has its own event loop, its own Pulumi settings and its own root. Raises whatever the program
    raises, and `pulumi.RunError` where it asks for what only a cluster or a network can answer.
    """
    # Pulumi keeps its settings in context variables: a copied context keeps each run to itself.
    return contextvars.copy_context().run(_record, program, stack)


def _record(program: Callable[[], None], stack: str) -> Recording:
    monitor = Recorder()
    configure(
        Settings(
            project=PROJECT,
            stack=stack,
            monitor=monitor,
            engine=None,  # warnings of Pulumi go to standard error then
            dry_run=True,
            organization="organization",
        )
    )
    settings.ROOT.set(None)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Inline())
    # Components that make Outputs before the loop runs find it by the thread's policy.
    asyncio.set_event_loop(loop)
    try:
        with _quick_collection(), _without_waste():
            loop.run_until_complete(run_in_stack(_breathing(program)))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return monitor.recording


class _Inline(ThreadPoolExecutor):
    """Runs each call at once in the caller's thread.

    Pulumi hands each request to a thread, as an engine answers over a socket. Ours answers from memory:
    without threads a program registers in the same order every time. (It is hardly quicker for that.)
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # as an executor must: it belongs to whoever waits
            future.set_exception(error)
        return future


class _NothingOutside(Mocks):
    """Refuses what a plan cannot know."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise RunError(f"a plan is made offline: {args.typ} {args.name} cannot be read from a cluster")

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise RunError(f"a plan is made offline: function {args.token} cannot be called")


class Recorder(MockMonitor):
    """A monitor that keeps each registration whole, options included, and answers with its inputs."""

    def __init__(self) -> None:
        super().__init__(_NothingOutside())
        self.recording = Recording()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN as the engine makes it: with every type above, which MockMonitor's own cuts to one."""
        types = parent.split("::")[2] if parent else _STACK_TYPE
        # The stack's own type is no part of the chain.
        chain = type_ if types == _STACK_TYPE else f"{types}${type_}"
        return f"urn:pulumi:{settings.get_stack()}::{settings.get_project()}::{chain}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        """Keeps the request; the identity stays unknown, as in the first preview of a new stack."""
        stack = request.type == _STACK_TYPE
        urn = self.make_urn(request.parent, request.type, request.name)
        if stack:
            self.recording.stack = urn
        else:
            self.recording.resources.append(
                Registered(
                    urn=urn,
                    type=request.type,
                    name=request.name,
                    custom=request.custom,
                    parent=request.parent,
                    dependencies=tuple(sorted(request.dependencies)),
                    protected=request.protect,
                    provider=request.provider.rpartition("::")[0],
                    inputs=masked(request.object),
                )
            )
        return resource_pb2.RegisterResourceResponse(urn=urn, object=_answer(request))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        """Keeps what a component, or the stack, gives out."""
        if request.urn in self.recording.outputs:
            raise RunError(f"{request.urn} registers its outputs twice")
        self.recording.outputs[request.urn] = masked(request.outputs)
        return super().RegisterResourceOutputs(request)


def _answer(request: Any) -> struct_pb2.Struct:
    """The outputs of a resource: its inputs, but only the metadata of a Kubernetes object.

    A name is all that one object may want of another, as everything else is known without asking
    (principle 1); to copy the rest into outputs that nobody reads takes a tenth of a plan's time
    (measured, docs/plan.md).
    """
    if not request.type.startswith("kubernetes:"):
        return request.object
    fields = request.object.fields
    return struct_pb2.Struct(fields={"metadata": fields["metadata"]} if "metadata" in fields else {})


def masked(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A protocol message as plain data, with every secret and unknown value replaced.

    A secret map or list keeps its shape (its keys are no secret), each value in it is masked. Whole numbers
    become `int` again, as the protocol knows only floats.
    """
    return {key: _plain(value, secret=False) for key, value in sorted(struct.fields.items())}


def _plain(value: struct_pb2.Value, *, secret: bool) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain_map(value.struct_value.fields, secret=secret)
        case "list_value":
            return [_plain(item, secret=secret) for item in value.list_value.values]
        case "null_value" | None:
            return None
        case _ if secret:
            return MASK
        case "string_value":
            return UNKNOWN if value.string_value == _UNKNOWN else value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            number = value.number_value
            return int(number) if number.is_integer() else number


def _plain_map(fields: Any, *, secret: bool) -> Any:
    if _SIGNATURE in fields:
        signature = fields[_SIGNATURE].string_value
        if signature == _SECRET:
            return _plain(fields["value"], secret=True)
        if signature == _REFERENCE:
            return fields["urn"].string_value
    return {key: _plain(item, secret=secret) for key, item in sorted(fields.items())}


def _breathing(program: Callable[[], None]) -> Callable[[], None]:
    """`program`, but what it has registered so far is worked off after every hundred resources.

    Pulumi works off everything after the program has ended. Until then each resource waits with all that it
    holds: 190 MiB instead of 117 at two thousand objects (measured, docs/plan.md).
    """
    count = 0

    def breathe(_args: ResourceTransformationArgs) -> None:
        nonlocal count
        count += 1
        if count % 100 == 0:
            _sync_await(_turns(60))

    def run() -> None:
        register_stack_transformation(breathe)
        program()

    return run


async def _turns(number: int) -> None:
    """Lets the event loop go round so many times; unlike waiting for something, it always ends."""
    for _ in range(number):
        await asyncio.sleep(0)


@contextmanager
def _without_waste() -> Generator[None]:
    """Swaps functions of Pulumi's that take most of a plan's time for ones that say the same sooner.

    Nothing but time is lost should Pulumi come to call one of them otherwise (measured, docs/plan.md).
    """
    swaps: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
        (resource, "_get_stack_trace", _no_trace),
        (_depends_on, "_resolve_depends_on", _direct_dependencies),
        (resource_cycle_breaker, "_reachable", _quick_reachable),
    )
    originals = [(module, name, getattr(module, name, None)) for module, name, _ in swaps]
    try:
        for (module, name, original), (_, _, make) in zip(originals, swaps, strict=True):
            if original is not None:
                setattr(module, name, make(original))
        yield
    finally:
        for module, name, original in originals:
            if original is not None:
                setattr(module, name, original)


def _no_trace(_original: Any) -> Callable[[], source_pb2.StackTrace]:
    """Leaves out where in the program each resource is made, which only an engine shows."""
    empty = source_pb2.StackTrace()
    return lambda: empty


def _direct_dependencies(
    original: Callable[[Any], Awaitable[set[Resource]]],
) -> Callable[[Any], Awaitable[set[Resource]]]:
    """Takes plain resources as they are; Pulumi makes an Output and a task of each, to ask it for itself."""

    async def resolve(depends_on: Any) -> set[Resource]:
        if isinstance(depends_on, list):
            listed = cast("list[Any]", depends_on)
            if all(isinstance(each, Resource) for each in listed):
                return set(listed)
        return await original(depends_on)

    return resolve


def _quick_reachable(_original: Any) -> Callable[[Resource, Resource], bool]:
    """Looks for a circle of dependencies without a generator within a generator for each step."""

    def reachable(from_resource: Resource, to_resource: Resource) -> bool:
        seen: set[Resource] = set()
        pending = [from_resource]
        while pending:
            each = pending.pop()
            if each is to_resource:
                return True
            if each not in seen:
                seen.add(each)
                pending.extend(getattr(each, "_direct_computed_dependencies", ()))
        return False

    return reachable


@contextmanager
def _quick_collection() -> Generator[None]:
    """Lets the cyclic collector look seldom while thousands of live futures make each look long.

    Saves a fifth of the time at two thousand objects (measured, docs/plan.md).
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
