"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that ids sort by the time they were made."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_COUNTER_BITS = 12
_TAIL = (1 << 62) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Monotonic:
    """Millisecond time and a 12-bit counter that never go back within one process.

    RFC 9562 §6.2, method 1: ids made in the same millisecond count up in `rand_a`, and when
    the counter overflows the time runs ahead by one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            now = (time.time_ns() // 1_000_000) << _COUNTER_BITS
            self._last = max(now, self._last + 1)
            return self._last


_monotonic = _Monotonic()


def uuid7() -> str:
    """A new UUIDv7 as text; greater than every one this process made before."""
    moment = _monotonic.next()
    milliseconds, counter = moment >> _COUNTER_BITS, moment & ((1 << _COUNTER_BITS) - 1)
    return _text(milliseconds, counter, int.from_bytes(os.urandom(8)))


def uuid7_of(moment: datetime, seed: str) -> str:
    """The one UUIDv7 of this time, to the millisecond, whose random bits are those of a seed.

    They are taken from the seed's SHA-256: whoever asks for it, in whichever process, gets the
    same.
    """
    digest = hashlib.sha256(seed.encode()).digest()
    milliseconds = round((moment - _EPOCH) / timedelta(milliseconds=1))
    counter = int.from_bytes(digest[8:10]) & ((1 << _COUNTER_BITS) - 1)
    return _text(milliseconds, counter, int.from_bytes(digest[:8]))


def _text(milliseconds: int, rand_a: int, rand_b: int) -> str:
    value = (milliseconds & ((1 << 48) - 1)) << 80 | _VERSION_7 | rand_a << 64
    # Not by way of uuid.UUID, which costs as much as all the rest.
    text = f"{value | _VARIANT_RFC | rand_b & _TAIL:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its usual form, 8-4-4-4-12 in lower case."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
