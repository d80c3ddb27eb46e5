"""Secrets in the forms that Standard Webhooks 1.0 gives them, read as keys.

    whsec_<base64>   24 to 64 random bytes, shared by both sides: HMAC-SHA256
    whsk_<base64>    the private key of Ed25519, which the sender keeps
    whpk_<base64>    its public key, which receivers verify with
    anything else    a shared text; its UTF-8 bytes are the key of HMAC-SHA256

No error and no representation of a key shows what is secret.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from framework_m.core.errors import WebhookSecretError

if TYPE_CHECKING:
    from framework_m.core.interfaces.signatures import Ed25519

_SHARED = "whsec_"
_PRIVATE = "whsk_"
_PUBLIC = "whpk_"
_PREFIXES = (_SHARED, _PRIVATE, _PUBLIC)
_SHORTEST, _LONGEST = 24, 64
_NEW = 32
_SEED = 32
_SEED_AND_PUBLIC_KEY = 64
_NO_UTF8 = re.compile("[\ud800-\udfff]")


class HoldsSecret(Protocol):
    """A text that hides itself, as pydantic's SecretStr and our Secret do."""

    def get_secret_value(self) -> str: ...


AnySecret: TypeAlias = str | HoldsSecret


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Both sides have it."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Whoever has it signs."""

    seed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Whoever has it can verify, and no more."""

    public_key: bytes


SigningKey: TypeAlias = SharedKey | PrivateKey
AnyKey: TypeAlias = SharedKey | PrivateKey | PublicKey


def new_secret() -> str:
    """A shared secret of 32 random bytes."""
    return _SHARED + _encoded(secrets.token_bytes(_NEW))


def new_private_key() -> str:
    """A private key for Ed25519; `public_key_of` says what its receivers need."""
    return _PRIVATE + _encoded(secrets.token_bytes(_SEED))


def public_key_of(key: PrivateKey, ed25519: Ed25519) -> str:
    """The text to show to receivers."""
    return _PUBLIC + _encoded(ed25519.public_key(key.seed))


def signing_key(secret: AnySecret) -> SigningKey:
    """What signs. Raises WebhookSecretError, for a public key as well."""
    key = _key(secret)
    if isinstance(key, PublicKey):
        raise WebhookSecretError("is a public key (whpk_), which cannot sign: give its whsk_")
    return key


def verifying_keys(secret: AnySecret | Sequence[AnySecret]) -> tuple[AnyKey, ...]:
    """What verifies: one of several is enough. Raises WebhookSecretError."""
    several = secret if not isinstance(secret, str) and isinstance(secret, Sequence) else [secret]
    keys = tuple(_key(one) for one in several)
    if not keys:
        raise WebhookSecretError("is missing: nothing can be verified without one")
    return keys


def _key(secret: AnySecret) -> AnyKey:
    text = _text(secret)
    if text.startswith(_SHARED):
        return SharedKey(_decoded(text, _SHARED, range(_SHORTEST, _LONGEST + 1)))
    if text.startswith(_PRIVATE):
        # Some write the public key after the seed, which says it all.
        content = _decoded(text, _PRIVATE, (_SEED, _SEED_AND_PUBLIC_KEY))
        return PrivateKey(content[:_SEED])
    if text.startswith(_PUBLIC):
        return PublicKey(_decoded(text, _PUBLIC, (_SEED,)))
    return SharedKey(_raw(text))


def _text(secret: AnySecret) -> str:
    if isinstance(secret, str):
        return secret
    if not hasattr(secret, "get_secret_value"):
        # Bytes above all: they would pass for the bytes of a key, prefix and all.
        raise WebhookSecretError("must be a text: str, or pydantic's SecretStr")
    return secret.get_secret_value()


def _raw(text: str) -> bytes:
    if not text:
        raise WebhookSecretError("is empty")
    # Else a public key with a blank before it were a shared secret that everybody knows.
    if text.strip().lower().startswith(_PREFIXES):
        raise WebhookSecretError("has blanks before it, or a prefix that is not in lower case")
    if _NO_UTF8.search(text):
        raise WebhookSecretError("is not valid Unicode")
    return text.encode()


def _decoded(text: str, prefix: str, sizes: Sequence[int]) -> bytes:
    content = _base64(text.removeprefix(prefix))
    if content is None or len(content) not in sizes:
        told = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}"
        raise WebhookSecretError(
            f"begins with {prefix} and is not base64 of {told} bytes after that"
        )
    return content


def _base64(text: str) -> bytes | None:
    try:
        # Some leave the padding out.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
