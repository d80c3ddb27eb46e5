"""Signatures of webhooks, as Standard Webhooks 1.0 has them, and a plain one of the body alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from framework_m.core.webhooks.keys import PrivateKey, SharedKey, SigningKey

if TYPE_CHECKING:
    from framework_m.core.interfaces.signatures import Ed25519

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
PLAIN_HEADER = "X-Webhook-Signature"

BY_SHARED_KEY = "v1"
BY_PRIVATE_KEY = "v1a"

LONGEST_ID = 256
# What is signed is joined with dots. One in the id would let somebody move what comes after it
# to the timestamp, and the signature would still be right.
WEBHOOK_ID = re.compile(rf"[!-\-/-~]{{1,{LONGEST_ID}}}")


@dataclass(frozen=True, slots=True)
class WebhookSigner:
    """Signs what is sent."""

    ed25519: Ed25519

    def headers(
        self,
        keys: SigningKey | Sequence[SigningKey],
        webhook_id: str,
        timestamp: datetime,
        body: bytes,
    ) -> dict[str, str]:
        """The three headers of Standard Webhooks. See `sign`."""
        return {
            ID_HEADER: webhook_id,
            TIMESTAMP_HEADER: str(seconds_of(timestamp)),
            SIGNATURE_HEADER: self.sign(keys, webhook_id, timestamp, body),
        }

    def sign(
        self,
        keys: SigningKey | Sequence[SigningKey],
        webhook_id: str,
        timestamp: datetime,
        body: bytes,
    ) -> str:
        """What goes into `webhook-signature`: a signature by each key, separated by blanks.

        timestamp: of this attempt, aware; counted in whole seconds.
        Raises ValueError: no key; an id that has a dot, or is not visible ASCII.
        """
        if not WEBHOOK_ID.fullmatch(webhook_id):
            raise ValueError(f"no id of a webhook: 1 to {LONGEST_ID} of visible ASCII, no dot")
        several = keys if isinstance(keys, Sequence) else [keys]
        if not several:
            raise ValueError("nothing can be signed without a key")
        content = signed_content(webhook_id, str(seconds_of(timestamp)), body)
        return " ".join(self._signature(key, content) for key in several)

    def _signature(self, key: SigningKey, content: bytes) -> str:
        if isinstance(key, PrivateKey):
            signature = base64.b64encode(self.ed25519.sign(key.seed, content)).decode()
            return f"{BY_PRIVATE_KEY},{signature}"
        return f"{BY_SHARED_KEY},{hmac_signature(key, content)}"


def plain_signature(key: SharedKey, body: bytes) -> str:
    """`sha256=<hex>`: of the body alone, so it says neither when it was sent nor if it is new."""
    return "sha256=" + hmac.new(key.secret, body, hashlib.sha256).hexdigest()


def hmac_signature(key: SharedKey, content: bytes) -> str:
    """What follows `v1,`."""
    return base64.b64encode(hmac.digest(key.secret, content, "sha256")).decode()


def signed_content(webhook_id: str, timestamp: str, body: bytes) -> bytes:
    """What signatures are made of."""
    return f"{webhook_id}.{timestamp}.".encode() + body


def seconds_of(moment: datetime) -> int:
    """Whole seconds since 1970. Raises ValueError where it has no time zone."""
    if moment.utcoffset() is None:
        raise ValueError("the time must be aware: one without a zone means another time elsewhere")
    return int(moment.timestamp() // 1)
