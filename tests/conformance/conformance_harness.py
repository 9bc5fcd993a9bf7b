"""Drives a plugin as the engine does: over its own protocol, with a small engine that notes what it says."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2

from standin.client import ApiError, Client
from standin.discovery import Discovery, kind_of
from standin.host import GRPC_OPTIONS
from standin.kubeconfig import Overrides, access, parse
from standin.protocol import protocol
from standin.wire import decode, encode

STACK = "urn:pulumi:test::conformance::"
SEED = b"\x01\x02\x03"


class PluginError(Exception):
    """The plugin has refused an operation."""


class InitFailedError(PluginError):
    """The object exists and is not ready: its identifier, state and the reasons."""

    def __init__(self, message: str, detail: Any) -> None:
        super().__init__(message)
        self.id = detail.id
        self.state = decode(detail.properties)
        self.reasons = list(detail.reasons)


class Engine:
    """The engine's side of the conversation."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=list(GRPC_OPTIONS))
        protocol().engine_grpc.add_EngineServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Log(self, request: Any, _: Any) -> Any:  # noqa: N802
        self.messages.append(request)
        return empty_pb2.Empty()

    def __getattr__(self, name: str) -> Any:
        if name[0].isupper():
            return lambda *_: None  # methods that no plugin calls
        raise AttributeError(name)

    def said(self) -> list[str]:
        return [message.message for message in self.messages]

    def stop(self) -> None:
        self._server.stop(None)


@dataclass
class Plugin:
    """One plugin process."""

    executable: Path
    engine: Engine
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [self.executable, self.engine.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        assert self.process.stdout
        port = self.process.stdout.readline().strip()
        # The engine reads on; a plugin that says more must not be blocked.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=list(GRPC_OPTIONS))
        self.stub = protocol().provider_grpc.ResourceProviderStub(self.channel)
        self.messages = protocol().provider

    def stop(self) -> None:
        self.channel.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def configure(self, **options: str) -> Plugin:
        variables = {f"kubernetes:config:{name}": value for name, value in options.items()}
        request = self.messages.ConfigureRequest(
            variables=variables,
            args=encode(options),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
        )
        self._call("Configure", request)
        return self

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=120)
        except grpc.RpcError as error:
            raise _failure(error) from None

    def check(self, urn: str, news: dict, olds: dict | None = None, seed: bytes = SEED) -> dict:
        answer = self._call(
            "Check",
            self.messages.CheckRequest(urn=urn, olds=encode(olds or {}), news=encode(news), randomSeed=seed),
        )
        assert not answer.failures, answer.failures
        return decode(answer.inputs)

    def diff(self, urn: str, identifier: str, state: dict, news: dict, ignored: tuple[str, ...] = ()) -> Any:
        request = self.messages.DiffRequest(
            id=identifier,
            urn=urn,
            olds=encode(state),
            news=encode(news),
            old_inputs=encode(state.get("__inputs", {})),
            ignoreChanges=ignored,
        )
        return self._call("Diff", request)

    def create(
        self, urn: str, inputs: dict, *, preview: bool = False, timeout: float = 0
    ) -> tuple[str, dict]:
        request = self.messages.CreateRequest(
            urn=urn, properties=encode(inputs), preview=preview, timeout=timeout
        )
        answer = self._call("Create", request)
        return answer.id, decode(answer.properties)

    def update(
        self,
        urn: str,
        identifier: str,
        state: dict,
        news: dict,
        *,
        preview: bool = False,
        timeout: float = 0,
        ignored: tuple[str, ...] = (),
    ) -> dict:
        request = self.messages.UpdateRequest(
            id=identifier,
            urn=urn,
            olds=encode(state),
            news=encode(news),
            old_inputs=encode(state.get("__inputs", {})),
            preview=preview,
            timeout=timeout,
            ignoreChanges=ignored,
        )
        return decode(self._call("Update", request).properties)

    def read(self, urn: str, identifier: str, state: dict | None = None) -> tuple[str, dict, dict]:
        inputs = (state or {}).get("__inputs", {})
        request = self.messages.ReadRequest(
            id=identifier, urn=urn, properties=encode(state or {}), inputs=encode(inputs)
        )
        answer = self._call("Read", request)
        return answer.id, decode(answer.properties), decode(answer.inputs)

    def delete(self, urn: str, identifier: str, state: dict, *, timeout: float = 0) -> None:
        request = self.messages.DeleteRequest(
            id=identifier,
            urn=urn,
            properties=encode(state),
            old_inputs=encode(state.get("__inputs", {})),
            timeout=timeout,
        )
        self._call("Delete", request)

    def apply(self, manifest: dict, name: str = "it", **options: Any) -> tuple[str, str, dict]:
        """Checks and creates: URN, identifier and state."""
        urn = urn_of(manifest, name)
        identifier, state = self.create(urn, self.check(urn, manifest), **options)
        return urn, identifier, state


def _failure(error: Any) -> PluginError:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = protocol().status.Status.FromString(value)
            for packed in status.details:
                detail = protocol().provider.ErrorResourceInitFailed()
                if packed.Unpack(detail):
                    return InitFailedError(error.details(), detail)
    return PluginError(error.details())


def urn_of(manifest: dict, name: str = "it") -> str:
    version = manifest["apiVersion"]
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
    return f"{STACK}{token}::{name}"


class Kubernetes:
    """The cluster behind the plugin's back."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._client = Client(access(parse(str(kubeconfig)), Overrides()), user_agent="conformance")
        self._discovery = Discovery(self._client)

    def _path(self, manifest: dict) -> str:
        metadata = manifest["metadata"]
        found = self._discovery.find(kind_of(manifest))
        return found.item(metadata.get("namespace", ""), metadata["name"])

    def get(self, manifest: dict) -> dict | None:
        try:
            return self._client.get(self._path(manifest))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def create(self, manifest: dict) -> dict:
        where = self._discovery.find(kind_of(manifest)).collection(manifest["metadata"].get("namespace", ""))
        return self._client.request("POST", where, None, manifest).body

    def new_namespace(self, name: str) -> None:
        """Creates a namespace; waits for the account of its pods, which a controller adds a moment later."""
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": name},
        }
        deadline = time.monotonic() + 60
        while self.get(account) is None:
            assert time.monotonic() < deadline, f"namespace {name} got no default account in 60 s"
            time.sleep(0.02)

    def patch(self, manifest: dict, patch: dict, manager: str = "somebody", sub: str = "") -> dict:
        return self._client.request(
            "PATCH",
            self._path(manifest) + sub,
            {"fieldManager": manager},
            patch,
            content_type="application/merge-patch+json",
        ).body

    def delete(self, manifest: dict) -> None:
        self._client.request("DELETE", self._path(manifest), None, {"propagationPolicy": "Background"})
