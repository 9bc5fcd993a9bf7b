"""Planned objects as YAML files for GitOps: the same plan always gives the same bytes.

Values of Secrets are never written: a Secret is rendered as a reference, in one file that kustomize does
not apply. A folder is written whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import yaml

from ziggurat.errors import BlockedError, ZigguratError
from ziggurat.plan.model import MASK, Plan, PlannedObject

SECRETS_FILE = "secrets.yaml"
"""Where Secrets are named; not in the kustomization."""
CHARTS_FILE = "charts.yaml"
"""Where charts are named, with their values; not in the kustomization."""
KUSTOMIZATION = "kustomization.yaml"
_INDEX = ".ziggurat"
"""Lists the files that were rendered, so that the next run knows which are its own."""

FOLDERS: tuple[tuple[str, frozenset[str]], ...] = (
    ("00-namespaces", frozenset({"Namespace"})),
    ("10-definitions", frozenset({"CustomResourceDefinition", "PriorityClass", "StorageClass"})),
    ("20-access", frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})),
    ("30-limits", frozenset({"ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget"})),
    ("40-configuration", frozenset({"ConfigMap"})),
    ("50-storage", frozenset({"PersistentVolume", "PersistentVolumeClaim"})),
    ("60-services", frozenset({"Service", "Ingress", "HTTPRoute", "Gateway"})),
    ("70-workloads", frozenset({"StatefulSet", "Deployment", "DaemonSet", "Pod", "Job", "CronJob"})),
)
"""The folder of each kind, in the order in which the kinds need each other."""
_OTHER = "80-other"

_HEADER = "# Rendered by `ziggurat render`: change the blueprint and render again, not this file.\n"
_SECRETS_HEADER = """\
# The Secrets that the platform needs. Ziggurat renders no secret values, so none is in this folder.
# Make each Secret by what your GitOps setup has for it (External Secrets, Sealed Secrets, SOPS), under the
# name, with the type, the labels, the secret keys and the other values that are listed here. A platform that
# `ziggurat up` made holds Secrets whose values fit together. kustomization.yaml leaves this file out.
"""


_CHARTS_HEADER = """\
# The Helm charts that the platform is made with. Install each by what your GitOps setup has for charts (a
# HelmRelease of Flux, an Application of Argo CD, `helm upgrade --install`), under the name, in the namespace
# and with the values that are listed here: after the namespaces and their policies, and before 80-other,
# whose kinds they bring. kustomization.yaml leaves this file out.
"""


def render_files(plan: Plan) -> dict[str, str]:
    """Every file of the rendered plan, its path in the folder and its text, in the order of application.

    `ZigguratError` where a secret value is outside a Secret, as it cannot be rendered, or where an object
    is of no kind that YAML can declare.
    """
    objects = [item for item in plan.objects if item.kind != "Secret" and not item.is_release]
    files = {_path(planned): _HEADER + dump(_declarable(planned)) for planned in objects}
    files = dict(sorted(files.items()))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files),
    }
    secrets = [secret_reference(planned) for planned in plan.objects if planned.kind == "Secret"]
    files[SECRETS_FILE] = _SECRETS_HEADER + dump({"secrets": secrets})
    releases = [release_reference(planned) for planned in plan.objects if planned.is_release]
    if releases:
        files[CHARTS_FILE] = _CHARTS_HEADER + dump({"charts": releases})
    files[KUSTOMIZATION] = _HEADER + dump(kustomization)
    return files


def render_stream(plan: Plan) -> str:
    """Every object but Secrets as one YAML stream, in the order of application.

    Secrets and charts come first, as comments.
    """
    files = render_files(plan)
    listed = (files.get(SECRETS_FILE, "") + files.get(CHARTS_FILE, "")).splitlines(keepends=True)
    comments = "".join(line if line.startswith("#") else f"# {line}" for line in listed)
    apart = (SECRETS_FILE, CHARTS_FILE, KUSTOMIZATION)
    documents = (text for path, text in files.items() if path not in apart)
    return "".join([comments, *(f"---\n{text}" for text in documents)])


def secret_reference(planned: PlannedObject) -> dict[str, Any]:
    """What one must know to make a Secret by other means: all but its values."""
    manifest = planned.manifest
    metadata = manifest.get("metadata", {})
    values: dict[str, Any] = {**manifest.get("data", {}), **manifest.get("stringData", {})}
    return {
        "namespace": planned.namespace,
        "name": planned.object_name,
        "type": manifest.get("type", "Opaque"),
        "labels": metadata.get("labels", {}),
        "secretKeys": sorted(key for key, value in values.items() if value == MASK),
        "values": {key: value for key, value in sorted(values.items()) if value != MASK},
    }


def release_reference(planned: PlannedObject) -> dict[str, Any]:
    """What one must know to install a chart by other means."""
    manifest = planned.manifest
    if any(_masks(manifest)):
        raise _secret_outside(planned)
    repository = manifest.get("repositoryOpts", {}).get("repo")
    return {
        "namespace": planned.namespace,
        "name": planned.object_name,
        "chart": manifest["chart"],
        **({"repository": repository} if repository else {}),
        "version": manifest["version"],
        "values": manifest["values"],
    }


def _secret_outside(planned: PlannedObject) -> ZigguratError:
    return ZigguratError(
        f"{planned.label} cannot be rendered: it holds a secret value, and only Secrets may",
        remedy="provision the blueprint with `ziggurat up`, and report this as a defect",
    )


def write_folder(files: dict[str, str], folder: Path, *, force: bool = False) -> None:
    """Makes `folder` hold exactly `files`, in one step: it is as before, or it is complete.

    A folder with files that no earlier rendering left is refused with `BlockedError`; with `force` it is
    replaced, except where it holds a repository or the current directory. OSError as the system gives it.
    """
    folder = folder.resolve()
    _refuse_foreign(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, so that it is on the same file system and can be renamed.
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new, old = work / "new", work / "old"
        index = "".join(f"{path}\n" for path in files)
        for path, text in {**files, _INDEX: index}.items():
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def dump(value: Any) -> str:
    """YAML as people write it: keys in the given order, long texts as blocks."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper, with texts of several lines as literal blocks and without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _path(planned: PlannedObject) -> str:
    folder = next((name for name, kinds in FOLDERS if planned.kind in kinds), _OTHER)
    parts = (planned.namespace, planned.kind.lower(), planned.object_name)
    # Names of roles may hold characters that file names had better not.
    return f"{folder}/{'.'.join(quote(part, safe='') for part in parts if part)}.yaml"


def _declarable(planned: PlannedObject) -> dict[str, Any]:
    manifest = planned.manifest
    if "apiVersion" not in manifest or "kind" not in manifest:
        raise ZigguratError(
            f"{planned.label} cannot be rendered: it is not declared by a Kubernetes object",
            remedy="leave out what needs it, or provision the blueprint with `ziggurat up`",
        )
    if any(_masks(manifest)):
        raise _secret_outside(planned)
    metadata: dict[str, Any] = {"name": planned.object_name} | manifest["metadata"]
    if annotations := _foreign_to_pulumi(metadata.pop("annotations", {})):
        metadata["annotations"] = annotations
    first = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}
    return first | {key: value for key, value in manifest.items() if key not in first}


def _foreign_to_pulumi(annotations: dict[str, Any]) -> dict[str, Any]:
    """Annotations without those that only tell Pulumi how to wait."""
    return {key: value for key, value in annotations.items() if not key.startswith("pulumi.com/")}


def _masks(value: Any) -> Iterator[bool]:
    if isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _masks(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _masks(item)
    else:
        yield value == MASK


def _refuse_foreign(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BlockedError(
            "the output is a file, not a folder", where=str(folder), remedy="name a folder with --output"
        )
    if (folder / ".git").exists() or Path.cwd().is_relative_to(folder):
        raise BlockedError(
            "the output folder would be replaced whole, and it is a repository or the current directory",
            where=str(folder),
            remedy=f"name a folder inside it, such as --output {os.path.relpath(folder / 'rendered')}",
        )
    foreign = sorted(_files(folder) - _rendered_before(folder))
    if foreign and not force:
        shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise BlockedError(
            f"the output folder holds files that were not rendered: {shown}",
            where=str(folder),
            remedy="name another folder, or let them be deleted with --force",
        )


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def _rendered_before(folder: Path) -> set[str]:
    index = folder / _INDEX
    return {_INDEX, *index.read_text(encoding="utf-8").splitlines()} if index.is_file() else set()
