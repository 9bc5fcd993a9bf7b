"""The gRPC service: translates between the provider protocol and the operations."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2

from standin import config, wire
from standin.client import UnreachableError
from standin.cluster import Cluster, connect
from standin.config import ConfigError, unsupported
from standin.failures import InitFailedError, OperationError
from standin.host import GRPC_OPTIONS, Host, Severity
from standin.kubeconfig import KubeconfigError
from standin.metadata import Autonaming
from standin.operations import Operations
from standin.protocol import protocol
from standin.urn import Urn

if TYPE_CHECKING:
    from pulumi.runtime.proto import plugin_pb2, provider_pb2

_THREADS: Final = 256
"""Each resource at work holds one, most of them waiting; the engine asks for any number at once."""
_ADDED_FOR_REPLACE: Final = 1
"""In the protocol, the replacing kind of a change is the plain kind plus one."""

Answer = TypeVar("Answer")
Context = grpc.ServicerContext


class Provider:
    """One provider plugin process. The methods are those of the protocol's ResourceProvider service."""

    def __init__(self, version: str, host: Host) -> None:
        """`version` is what the engine has asked for, and is told."""
        self._version = version
        self._host = host
        self._cancelled = threading.Event()
        self._operations: Operations | None = None
        self._messages = protocol().provider

    # --- the plugin itself ---------------------------------------------------------------------------------

    def Handshake(self, request: provider_pb2.ProviderHandshakeRequest, _: Context) -> Any:  # noqa: N802
        """The engine introduces itself."""
        self._host.attach(request.engine_address)
        return self._messages.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=True,
        )

    def Attach(self, request: plugin_pb2.PluginAttach, _: Context) -> Any:  # noqa: N802
        """The engine says where it is."""
        self._host.attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: Any, _: Context) -> Any:  # noqa: N802
        """The version that we stand in for."""
        return protocol().plugin.PluginInfo(version=self._version)

    def Cancel(self, _request: Any, _: Context) -> Any:  # noqa: N802
        """Ends every wait; what waited reports the object as it is."""
        self._cancelled.set()
        if self._operations and isinstance(self._operations.cluster, Cluster):
            self._operations.cluster.client.close()
        return empty_pb2.Empty()

    def GetSchema(self, _request: Any, context: Context) -> NoReturn:  # noqa: N802
        """Not served: the package's schema is part of the official plugin."""
        _fail(context, unsupported("the schema of the package"), grpc.StatusCode.UNIMPLEMENTED)

    def GetMapping(self, _request: Any, _: Context) -> Any:  # noqa: N802
        """No conversion from Terraform."""
        return self._messages.GetMappingResponse()

    def GetMappings(self, _request: Any, _: Context) -> Any:  # noqa: N802
        """No conversion from Terraform."""
        return self._messages.GetMappingsResponse()

    def Parameterize(self, _request: Any, context: Context) -> NoReturn:  # noqa: N802
        """Not served."""
        _fail(context, unsupported("a parameterised package"), grpc.StatusCode.UNIMPLEMENTED)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Context) -> NoReturn:  # noqa: N802
        """Not served: the functions render charts and the like."""
        _fail(context, unsupported(request.tok))

    def Call(self, request: provider_pb2.CallRequest, context: Context) -> NoReturn:  # noqa: N802
        """Not served."""
        _fail(context, unsupported(request.tok))

    def Construct(self, request: provider_pb2.ConstructRequest, context: Context) -> NoReturn:  # noqa: N802
        """Not served: charts, YAML and kustomize components."""
        _fail(context, unsupported(request.type))

    def List(self, request: Any, context: Context) -> NoReturn:  # noqa: N802
        """Not served."""
        _fail(context, unsupported(f"listing {request.token}"), grpc.StatusCode.UNIMPLEMENTED)

    # --- options -------------------------------------------------------------------------------------------

    def CheckConfig(self, request: provider_pb2.CheckRequest, _: Context) -> Any:  # noqa: N802
        """Whether the provider's options go together."""
        failures = config.check(wire.decode(request.news), os.environ)
        return self._messages.CheckResponse(
            inputs=request.news,
            failures=[self._messages.CheckFailure(property=name, reason=reason) for name, reason in failures],
        )

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> Any:  # noqa: N802
        """What a change of the provider's options means."""
        olds = request.old_inputs if request.old_inputs.fields else request.olds
        difference = _run(context, lambda: config.diff(wire.decode(olds), wire.decode(request.news)))
        some = (
            self._messages.DiffResponse.DIFF_SOME
            if difference.changed
            else self._messages.DiffResponse.DIFF_NONE
        )
        return self._messages.DiffResponse(
            changes=some, diffs=list(difference.changed), replaces=list(difference.replaces)
        )

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> Any:  # noqa: N802
        """Connects to the cluster. One that cannot be reached fails later, where it is really needed."""
        options = _run(context, lambda: config.options(dict(request.variables), os.environ))
        self._host.once(Severity.INFO, "using the bundled stand-in provider")
        connection = connect(options, self._cancelled)
        self._operations = Operations(
            options, connection.cluster, connection.namespace, self._host, self._cancelled
        )
        return self._messages.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=True,
        )

    # --- resources -----------------------------------------------------------------------------------------

    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> Any:  # noqa: N802
        """The inputs in normal form."""
        mode = request.autonaming.mode
        disabled = mode == self._messages.CheckRequest.AutonamingOptions.DISABLE
        autonaming = Autonaming(request.HasField("autonaming") and disabled, request.autonaming.proposed_name)
        olds, news = wire.decode(request.olds), wire.decode(request.news)
        operations = self._ready(context)
        inputs = _run(
            context, lambda: operations.check(Urn(request.urn), olds, news, request.randomSeed, autonaming)
        )
        return self._messages.CheckResponse(inputs=wire.encode(inputs))

    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> Any:  # noqa: N802
        """What an update would change."""
        olds, news = wire.decode(request.olds), wire.decode(request.news)
        operations = self._ready(context)
        found = _run(
            context, lambda: operations.diff(Urn(request.urn), olds, news, tuple(request.ignoreChanges))
        )
        some = bool(found.changes or found.replaces or found.always)
        return self._messages.DiffResponse(
            changes=self._messages.DiffResponse.DIFF_SOME if some else self._messages.DiffResponse.DIFF_NONE,
            replaces=list(found.replaces),
            deleteBeforeReplace=found.delete_before_replace,
            detailedDiff={change.shown: self._property_diff(change) for change in found.changes},
            hasDetailedDiff=True,
        )

    def _property_diff(self, change: Any) -> provider_pb2.PropertyDiff:
        kind = change.kind.value + (_ADDED_FOR_REPLACE if change.replace else 0)
        return self._messages.PropertyDiff(kind=kind, inputDiff=change.kind.name == "DELETE")

    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> Any:  # noqa: N802
        """Makes an object."""
        given = wire.decode(request.properties)
        operations = self._ready(context)
        identifier, properties = self._run(
            context,
            lambda: operations.create(
                Urn(request.urn), given, preview=request.preview, timeout=request.timeout
            ),
        )
        return self._messages.CreateResponse(id=identifier, properties=wire.encode(properties))

    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> Any:  # noqa: N802
        """Changes an object in place."""
        olds, news = wire.decode(request.olds), wire.decode(request.news)
        operations = self._ready(context)
        properties = self._run(
            context,
            lambda: operations.update(
                Urn(request.urn),
                olds,
                news,
                tuple(request.ignoreChanges),
                preview=request.preview,
                timeout=request.timeout,
            ),
        )
        return self._messages.UpdateResponse(properties=wire.encode(properties))

    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> Any:  # noqa: N802
        """Looks an object up."""
        properties, inputs = wire.decode(request.properties), wire.decode(request.inputs)
        operations = self._ready(context)
        identifier, state, seen = self._run(
            context, lambda: operations.read(Urn(request.urn), request.id, properties, inputs)
        )
        if not identifier:
            return self._messages.ReadResponse()
        return self._messages.ReadResponse(
            id=identifier, properties=wire.encode(state), inputs=wire.encode(seen)
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> Any:  # noqa: N802
        """Deletes an object."""
        properties = wire.decode(request.properties)
        operations = self._ready(context)
        self._run(
            context, lambda: operations.delete(Urn(request.urn), request.id, properties, request.timeout)
        )
        return empty_pb2.Empty()

    def _ready(self, context: Context) -> Operations:
        if self._operations is None:
            _fail(context, "the provider has not been configured")
        return self._operations

    def _run(self, context: Context, action: Callable[[], Answer]) -> Answer:
        """Runs an operation that may leave an object half done; its state goes with the error."""
        try:
            return _run(context, action)
        except InitFailedError as error:
            detail = self._messages.ErrorResourceInitFailed(
                id=error.identifier,
                properties=wire.encode(error.properties),
                reasons=list(error.reasons),
                inputs=wire.encode(error.inputs) if error.inputs else None,
            )
            packed = any_pb2.Any()
            packed.Pack(detail)
            status = protocol().status.Status(
                code=grpc.StatusCode.UNKNOWN.value[0],  # pyright: ignore[reportUnknownArgumentType, reportIndexIssue]
                message=str(error),
                details=[packed],
            )
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            _fail(context, str(error))


def _run(context: Context, action: Callable[[], Answer]) -> Answer:
    """Runs an operation; its expected failures become the error that the user sees."""
    try:
        return action()
    except (OperationError, ConfigError, KubeconfigError) as error:
        _fail(context, str(error))
    except UnreachableError as error:
        _fail(context, f"the API server does not answer: {error}")


def _fail(context: Context, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort always raises")


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(0)


_ORPHAN_SECONDS = 5.0
"""How often a plugin looks whether its engine still lives."""


def serve(version: str, engine: str) -> None:
    """Serves until the engine says goodbye; prints the port, and nothing else, on standard output.

    `engine` is the engine's address, "" where it will be told later. The engine ends a plugin by SIGINT and
    calls it a bug when that takes long, or the exit code is not 0.
    """
    host = Host()
    host.attach(engine)
    options = [*GRPC_OPTIONS, ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=options)
    provider: Any = Provider(version, host)
    protocol().provider_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    engine_process = os.getppid()
    while server.wait_for_termination(_ORPHAN_SECONDS):
        if os.getppid() != engine_process:  # it was killed, and can say goodbye no more
            os._exit(0)
