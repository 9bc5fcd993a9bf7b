"""The provider's options: reading them, checking them, and what it means when they change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from standin import kubeconfig
from standin.kubeconfig import Overrides
from standin.wire import UNKNOWN, Object, Secret, Unknown

_PREFIX: Final = "kubernetes:config:"
FIELD_VALIDATION: Final = "ZIGGURAT_STANDIN_FIELD_VALIDATION"
"""`strict` (the default) or `lenient`: what becomes of fields that Kubernetes does not know."""

_SWITCHES: Final[dict[str, tuple[str, str]]] = {
    "delete_unreachable": ("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
    "skip_update_unreachable": ("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
    "patch_force": ("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    "upsert": ("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
    "config_map_mutable": ("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
    "secret_mutable": ("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    "quiet": ("suppressDeprecationWarnings", "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS"),
}
"""Switches that are off unless the option, or else the environment variable, says `true`."""


class ConfigError(ValueError):
    """An option that the stand-in does not serve."""


@dataclass(frozen=True)
class Options:
    """The provider's options."""

    kubeconfig: str = ""
    """A path or contents; "" for the user's own."""
    overrides: Overrides = field(default_factory=Overrides)
    render_to: str = ""
    """Folder for manifests; "" to talk to a cluster."""
    always_render: bool = False
    timeout: float = 60.0
    """Seconds for one request."""
    strict: bool = True
    await_all: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    patch_force: bool = False
    upsert: bool = False
    config_map_mutable: bool = False
    secret_mutable: bool = False
    quiet: bool = False


def options(variables: Mapping[str, str], environment: Mapping[str, str]) -> Options:
    """The options as Configure brings them. Raises ConfigError for one that is not served."""

    def variable(name: str) -> str:
        return variables.get(_PREFIX + name, "")

    def switch(name: str, fallback: str) -> bool:
        return (variables.get(_PREFIX + name) or environment.get(fallback, "")) == "true"

    server_side = variables.get(_PREFIX + "enableServerSideApply") or environment.get(
        "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", ""
    )
    if server_side == "false":
        raise ConfigError(unsupported("enableServerSideApply=false (client-side apply)"))
    validation = environment.get(FIELD_VALIDATION, "strict")
    if validation not in ("strict", "lenient"):
        raise ConfigError(f"{FIELD_VALIDATION} is {validation!r}: it may be strict or lenient")
    return Options(
        kubeconfig=variable("kubeconfig"),
        overrides=Overrides(variable("context"), variable("cluster"), variable("namespace")),
        render_to=variable("renderYamlToDirectory"),
        always_render=variable("alwaysRender") == "true",
        timeout=_timeout(variable("kubeClientSettings"), environment),
        strict=validation == "strict",
        await_all=environment.get("PULUMI_K8S_AWAIT_ALL") == "true",
        **{field: switch(*names) for field, names in _SWITCHES.items()},
    )


def unsupported(what: str) -> str:
    """The error text for what the stand-in leaves to the official plugin."""
    return (
        f"{what} is not supported by the bundled stand-in for pulumi-resource-kubernetes; "
        "install the official plugin (pulumi plugin install resource kubernetes) to use it"
    )


def _timeout(settings: str, environment: Mapping[str, str]) -> float:
    known: Any = json.loads(settings) if settings else {}
    seconds = cast("Object", known).get("timeout") or environment.get("PULUMI_K8S_CLIENT_TIMEOUT") or 60
    return float(seconds)


def check(news: Object, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is wrong with the options: pairs of option and reason."""
    rendering = _given(news.get("renderYamlToDirectory"))
    failures: list[tuple[str, str]] = []
    for name in ("cluster", "context", "kubeconfig"):
        ambient = name == "kubeconfig" and news.get(name) == environment.get("KUBECONFIG")
        if rendering and _given(news.get(name)) and not ambient:
            failures.append((name, f'the option "{name}" cannot go together with "renderYamlToDirectory"'))
    if _given(news.get("alwaysRender")) and news.get("alwaysRender") != "false" and not rendering:
        failures.append(("alwaysRender", '"alwaysRender" needs "renderYamlToDirectory"'))
    return failures


def _given(value: Any) -> bool:
    return not isinstance(value, Unknown) and bool(value)


@dataclass(frozen=True)
class ConfigDiff:
    """What has changed, and which of it replaces the provider and everything it has made."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]


def diff(olds: Object, news: Object) -> ConfigDiff:
    """Compares options. A cluster replaces when it is another one, as far as a kubeconfig can tell.

    The same `clusterIdentifier` on both sides says that it is the same cluster, whatever else says.
    """
    changed = tuple(sorted(key for key in olds.keys() | news.keys() if olds.get(key) != news.get(key)))
    before, after = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if before == after and after:
        return ConfigDiff(changed, ())
    replaces = ["clusterIdentifier"] if before and after else []
    where = ("kubeconfig", "context", "cluster")
    unknown = [key for key in where if news.get(key) is UNKNOWN]
    if unknown:
        return ConfigDiff(changed, (*replaces, unknown[0]))
    if "renderYamlToDirectory" in changed:
        replaces.append("renderYamlToDirectory")
    old_cluster, new_cluster = _cluster(olds), _cluster(news)
    if old_cluster is not None and new_cluster is not None and old_cluster != new_cluster:
        replaces += [key for key in where if key in changed]
    return ConfigDiff(changed, tuple(replaces))


def _cluster(properties: Object) -> Object | None:
    value: Any = properties.get("kubeconfig")
    value = value.value if isinstance(value, Secret) else value
    if not value:
        return None
    config = kubeconfig.parse(value if isinstance(value, str) else json.dumps(value))
    overrides = Overrides(str(properties.get("context") or ""), str(properties.get("cluster") or ""))
    return kubeconfig.active_cluster(config, overrides)
