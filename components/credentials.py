"""Credentials, derived from the one root secret of a stack.

Each credential has a label and a rotation number; HKDF-SHA256 (RFC 5869) turns them and the root secret
into a password. So the same blueprint and root secret give the same passwords on every machine, nothing
random is kept in state, and raising one number changes one credential. The numbers are in the stack's
configuration (`ziggurat rotate` raises them); one that is not there is 0.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import cast

import pulumi
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from components.expressions import Expression, Source, entries

MINIMUM_ROOT_BYTES = 32
"""The least length of a root secret: 256 bits."""


class Label:
    """What a credential is for. A label is part of its value: changing one changes the credential."""

    DATABASE_OWNER = "postgresql/postgres"
    DATABASE_MLFLOW = "postgresql/mlflow"
    BUCKET_PROVISIONER = "seaweedfs/provisioner"
    BUCKET_MLFLOW = "seaweedfs/mlflow"
    BUCKET_BACKUP = "seaweedfs/backup"
    BUCKET_ARCHIVE = "seaweedfs/archive"
    BUCKET_PIPELINES = "seaweedfs/pipelines"
    BACKUP_REPOSITORY = "backup/repository"
    MLFLOW_FLASK = "mlflow/flask-secret-key"
    MLFLOW_KEK = "mlflow/crypto-kek-passphrase"
    MLFLOW_WEBHOOKS = "mlflow/webhook-secret-encryption-key"
    OIDC_COOKIE = "oauth2-proxy/cookie-secret"
    GRAFANA_ADMIN = "grafana/admin"
    MYSQL_ROOT = "mysql/root"
    MYSQL_PIPELINES = "mysql/pipelines"
    MYSQL_METADATA = "mysql/metadata"
    PIPELINES_PAGE = "ml-pipeline-ui/signing-secret"

    @staticmethod
    def bucket_runs(team: str) -> str:
        """The label of the key with which a team's runs of pipelines reach the bucket."""
        return f"seaweedfs/runs/{team}"

    @staticmethod
    def cookie(site: str) -> str:
        """The label of what the sessions of a page's login proxy are encrypted with."""
        return f"oauth2-proxy/cookie-secret/{site}"

    @staticmethod
    def login_client(site: str) -> str:
        """The label of the secret that a page has with the embedded issuer."""
        return f"dex/client/{site}"

    @staticmethod
    def login_user(email: str) -> str:
        """The label of the password of one of the embedded issuer's own users."""
        return f"dex/user/{email}"

    @staticmethod
    def account(user: str) -> str:
        """The label of an MLflow account's password."""
        return f"mlflow/account/{user}"


FIXED = frozenset({Label.MLFLOW_KEK, Label.MLFLOW_WEBHOOKS, Label.BACKUP_REPOSITORY})
"""What stored data is encrypted with: another value would make that data unreadable."""


class Credentials:
    """The credentials of one platform."""

    def __init__(self, platform: str, root_secret: str, rotations: Mapping[str, int] | None = None) -> None:
        """`root_secret` is base64 of at least 32 random bytes; `rotations` has the number of each label that
        was rotated. ValueError says what is wrong with either."""
        try:
            root = base64.b64decode(root_secret, validate=True)
        except ValueError as error:
            raise ValueError("the root secret is not base64") from error
        if len(root) < MINIMUM_ROOT_BYTES:
            raise ValueError(f"the root secret has {len(root)} bytes; it needs {MINIMUM_ROOT_BYTES} or more")
        self._platform = platform
        self._root = root
        self._rotations = checked_rotations(rotations or {})

    def rotation(self, label: str) -> int:
        """How often a credential has been rotated."""
        return self._rotations.get(label, 0)

    @property
    def rotations(self) -> dict[str, int]:
        """The number of each label that was rotated."""
        return dict(self._rotations)

    def _derive(self, label: str, length: int) -> bytes:
        info = f"ziggurat/v1/{self._platform}/{label}".encode()
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(self._root)

    def password(self, label: str) -> pulumi.Output[str]:
        """A password of 32 characters, letters, digits, `-` and `_` (192 bits), as a secret Output."""
        return self._password(label, self.rotation(label))

    def earlier_passwords(self, label: str) -> list[pulumi.Output[str]]:
        """The passwords that it had before, the last one first: none where it was never rotated."""
        return [self._password(label, number) for number in reversed(range(self.rotation(label)))]

    def _password(self, label: str, rotation: int) -> pulumi.Output[str]:
        return pulumi.Output.secret(self._text(label, rotation))

    def _text(self, label: str, rotation: int) -> str:
        return base64.urlsafe_b64encode(self._derive(f"password/{label}/{rotation}", 24)).decode()

    def bcrypt(self, label: str) -> pulumi.Output[str]:
        """The bcrypt hash of a password, as a secret Output. Its salt is derived, too: a random one would
        make another hash in each run. It takes some 50 ms, as it is made to."""
        import bcrypt

        rotation = self.rotation(label)
        # bcrypt's own alphabet of base64; 16 bytes make 22 characters.
        alphabet = bytes.maketrans(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        )
        salt = base64.b64encode(self._derive(f"bcrypt/{label}/{rotation}", 16)).rstrip(b"=")
        settings = b"$2b$10$" + salt.translate(alphabet)
        return pulumi.Output.secret(bcrypt.hashpw(self._text(label, rotation).encode(), settings).decode())

    def key(self, label: str) -> pulumi.Output[str]:
        """32 bytes in URL-safe base64 (44 characters), as a secret Output: a Fernet key, an AES-256 key."""
        derived = self._derive(f"key/{label}/{self.rotation(label)}", 32)
        return pulumi.Output.secret(base64.urlsafe_b64encode(derived).decode())

    def compose(
        self, function: Callable[[Mapping[str, str]], str], secrets: Mapping[str, pulumi.Output[str]]
    ) -> pulumi.Output[str]:
        """A document that `function` makes of credentials, as a secret Output."""
        if not secrets:
            return pulumi.Output.secret(function({}))
        return pulumi.Output.secret(pulumi.Output.all(**secrets).apply(function))

    def fingerprint(self, label: str) -> str:
        """A tag that changes when the credential does and tells nothing of it: for pod templates."""
        return self._derive(f"fingerprint/{label}/{self.rotation(label)}", 6).hex()


TEXT_FORMAT = "letters, digits, `-` and `_`"
"""Of what a password in a store is to be: it gets into JSON and SQL as it is."""
KEY_FORMAT = "32 bytes in URL-safe base64, 44 characters"


class StoredCredentials(Credentials):
    """Credentials that an outside store holds: in place of each there is an expression (components/
    expressions.py), so no value comes near the program or the state."""

    def __init__(self, source: Source) -> None:  # there is no root secret: nothing is derived
        self._source = source
        self._rotations: dict[str, int] = {}
        self._formats: dict[str, str] = {}

    @property
    def formats(self) -> dict[str, str]:
        """The keys that the store has to hold, as far as they were asked for, and the format of each."""
        return dict(sorted(self._formats.items()))

    def _entry(self, label: str, form: str) -> pulumi.Output[str]:
        self._formats[self._source.key(label)] = form
        # Plain text, and no Output: what is registered depends on it. Both are inputs of a resource.
        return cast("pulumi.Output[str]", Expression.of(self._source, label))

    def password(self, label: str) -> pulumi.Output[str]:
        """What stands for a password."""
        return self._entry(label, TEXT_FORMAT)

    def key(self, label: str) -> pulumi.Output[str]:
        """What stands for a key."""
        return self._entry(label, KEY_FORMAT)

    def earlier_passwords(self, label: str) -> list[pulumi.Output[str]]:
        """None: the store alone knows them."""
        return []

    def bcrypt(self, label: str) -> pulumi.Output[str]:
        """ValueError: the hash of what is not known. The rules of blueprints refuse what needs it."""
        raise ValueError(f"{label} is in a store: its hash cannot be made")

    def compose(
        self, function: Callable[[Mapping[str, str]], str], secrets: Mapping[str, pulumi.Output[str]]
    ) -> pulumi.Output[str]:
        """The document with an expression in the place of each credential."""
        if not secrets:
            return super().compose(function, secrets)
        parts = cast("Mapping[str, Expression]", secrets)
        text = function({name: str(part) for name, part in parts.items()})
        made = Expression(text, self._source, entries(parts.values()))
        return cast("pulumi.Output[str]", made)

    def fingerprint(self, label: str) -> str:
        """A tag that never changes while the entry is the same: what is in it is not known."""
        named = f"{self._source.store}/{self._source.key(label)}"
        return hashlib.sha256(named.encode()).hexdigest()[:12]


def checked_rotations(rotations: Mapping[str, int]) -> dict[str, int]:
    """`rotations` without zeroes; ValueError for a number that is none, or of what must not change."""
    wrong = [label for label, number in rotations.items() if type(number) is not int or number < 0]
    if wrong:
        raise ValueError(f"rotation numbers are whole and not negative: {', '.join(sorted(wrong))}")
    fixed = sorted(FIXED.intersection(label for label, number in rotations.items() if number))
    if fixed:
        raise ValueError(f"stored data is encrypted with it, so it must not change: {', '.join(fixed)}")
    return {label: number for label, number in sorted(rotations.items()) if number}
