"""What the clients' errors mean, in words of ours: a host at most, never a path or a query."""

from __future__ import annotations

import os
import ssl

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from framework_m.core.errors import EgressError, EgressFailedError, EgressTimeoutError

ANY_FAILURE = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
    TimeoutError,
    # uvloop's for sockets, yarl's for URLs, and aiohttp's for a session that is closed
    RuntimeError,
    ValueError,
)


def meaning_of(failure: Exception, host: str, *, answered: bool) -> EgressError:
    """The error that the failure is to us. answered: a status had come before it."""
    # httpx-aiohttp's own mapping calls a connection that was reset a timeout; what is behind it
    # is what happened.
    behind = failure.__cause__ if isinstance(failure, httpx.HTTPError) else failure
    found: EgressError
    if isinstance(behind, TimeoutError):
        found = EgressTimeoutError(f"{host} was not connected to in time")
    else:
        found = EgressFailedError(f"{host}: {_reason(behind, answered)}")
    found.__cause__ = failure
    return found


def _reason(failure: BaseException | None, answered: bool) -> str:
    if isinstance(failure, aiohttp.ClientConnectorCertificateError):
        why = getattr(failure.certificate_error, "verify_message", "")
        return f"its certificate is not good: {why or 'it is not for this host'}"
    if type(failure) is aiohttp.ClientConnectorError:  # and none of its many kinds
        return f"no connection ({_words(failure.os_error)})"
    broke_off = "its answer broke off" if answered else "it closed the connection unanswered"
    for kind, reason in _REASONS:
        if isinstance(failure, kind):
            return reason or broke_off
    return f"it failed ({type(failure).__name__})"


# The first that fits; without a reason: it depends on how far the answer had come.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "its name has no address"),
    (aiohttp.ClientConnectorSSLError, "TLS failed"),
    (ssl.SSLError, "TLS failed"),
    (aiohttp.ClientResponseError, "what it answered is no HTTP, or too large for it"),
    (HttpProcessingError, "what it answered is no HTTP, or too large for it"),
    (aiohttp.ClientPayloadError, "its answer broke off, or is no HTTP"),
    (aiohttp.ClientConnectionError, ""),
    (OSError, ""),
)


def _words(error: OSError) -> str:
    """Without the address that the loop puts into its messages."""
    return os.strerror(error.errno) if error.errno else type(error).__name__
