"""KeySet: the public keys of whoever signs tokens, fetched when they are wanted."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt

from framework_m.core.errors import KeySetUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

_FRESH_FOR = 3600.0
_NOT_SOONER_THAN = 30.0
_TIMEOUT = 5.0
_LONGEST_SET = 1_000_000
_ASYMMETRIC = ("RSA", "EC")


class KeySet:
    """The keys that a JWKS URL publishes, by their ids.

    Fetched at first use, when an hour old, and when a token names a key that is not there; never
    sooner than 30 seconds after the last try, so that made-up ids cost their signer nothing.
    While it cannot be fetched, the keys that are known stay good.

    client: makes the HTTP client; now: seconds on a clock that only goes forward.
    """

    def __init__(
        self,
        url: str,
        *,
        client: Callable[[], httpx.AsyncClient] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._client = client or _client
        self._now = now
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._failure = ""
        self._turn = asyncio.Lock()

    async def candidates(self, token: str) -> Sequence[jwt.PyJWK]:
        """The key that the token names. Raises KeySetUnavailableError, PyJWTError."""
        wanted = jwt.get_unverified_header(token).get("kid")
        if self._is_stale() or self._find(wanted) is None:
            async with self._turn:
                if self._is_stale() or self._find(wanted) is None:
                    await self._refresh()
        found = self._find(wanted)
        if found is None and self._fetched_at is None:
            raise KeySetUnavailableError(f"the key set is not available: {self._failure}")
        return [] if found is None else [found]

    def _find(self, wanted: Any) -> jwt.PyJWK | None:
        if wanted is None:  # then there must be no choice
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(wanted)

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._now() - self._fetched_at > _FRESH_FOR

    async def _refresh(self) -> None:
        now = self._now()
        if self._tried_at is not None and now - self._tried_at < _NOT_SOONER_THAN:
            return
        self._tried_at = now
        try:
            self._keys = _usable(await self._fetch())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, TimeoutError) as error:
            self._failure = str(error) or type(error).__name__
            logger.warning("the key set was not fetched: %s", self._failure)
            return
        self._fetched_at = now

    async def _fetch(self) -> Any:
        async with (
            asyncio.timeout(_TIMEOUT),
            self._client() as client,
            client.stream("GET", self._url) as answer,
        ):
            answer.raise_for_status()
            content = bytearray()
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > _LONGEST_SET:
                    raise ValueError("it is larger than a key set can be")
        return json.loads(content)


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)


def _usable(document: Any) -> dict[str | None, jwt.PyJWK]:
    """Public signature keys. A symmetric one has no business in a document that all may read."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise TypeError("it is no key set")
    keys: dict[str | None, jwt.PyJWK] = {}
    for item in listed:
        if not isinstance(item, dict) or item.get("kty") not in _ASYMMETRIC:
            continue
        if item.get("use", "sig") != "sig":
            continue
        try:
            keys[item.get("kid")] = jwt.PyJWK.from_dict(item)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            logger.warning("a key of the key set is of no use: %s", type(error).__name__)
    return keys
