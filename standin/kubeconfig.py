"""Which cluster, as whom: kubeconfigs as client-go reads them (contents, path, `KUBECONFIG`, in a pod)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import yaml

from standin.wire import Object

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_IN_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(ValueError):
    """The kubeconfig cannot be used: what is wrong with it."""


@dataclass(frozen=True)
class ExecPlugin:
    """A program that is run for credentials."""

    command: str
    args: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    api_version: str
    install_hint: str
    provide_cluster_info: bool


@dataclass(frozen=True)
class Access:
    """One cluster, and the credentials for it."""

    server: str
    namespace: str = ""
    """The context's default namespace, "" where it names none."""
    authority: str = ""
    """PEM of the authority to trust, "" for the system's."""
    server_name: str = ""
    """Name to expect in the server's certificate, "" for that of the address."""
    insecure: bool = False
    proxy: str = ""
    token: str = ""
    token_file: str = ""
    user: str = ""
    password: str = ""
    certificate: str = ""
    """PEM of the client's certificate."""
    key: str = ""
    """PEM of the client's key."""
    impersonate: tuple[tuple[str, str], ...] = ()
    """Headers that act as somebody else."""
    exec_plugin: ExecPlugin | None = None

    def __repr__(self) -> str:
        return f"Access({self.server})"  # credentials must not end in a log


@dataclass(frozen=True)
class Overrides:
    """What the provider's options say beside the kubeconfig."""

    context: str = ""
    cluster: str = ""
    namespace: str = ""


def parse(path_or_contents: str) -> Object:
    """The kubeconfig that a path or its contents name. Raises KubeconfigError."""
    text = path_or_contents
    path = Path(text).expanduser() if text and "\n" not in text and len(text) < 4096 else None
    base = Path.cwd()
    if path is not None and path.is_file():
        text, base = _read(path), path.parent
    elif path is not None and not text.lstrip().startswith("{") and ":" not in text:
        raise KubeconfigError(f"no such file: {path}")
    try:
        loaded: Any = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise KubeconfigError(f"not YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise KubeconfigError("it holds no map")
    return _with_base(cast("Object", loaded), base)


def ambient(environment: Mapping[str, str]) -> Object:
    """The user's own kubeconfig: the files of `KUBECONFIG` merged, else `~/.kube/config`. {} without one."""
    listed = [Path(name) for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    files = listed or [Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"]
    merged: Object = {}
    for file in files:
        if file.is_file():
            merged = _merge(merged, parse(str(file)))
    return merged


def in_pod(environment: Mapping[str, str]) -> Access | None:
    """The cluster that this process runs in, if it runs in a pod."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (_IN_POD / "token").is_file():
        return None
    host = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{host}:{port}",
        namespace=_read(_IN_POD / "namespace").strip(),
        authority=_read(_IN_POD / "ca.crt"),
        token_file=str(_IN_POD / "token"),
    )


def active_cluster(config: Object, overrides: Overrides) -> Object | None:
    """The entry of the cluster that this configuration leads to, None where it leads nowhere."""
    context = _entry(
        config, "contexts", "context", overrides.context or str(config.get("current-context") or "")
    )
    name = overrides.cluster or str((context or {}).get("cluster") or "")
    if context is None:
        return None
    return _entry(config, "clusters", "cluster", name)


def access(config: Object, overrides: Overrides) -> Access:
    """The cluster and credentials that `config` leads to. Raises KubeconfigError."""
    name = overrides.context or str(config.get("current-context") or "")
    if not name:
        raise KubeconfigError("no configuration has been provided: the kubeconfig names no current context")
    context = _entry(config, "contexts", "context", name)
    if context is None:
        raise KubeconfigError(f'context "{name}" does not exist')
    cluster_name = overrides.cluster or str(context.get("cluster") or "")
    cluster = _entry(config, "clusters", "cluster", cluster_name)
    if cluster is None:
        raise KubeconfigError(f'cluster "{cluster_name}" does not exist')
    user_name = str(context.get("user") or "")
    user = _entry(config, "users", "user", user_name)
    if user is None and user_name:
        raise KubeconfigError(f'auth info "{user_name}" does not exist')
    if not cluster.get("server"):
        raise KubeconfigError(f'cluster "{cluster_name}" has no server')
    base = Path(str(config.get("_base") or "."))
    found = Access(
        server=str(cluster["server"]).rstrip("/"),
        namespace=overrides.namespace or str(context.get("namespace") or ""),
        authority=_material(cluster, "certificate-authority", base),
        server_name=str(cluster.get("tls-server-name") or ""),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        proxy=str(cluster.get("proxy-url") or ""),
    )
    return _with_credentials(found, user or {}, base)


def _with_credentials(found: Access, user: Object, base: Path) -> Access:
    token_file = str(user.get("tokenFile") or "")
    groups = cast("list[Any]", user.get("as-groups") or [])
    acting = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    acting += [("Impersonate-Group", str(group)) for group in groups]
    if user.get("auth-provider"):
        raise KubeconfigError(
            "auth-provider is no longer supported by Kubernetes; use an exec plugin instead"
        )
    return replace(
        found,
        token=str(user.get("token") or ""),
        token_file=str(base / token_file) if token_file else "",
        user=str(user.get("username") or ""),
        password=str(user.get("password") or ""),
        certificate=_material(user, "client-certificate", base),
        key=_material(user, "client-key", base),
        impersonate=tuple(acting),
        exec_plugin=_exec_plugin(cast("Object", user["exec"]), base) if user.get("exec") else None,
    )


def _exec_plugin(entry: Object, base: Path) -> ExecPlugin:
    command = str(entry.get("command") or "")
    if not command:
        raise KubeconfigError("an exec plugin has no command")
    if os.sep in command:
        command = str(base / command)
    pairs = cast("list[Object]", entry.get("env") or [])
    return ExecPlugin(
        command=command,
        args=tuple(str(arg) for arg in cast("list[Any]", entry.get("args") or [])),
        environment=tuple((str(pair["name"]), str(pair["value"])) for pair in pairs),
        api_version=str(entry.get("apiVersion") or "client.authentication.k8s.io/v1"),
        install_hint=str(entry.get("installHint") or ""),
        provide_cluster_info=entry.get("provideClusterInfo") is True,
    )


def _entry(config: Object, section: str, key: str, name: str) -> Object | None:
    for item in cast("list[Object]", config.get(section) or []):
        if item.get("name") == name:
            return cast("Object", item.get(key) or {})
    return None


def _material(entry: Object, key: str, base: Path) -> str:
    """PEM text that an entry holds itself (`<key>-data`) or in a file, "" where it has none."""
    data, name = entry.get(f"{key}-data"), entry.get(key)
    if data:
        try:
            return base64.b64decode("".join(str(data).split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise KubeconfigError(f"{key}-data is not base64: {error}") from error
    return _read(base / str(name)) if name else ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"cannot read {path}: {error}") from error


def _with_base(config: Object, base: Path) -> Object:
    """Remembers the folder that relative paths start from."""
    return {**config, "_base": str(base)}


def _merge(first: Object, second: Object) -> Object:
    """Two kubeconfigs in one: where both name the same thing the first wins. Paths are made absolute."""
    merged = dict(first)
    for section, key in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        known = cast("list[Object]", first.get(section) or [])
        names = {item.get("name") for item in known}
        added = [
            item for item in cast("list[Object]", second.get(section) or []) if item.get("name") not in names
        ]
        merged[section] = known + [_absolute(item, key, str(second.get("_base") or ".")) for item in added]
    merged["current-context"] = first.get("current-context") or second.get("current-context") or ""
    merged["_base"] = "/"
    return merged


def _absolute(item: Object, key: str, base: str) -> Object:
    entry = dict(cast("Object", item.get(key) or {}))
    for name in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if entry.get(name):
            entry[name] = str((Path(base) / str(entry[name])).absolute())
    return {**item, key: entry}
