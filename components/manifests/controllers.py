"""What a controller that no chart brings needs of Kubernetes: its kinds, and its rights."""

from __future__ import annotations

from collections.abc import Sequence

from components.manifests.metadata import App, Manifest

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]


def definition(
    app: App,
    group: str,
    kind: str,
    plural: str,
    versions: Sequence[str],
    columns: Sequence[tuple[str, str, str]] = (),
    *,
    short: Sequence[str] = (),
    status: bool = True,
) -> Manifest:
    """A kind of custom resource that keeps every field and checks none; the last version is stored.

    `columns` are what `kubectl get` shows: name, type and path. `short`: other names for `kubectl`. `status`:
    whether that is a resource of its own, which a write of the object leaves alone.
    """
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    printed = [{"name": name, "type": of, "jsonPath": path} for name, of, path in columns]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": app.labels},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                **({"shortNames": list(short)} if short else {}),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema},
                    **({"subresources": {"status": {}}} if status else {}),
                    **({"additionalPrinterColumns": printed} if printed else {}),
                }
                for version in versions
            ],
        },
    }


def rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    """One rule of a role."""
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def cluster_role(app: App, name: str, rules: list[Manifest]) -> Manifest:
    """A ClusterRole; `name` is unique in the cluster."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": app.labels},
        "rules": rules,
    }


def everywhere(controller: App, role: str) -> Manifest:
    """Gives a ClusterRole to the controller in the whole cluster."""
    return _binding("ClusterRoleBinding", {"name": role, "labels": controller.labels}, role, controller)


def in_namespace(owner: App, name: str, role: str, controller: App) -> Manifest:
    """Gives a ClusterRole to the controller in the namespace of `owner` alone."""
    return _binding("RoleBinding", owner.metadata(name), role, controller)


def role(app: App, rules: list[Manifest]) -> Manifest:
    """A Role in the namespace of `app`, called like it."""
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": app.metadata(), "rules": rules}


def at_home(controller: App) -> Manifest:
    """Gives the Role that is called like the controller to it, in its own namespace."""
    return _binding("RoleBinding", controller.metadata(), controller.name, controller, of="Role")


def people(owner: App, name: str, role: str, names: Sequence[str]) -> Manifest:
    """Gives a ClusterRole to people, by their names, in the namespace of `owner`."""
    bound = _binding("RoleBinding", owner.metadata(name), role, owner)
    return {**bound, "subjects": [{"apiGroup": RBAC, "kind": "User", "name": each} for each in names]}


def _binding(
    kind: str, metadata: Manifest, role: str, controller: App, *, of: str = "ClusterRole"
) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": of, "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": controller.namespace, "name": controller.name}],
    }
