"""The parts of a resource's URN that matter here, and the types that are not served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from standin.config import unsupported
from standin.failures import OperationError
from standin.normal import BUILT_IN_GROUPS

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
"""A Helm release: it is recorded (standin/releases.py)."""


@dataclass(frozen=True)
class Urn:
    """The parts of a resource's URN that matter here."""

    text: str

    @property
    def token(self) -> str:
        """The type: `kubernetes:apps/v1:Deployment`."""
        return self.text.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The logical name."""
        return self.text.split("::", 3)[3]

    @property
    def api_version(self) -> str:
        """As an object has it; the core group is left out."""
        return self.token.split(":")[1].removeprefix("core/")

    @property
    def kind(self) -> str:
        """The kind, as an object has it."""
        return self.token.split(":")[2]


def refuse(urn: Urn) -> None:
    """Raises OperationError for types that are left to the official plugin."""
    module = urn.token.split(":")[1]
    group = module.rpartition("/")[0].removeprefix("core")
    recorded = urn.token == RELEASE
    if module.startswith(("helm.sh/", "yaml", "kustomize")) and not recorded:
        raise OperationError(unsupported(urn.token))
    if group in BUILT_IN_GROUPS and urn.kind.endswith("Patch"):
        raise OperationError(unsupported(f"{urn.token} (a Patch resource)"))
    if group in BUILT_IN_GROUPS and urn.kind.endswith("List"):
        raise OperationError(
            f"{urn.token} only exists for manifests that hold lists: use the kind of its items"
        )
