"""Verifying what was received. What is hostile is refused before it costs anything."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from framework_m.core.errors import WebhookVerificationError
from framework_m.core.webhooks.keys import AnyKey, PrivateKey, PublicKey, SharedKey
from framework_m.core.webhooks.signing import (
    BY_PRIVATE_KEY,
    BY_SHARED_KEY,
    ID_HEADER,
    LONGEST_ID,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WEBHOOK_ID,
    hmac_signature,
    signed_content,
)

if TYPE_CHECKING:
    from framework_m.core.interfaces.signatures import Ed25519

Pair: TypeAlias = tuple[str, str] | tuple[bytes, bytes]


class HasItems(Protocol):
    """A dictionary, or what a web framework has for headers."""

    def items(self) -> Iterable[tuple[str, str]]: ...


Headers: TypeAlias = HasItems | Iterable[Pair]

_SECONDS = re.compile("[0-9]{1,15}")
# Each one by Ed25519 reads the whole body. Senders that rotate keys of both kinds send four.
_MOST_SIGNATURES = 16
_LONGEST = {ID_HEADER: LONGEST_ID, TIMESTAMP_HEADER: 15, SIGNATURE_HEADER: 4096}
_LONGEST_NAME = max(len(name) for name in _LONGEST)


@dataclass(frozen=True, slots=True)
class Received:
    """What the three headers say; nothing of it is proven."""

    webhook_id: str
    timestamp: str
    signatures: tuple[tuple[str, str], ...]
    """Version and text."""


@dataclass(frozen=True, slots=True)
class WebhookVerifier:
    """Tells what comes from who has the secret from all else.

    ed25519: asked for when the first public key needs it.
    """

    ed25519: Callable[[], Ed25519]

    def verify(
        self, headers: Headers, body: bytes, keys: Sequence[AnyKey], *, tolerance: float, now: float
    ) -> None:
        """Return if one signature is by one of the keys, and recent enough.

        tolerance: seconds that the time of signing may be from `now`, either way.
        Raises WebhookVerificationError.
        """
        received = read(headers)
        _require_recent(int(received.timestamp), tolerance, now)
        content = signed_content(received.webhook_id, received.timestamp, body)
        if not any(self._signed(key, content, received.signatures) for key in keys):
            raise WebhookVerificationError(
                "no signature matches. Is the secret that of this webhook, with its prefix whsec_ "
                "or whpk_? Is the body what was received, byte for byte, not parsed and written "
                "anew?"
            )

    def _signed(self, key: AnyKey, content: bytes, signatures: Iterable[tuple[str, str]]) -> bool:
        if isinstance(key, SharedKey):
            expected = hmac_signature(key, content)
            # As text: several texts in base64 are the same bytes, and only one of them was sent.
            return any(hmac.compare_digest(expected, it) for it in _of(BY_SHARED_KEY, signatures))
        given = [_decoded(it) for it in _of(BY_PRIVATE_KEY, signatures)]
        if not given:
            return False
        ed25519 = self.ed25519()
        public = _public_key(key, ed25519)
        return any(ed25519.verify(public, content, signature) for signature in given)


def read(headers: Headers) -> Received:
    """The three headers, each of them well-formed. Raises WebhookVerificationError."""
    found: dict[str, str] = {}
    for name, value in _ours(headers):
        if name in found:
            raise WebhookVerificationError(f"{name} was sent more than once")
        found[name] = _checked(name, value)
    missing = [name for name in _LONGEST if name not in found]
    if missing:
        raise WebhookVerificationError(f"there is no {' and no '.join(missing)}")
    if not WEBHOOK_ID.fullmatch(found[ID_HEADER]):
        raise WebhookVerificationError(f"{ID_HEADER} is not visible ASCII without dots")
    if not _SECONDS.fullmatch(found[TIMESTAMP_HEADER]):
        raise WebhookVerificationError(f"{TIMESTAMP_HEADER} is no number of seconds since 1970")
    return Received(found[ID_HEADER], found[TIMESTAMP_HEADER], _signatures(found[SIGNATURE_HEADER]))


def content_of(body: bytes | str) -> bytes:
    """The bytes of the body. Raises WebhookVerificationError (no UTF-8), TypeError (parsed)."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if not isinstance(body, str):
        raise TypeError("the body must be as it was received: bytes or str, not what it means")
    try:
        return body.encode()
    except UnicodeEncodeError:
        raise WebhookVerificationError("the body is not valid Unicode: give its bytes") from None


def payload_of(content: bytes) -> Any:
    """The JSON that was sent; None where nothing was. Raises WebhookVerificationError."""
    if not content:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise WebhookVerificationError(
            "it is signed as it should be, but the body is no JSON (or too deep to be read): "
            "say parse_json=False to take it as it is"
        ) from None


def _ours(headers: Headers) -> Iterator[tuple[str, Any]]:
    """Those of the headers that are webhooks' own, with their names in lower case."""
    pairs: Iterable[Any] = headers if isinstance(headers, list | tuple) else _pairs(headers)
    for name, value in pairs:
        if len(name) > _LONGEST_NAME or not name.isascii():
            continue
        text = name.decode() if isinstance(name, bytes) else name
        if text.lower() in _LONGEST:
            yield text.lower(), value


def _pairs(headers: Headers) -> Iterable[Any]:
    return headers.items() if hasattr(headers, "items") else headers


def _checked(name: str, value: Any) -> str:
    """The value as text, if it is short enough and ASCII. Raises WebhookVerificationError."""
    if not isinstance(value, str | bytes):
        raise WebhookVerificationError(f"{name} is no text")
    if len(value) > _LONGEST[name]:
        raise WebhookVerificationError(f"{name} is longer than {_LONGEST[name]} characters")
    if not value.isascii():
        raise WebhookVerificationError(f"{name} is not ASCII")
    return value.decode() if isinstance(value, bytes) else value


def _signatures(value: str) -> tuple[tuple[str, str], ...]:
    entries = list(dict.fromkeys(value.split()))
    if len(entries) > _MOST_SIGNATURES:
        raise WebhookVerificationError(
            f"{SIGNATURE_HEADER} has more than {_MOST_SIGNATURES} signatures"
        )
    return tuple((version, text) for version, _, text in (it.partition(",") for it in entries))


def _of(version: str, signatures: Iterable[tuple[str, str]]) -> list[str]:
    return [text for its_version, text in signatures if its_version == version]


def _require_recent(timestamp: int, tolerance: float, now: float) -> None:
    age = now - timestamp
    # Not the other way round: nothing is within a tolerance that is no number.
    if abs(age) <= tolerance:
        return
    when = f"{age:.0f} s ago" if age > 0 else f"{-age:.0f} s ahead of this machine's clock"
    raise WebhookVerificationError(
        f"it was signed {when}, and {tolerance:g} s are allowed: either somebody sent it again, "
        f"or one of the clocks is wrong"
    )


def _public_key(key: PrivateKey | PublicKey, ed25519: Ed25519) -> bytes:
    return key.public_key if isinstance(key, PublicKey) else ed25519.public_key(key.seed)


def _decoded(signature: str) -> bytes:
    """Its bytes; none where it is not written in the one right way."""
    try:
        content = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return content if base64.b64encode(content).decode() == signature else b""
