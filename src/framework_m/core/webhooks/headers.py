"""Which headers a user may add to a request, and what any header may look like."""

from __future__ import annotations

import re
from collections.abc import Mapping

from framework_m.core.errors import EgressRefusedError

MOST_HEADERS = 50
LONGEST_HEADERS = 8192
"""Bytes, of all names and values together."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# No CR, LF or NUL; and ASCII alone, because what the rest would be on the wire is nobody's
# agreement: clients send UTF-8, the standard said ISO 8859-1.
_VALUE = re.compile(r"[\x20-\x7e\t]*")

_OURS = frozenset(
    {
        "accept-encoding",  # an answer that is packed could be a bomb
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_OUR_PREFIXES = ("proxy-", "webhook-", "x-webhook-")


def check_header(name: str, value: str) -> None:
    """Raises EgressRefusedError. Values are never in the message: they may be tokens."""
    if not _NAME.fullmatch(name):
        raise EgressRefusedError(f"a header is refused: {name[:60]!r} is no name of one")
    if not _VALUE.fullmatch(value):
        raise EgressRefusedError(
            f"the header {name} is refused: its value has other characters than ASCII's visible "
            "ones, space and tab"
        )


def check_user_headers(headers: Mapping[str, str]) -> None:
    """What a record may say. Raises EgressRefusedError, also for names that are ours to set."""
    if len(headers) > MOST_HEADERS or _length(headers) > LONGEST_HEADERS:
        raise EgressRefusedError(
            f"the headers are refused: more than {MOST_HEADERS}, or than {LONGEST_HEADERS} bytes"
        )
    seen: set[str] = set()
    for name, value in headers.items():
        check_header(name, value)
        small = name.lower()
        if small in _OURS or small.startswith(_OUR_PREFIXES):
            raise EgressRefusedError(f"the header {name} is refused: it is not the user's to set")
        if small in seen:
            raise EgressRefusedError(f"the header {name} is refused: it is there twice")
        seen.add(small)


def merged(ours: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """Both, with names in small letters; the user's where a name is in both (Content-Type).

    Raises EgressRefusedError.
    """
    for name, value in ours.items():
        check_header(name, value)
    check_user_headers(users)
    found = {name.lower(): value for name, value in ours.items()}
    found.update((name.lower(), value) for name, value in users.items())
    return found


def _length(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())
