"""The engine's side: messages for the user, shown beside the resource they are about."""

from __future__ import annotations

import threading
from enum import IntEnum, unique
from typing import Final

import grpc

from standin.protocol import protocol

MAX_MESSAGE: Final = 400 * 1024 * 1024
"""Bytes; the engine's own limit. A large custom resource definition exceeds gRPC's default of 4 MiB."""
GRPC_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
)
_LOG_TIMEOUT: Final = 5.0


@unique
class Severity(IntEnum):
    """As in the protocol."""

    INFO = 1
    WARNING = 2
    ERROR = 3


class Host:
    """Logs to the engine. A message that cannot be delivered is dropped: it must not fail a resource."""

    def __init__(self) -> None:
        """Not attached to an engine yet."""
        self._lock = threading.Lock()
        self._address = ""
        self._channel: grpc.Channel | None = None
        self._said: set[tuple[str, str]] = set()

    def attach(self, address: str) -> None:
        """Sends what follows to the engine at `address`."""
        with self._lock:
            if address and address != self._address:
                self._address = address
                self._channel = grpc.insecure_channel(address, options=list(GRPC_OPTIONS))

    def log(self, severity: Severity, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """One message; an ephemeral one only shows while the resource is being worked on."""
        channel = self._channel
        if channel is None:
            return
        modules = protocol()
        request = modules.engine.LogRequest(
            severity=int(severity),  # pyright: ignore[reportArgumentType]
            message=message,
            urn=urn,
            ephemeral=ephemeral,
        )
        try:
            modules.engine_grpc.EngineStub(channel).Log(request, timeout=_LOG_TIMEOUT)
        except grpc.RpcError:
            return

    def status(self, urn: str, message: str) -> None:
        """What a resource is waiting for; the same text twice running is said once."""
        with self._lock:
            if (urn, message) in self._said:
                return
            self._said = {(known, text) for known, text in self._said if known != urn} | {(urn, message)}
        self.log(Severity.INFO, message, urn, ephemeral=True)

    def done(self, urn: str) -> None:
        """Nothing is waited for any more: takes the last status away."""
        with self._lock:
            shown = {key for key in self._said if key[0] == urn}
            self._said -= shown
        if shown:
            self.log(Severity.INFO, "", urn, ephemeral=True)

    def once(self, severity: Severity, message: str, urn: str = "") -> None:
        """A message that a run needs to hear only once (per resource)."""
        key = (f"once {urn}", message)
        with self._lock:
            known = key in self._said
            self._said.add(key)
        if not known:
            self.log(severity, message, urn)
