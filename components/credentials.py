"""Credentials, derived from the one root secret of a stack.

Each credential has a label and a rotation number; HKDF-SHA256 (RFC 5869) turns them and the root secret
into a password. So the same blueprint and root secret give the same passwords on every machine, nothing
random is kept in state, and raising one number changes one credential.
"""

from __future__ import annotations

import base64

import pulumi
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_ROOT_BYTES = 32
"""The least length of a root secret: 256 bits."""


class Label:
    """What a credential is for. A label is part of its value: changing one changes the credential."""

    DATABASE_OWNER = "postgresql/postgres"
    DATABASE_MLFLOW = "postgresql/mlflow"
    BUCKET_PROVISIONER = "seaweedfs/provisioner"
    BUCKET_MLFLOW = "seaweedfs/mlflow"
    MLFLOW_FLASK = "mlflow/flask-secret-key"
    MLFLOW_KEK = "mlflow/crypto-kek-passphrase"
    MLFLOW_WEBHOOKS = "mlflow/webhook-secret-encryption-key"
    OIDC_COOKIE = "oauth2-proxy/cookie-secret"

    @staticmethod
    def account(user: str) -> str:
        """The label of an MLflow account's password."""
        return f"mlflow/account/{user}"


class Credentials:
    """The credentials of one platform."""

    def __init__(self, platform: str, root_secret: str) -> None:
        """`root_secret` is base64 of at least 32 random bytes; ValueError says what is wrong with it."""
        try:
            root = base64.b64decode(root_secret, validate=True)
        except ValueError as error:
            raise ValueError("the root secret is not base64") from error
        if len(root) < MINIMUM_ROOT_BYTES:
            raise ValueError(f"the root secret has {len(root)} bytes; it needs {MINIMUM_ROOT_BYTES} or more")
        self._platform = platform
        self._root = root

    def _derive(self, label: str, length: int) -> bytes:
        info = f"ziggurat/v1/{self._platform}/{label}".encode()
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(self._root)

    def password(self, label: str, rotation: int = 0) -> pulumi.Output[str]:
        """A password of 32 characters, letters, digits, `-` and `_` (192 bits), as a secret Output."""
        value = base64.urlsafe_b64encode(self._derive(f"password/{label}/{rotation}", 24)).decode()
        return pulumi.Output.secret(value)

    def key(self, label: str, rotation: int = 0) -> pulumi.Output[str]:
        """32 bytes in URL-safe base64 (44 characters), as a secret Output: a Fernet key, an AES-256 key."""
        value = base64.urlsafe_b64encode(self._derive(f"key/{label}/{rotation}", 32)).decode()
        return pulumi.Output.secret(value)

    def fingerprint(self, label: str, rotation: int = 0) -> str:
        """A tag that changes when the credential does and tells nothing of it: for pod templates."""
        return self._derive(f"fingerprint/{label}/{rotation}", 6).hex()
