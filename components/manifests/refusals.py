"""What the API server refuses in team namespaces whatever the blueprint says: what leads to other teams."""

from __future__ import annotations

from dataclasses import dataclass

from components.manifests.admission import API_VERSION, in_team_namespaces
from components.manifests.metadata import App, Manifest


@dataclass(frozen=True)
class Refusal:
    """One rule about one kind."""

    name: str
    """What it is called after the platform's name."""
    group: str
    version: str
    resource: str
    fine: str
    """A CEL expression that is true of what is let through."""
    message: str
    """What is said to whoever breaks it, and what to do."""

    def policy(self, app: App) -> Manifest:
        """The rule. It does nothing without its binding."""
        rule = {
            "apiGroups": [self.group],
            "apiVersions": [self.version],
            "operations": ["CREATE", "UPDATE"],
            "resources": [self.resource],
            "scope": "Namespaced",
        }
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": self.fine, "message": self.message}],
        }
        return self._manifest(app, "ValidatingAdmissionPolicy", spec)

    def binding(self, app: App) -> Manifest:
        """Puts it into force in the platform's own team namespaces."""
        spec = {
            "policyName": self._name(app),
            "validationActions": ["Deny"],
            "matchResources": in_team_namespaces(app),
        }
        return self._manifest(app, "ValidatingAdmissionPolicyBinding", spec)

    def _name(self, app: App) -> str:
        return f"{app.platform}-{self.name}"

    def _manifest(self, app: App, kind: str, spec: Manifest) -> Manifest:
        metadata = {"name": self._name(app), "labels": app.labels}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
