"""Renders the charts of a plan with Helm, and reads what a rendering holds.

Charts are others' files, so the project has none: ZIGGURAT_TEST_CHARTS names a folder of them
(docs/testing.md). Nothing here installs anything.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from blueprints import load
from ziggurat.plan import plan
from ziggurat.plan.footprint import containers
from ziggurat.plan.model import Plan

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "blueprints").glob("*.yaml"))
OF_NO_SHIPPED_ONE = ("external-secrets", "gpu-operator")
"""Charts that no shipped blueprint asks for; the variants of these names do."""
BLUEPRINTS = [*SHIPPED, *(ROOT / "tests/program/variants" / f"{name}.yaml" for name in OF_NO_SHIPPED_ONE)]
MIRROR = "registry.internal/mirror"
KUBERNETES = "1.36.0"
_ROOT_SECRET = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeS0wMQ=="
_PODS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
_REGISTRIES = r"(?:docker|quay|ghcr|gcr|nvcr|registry\.k8s)\.io|public\.ecr\.aws|mcr\.microsoft\.com"
_REFERENCE = re.compile(rf"(?:{_REGISTRIES}|{re.escape(MIRROR)})/[\w./-]+(?::[\w.-]+|@sha256:\w+)+")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """Pods that a rendering makes."""

    label: str
    namespace: str
    labels: Mapping[str, str]
    spec: Manifest

    def port(self, wanted: int | str) -> int:
        """The number of a port that a Service or a monitor names."""
        if isinstance(wanted, int):
            return wanted
        for container in containers(self.spec):
            for port in container.get("ports") or ():
                if port.get("name") == wanted:
                    return port["containerPort"]
        raise KeyError(f"{self.label} has no port {wanted}")


@dataclass(frozen=True)
class Rendered:
    """One Release and what Helm makes of it."""

    plan: Plan
    release: Manifest
    objects: tuple[Manifest, ...]

    @property
    def chart(self) -> str:
        """What the chart is called."""
        return self.release["chart"].rpartition("/")[2]

    def of(self, *kinds: str) -> Iterator[Manifest]:
        """The objects of some kinds."""
        return (each for each in self.objects if each["kind"] in kinds)

    def namespace(self, manifest: Manifest) -> str:
        """Where an object lies."""
        return manifest["metadata"].get("namespace") or self.release["namespace"]

    def pods(self) -> Iterator[Pod]:
        """What makes pods, hooks included."""
        for each in self.objects:
            spec = each.get("spec") or {}
            if each["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            elif each["kind"] not in _PODS:
                continue
            template = spec["template"]
            labels = (template.get("metadata") or {}).get("labels") or {}
            label = f"{each['kind']} {each['metadata']['name']}"
            yield Pod(label, self.namespace(each), labels, template["spec"])


@cache
def planned(blueprint: Path, mirrored: bool, scratch: Path) -> Plan:
    """The plan of a blueprint, or of the same one that pulls everything from a mirror."""
    if not mirrored:
        return plan(load(blueprint), _ROOT_SECRET)
    document = yaml.safe_load(blueprint.read_text(encoding="utf-8"))
    document["images"] = {**(document.get("images") or {}), "registry": MIRROR}
    copy = scratch / blueprint.name
    copy.write_text(yaml.safe_dump(document), encoding="utf-8")
    return plan(load(copy), _ROOT_SECRET)


def releases(of: Plan) -> list[Manifest]:
    """Every Release of a plan."""
    return [each.manifest for each in of.objects if each.is_release]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML's `=` is text: a definition of Prometheus's has it among the values of a field."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


@cache
def _template(chart: Path, name: str, namespace: str, values: str) -> tuple[Manifest, ...]:
    command = ["helm", "template", name, str(chart), "--namespace", namespace, "--include-crds"]
    command += ["--kube-version", KUBERNETES, "--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    found = [each for each in yaml.load_all(done.stdout, _Loader) if each]
    return tuple(item for each in found for item in (each["items"] if each["kind"] == "List" else [each]))


def render(charts: Path, of: Plan, release: Manifest) -> Rendered:
    """What Helm makes of a release with Ziggurat's values; the chart's schema of values has its say, too."""
    chart = charts / release["chart"].rpartition("/")[2]
    values = json.dumps(release["values"], sort_keys=True)
    return Rendered(of, release, _template(chart, release["name"], release["namespace"], values))


def published(chart: Path) -> Manifest:
    """The values that a chart publishes, those of the charts in it under their names."""
    found: Manifest = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")) or {}
    for inner in sorted(chart.glob("charts/*/values.yaml")):
        name = inner.parent.name
        found[name] = _merged(published(inner.parent), found.get(name) or {})
    return found


def _merged(under: Manifest, over: Manifest) -> Manifest:
    """Values of a chart with those that the chart around it gives it."""
    both = {key: _merged(under[key], over[key]) for key in under if _maps(under[key], over.get(key))}
    return {**under, **over, **both}


def _maps(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


_FREE = {"containerSecurityContext", "grafana.ini"}
"""Maps that a chart fills with an example of what is the user's own."""


def unknown(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Keys that we set and a chart does not publish. What it publishes empty is for the user to fill."""
    for key, value in mine.items():
        here = f"{path}.{key}".lstrip(".")
        if key not in theirs:
            yield here
        elif _maps(value, theirs[key]) and theirs[key] and key not in _FREE:
            yield from unknown(value, theirs[key], here)


def strings(value: Any) -> Iterator[str]:
    """Every string of a manifest, except descriptions: definitions are full of examples."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "description":
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def references(manifest: Manifest) -> set[str]:
    """Every image that a manifest names, in arguments, variables and configuration files, too."""
    if manifest["kind"] == "CustomResourceDefinition":
        return set()
    return {found for text in strings(manifest) for found in _REFERENCE.findall(text)}


def insecure(pod: Manifest, level: str) -> list[str]:
    """What Pod Security holds against a pod's spec: the rules that charts are known to break, not all."""
    if level == "privileged":
        return []
    shared = pod.get("securityContext") or {}
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [f"hostPath {each['name']}" for each in pod.get("volumes") or () if "hostPath" in each]
    for container in containers(pod):
        own, name = container.get("securityContext") or {}, container["name"]
        capabilities = own.get("capabilities") or {}
        if own.get("privileged"):
            found.append(f"{name}: privileged")
        found += [f"{name}: hostPort" for port in container.get("ports") or () if port.get("hostPort")]
        if level != "restricted":
            continue
        wanted = {
            "runAsNonRoot": own.get("runAsNonRoot", shared.get("runAsNonRoot")) is True,
            "seccompProfile": own.get("seccompProfile", shared.get("seccompProfile"))
            == {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": "ALL" in (capabilities.get("drop") or ())
            and set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"},
            "runAsUser": own.get("runAsUser", shared.get("runAsUser", 1)) != 0,
        }
        found += [f"{name}: {key}" for key, holds in wanted.items() if not holds]
    return found


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector picks what has these labels; policies of ours use `matchLabels` alone."""
    assert not selector.get("matchExpressions"), selector
    return (selector.get("matchLabels") or {}).items() <= labels.items()


def policies(of: Plan, pod: Pod, way: str) -> Iterator[Manifest]:
    """The rules, `ingress` or `egress`, of every policy that picks a pod."""
    for each in of.objects:
        if each.kind == "NetworkPolicy" and each.namespace == pod.namespace:
            spec = each.manifest["spec"]
            if selects(spec["podSelector"], pod.labels):
                yield from spec.get(way) or ()


def opened(of: Plan, pod: Pod, way: str) -> set[int]:
    """The ports that a pod may be called on by, or call at, what is outside of the platform."""
    side = "from" if way == "ingress" else "to"
    return {
        port["port"]
        for rule in policies(of, pod, way)
        for peer in rule.get(side) or ()
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
        for port in rule.get("ports") or ()
    }
