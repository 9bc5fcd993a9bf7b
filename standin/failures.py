"""How operations fail, and the words for it."""

from __future__ import annotations

from typing import Final

from standin import metadata
from standin.checkpoint import object_id
from standin.client import ApiError
from standin.discovery import NoSuchKindError
from standin.wire import Object

CONFLICT: Final = 409


class OperationError(Exception):
    """The operation has failed and nothing has changed."""


class InitFailedError(Exception):
    """The object exists, and is not as it should be; its state must be kept."""

    def __init__(self, identifier: str, properties: Object, inputs: Object, reasons: tuple[str, ...]) -> None:
        """`inputs` is {} where they are those of the request."""
        super().__init__(reasons[0])
        self.identifier = identifier
        self.properties = properties
        self.inputs = inputs
        self.reasons = reasons


def title(manifest: Object) -> str:
    """An object, as messages name it."""
    return f"{manifest.get('kind')} {object_id(manifest)}"


def refused(verb: str, manifest: Object, error: ApiError | NoSuchKindError) -> str:
    """What happened, in our words; why, in the server's own; what to do about it."""
    text = f"cannot {verb} {title(manifest)}: {error}"
    if isinstance(error, NoSuchKindError):
        return f"{text}. Is the definition (CRD) of this kind installed, and does the resource depend on it?"
    if error.reason == "AlreadyExists":
        return f"{text}. It is not in this stack: import it (pulumi import), delete it, or rename yours"
    if error.code == CONFLICT and verb == "update":
        if not error.causes:
            return f"{text}. It changes faster than it can be written; run it again"
        return (
            f"{text}. Somebody else manages these fields: take them out of the program, list them in "
            f'ignoreChanges, or set the annotation {metadata.PATCH_FORCE}: "true" to take them over'
        )
    return text
