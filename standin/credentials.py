"""Credentials from an exec plugin of a kubeconfig: a program that prints an ExecCredential."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from standin.kubeconfig import Access, ExecPlugin, KubeconfigError
from standin.wire import Object

_PLUGIN_TIMEOUT: Final = 60.0
"""Seconds that a credential plugin may take."""
_MARGIN: Final = timedelta(seconds=30)
"""How long before they expire credentials are asked for again."""


@dataclass(frozen=True)
class Credentials:
    """What a plugin has given."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: datetime | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class ExecCredentials:
    """Runs the plugin when credentials are needed, and again when they have expired."""

    def __init__(self, access: Access) -> None:
        """`access` must have an exec plugin."""
        self._access = access
        self._plugin = cast("ExecPlugin", access.exec_plugin)
        self._lock = threading.Lock()
        self._current: Credentials | None = None

    def current(self) -> Credentials:
        """Valid credentials. Raises KubeconfigError where the plugin fails."""
        with self._lock:
            known = self._current
            if known is None or (known.expires and known.expires - _MARGIN < datetime.now(UTC)):
                known = self._current = run(self._plugin, self._access)
            return known

    def forget(self) -> None:
        """The server does not take them any more."""
        with self._lock:
            self._current = None


def run(plugin: ExecPlugin, access: Access) -> Credentials:
    """Runs the plugin once. Raises KubeconfigError; what it printed never shows, since it may be secret."""
    spec: Object = {"interactive": False}
    if plugin.provide_cluster_info:
        spec["cluster"] = {"server": access.server, "insecure-skip-tls-verify": access.insecure}
    info = json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})
    environment = {**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": info}
    hint = f" ({plugin.install_hint})" if plugin.install_hint else ""
    try:
        done = subprocess.run(
            [plugin.command, *plugin.args],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PLUGIN_TIMEOUT,
            check=True,
        )
    except FileNotFoundError as error:
        raise KubeconfigError(f"the credential plugin {plugin.command!r} is not there{hint}") from error
    except subprocess.TimeoutExpired as error:
        raise KubeconfigError(f"the credential plugin {plugin.command!r} took more than a minute") from error
    except subprocess.CalledProcessError as error:
        tail = cast("bytes", error.stderr or b"").decode(errors="replace").strip()[-300:]
        raise KubeconfigError(f"the credential plugin {plugin.command!r} failed: {tail}{hint}") from error
    return _credentials(plugin, done.stdout)


def _credentials(plugin: ExecPlugin, output: bytes) -> Credentials:
    try:
        printed: Any = json.loads(output)
        status = cast("Object", printed["status"])
    except (ValueError, KeyError, TypeError) as error:
        raise KubeconfigError(
            f"the credential plugin {plugin.command!r} printed no ExecCredential"
        ) from error
    expires = status.get("expirationTimestamp")
    return Credentials(
        token=str(status.get("token") or ""),
        certificate=str(status.get("clientCertificateData") or ""),
        key=str(status.get("clientKeyData") or ""),
        expires=datetime.fromisoformat(str(expires)) if expires else None,
    )
