"""Encryption at rest: secrets are stored under a key derived from SECRET_KEY."""

from __future__ import annotations

import base64
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from framework_m.core.errors import SecretKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Other uses of SECRET_KEY derive other keys from it.
_PURPOSE = b"framework_m: secrets in documents, version 1"


class Cipher:
    """Encrypts with the first key, decrypts with any: put a new key first to rotate."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._secret_keys = tuple(secret_keys)

    def encrypt(self, text: str) -> str:
        """Raises SecretKeyError (no key), ValueError (no text)."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises SecretKeyError."""
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise SecretKeyError(
                "a stored secret was encrypted with another SECRET_KEY: add that one to "
                "FRAMEWORK_M_SECRET_KEY_FALLBACKS"
            ) from None

    @cached_property
    def _fernet(self) -> MultiFernet:
        if not self._secret_keys:
            raise SecretKeyError(
                "SECRET_KEY encrypts secrets and is not set: give it a long random text"
            )
        return MultiFernet([Fernet(_derived(key)) for key in self._secret_keys])


def _derived(secret_key: str) -> bytes:
    # The key is a random text by contract, not a password: nothing to stretch.
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return base64.urlsafe_b64encode(kdf.derive(secret_key.encode()))
