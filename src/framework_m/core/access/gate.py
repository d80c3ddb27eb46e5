"""Gate: whom a token stands for, whatever kind of token it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.access.api_keys import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework_m.core.access.api_keys import ApiKeys, NewKey
    from framework_m.core.identity import User
    from framework_m.core.interfaces.access import SignedIn, TokenReader


class Gate:
    """Lets callers from outside in. What they may do there, `permissions` says."""

    def __init__(
        self,
        keys: ApiKeys,
        tokens: TokenReader,
        *,
        session_lifetime: timedelta,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.keys = keys
        self._tokens = tokens
        self._session_lifetime = session_lifetime
        self._now = now

    async def read(self, token: str) -> SignedIn:
        """Whom a bearer token stands for. Raises NotAuthenticatedError, UnavailableError."""
        if token.startswith(MARK):
            return await self.keys.read(token)
        return await self._tokens.read(token)

    async def read_session(self, text: str) -> SignedIn:
        """Whom a browser's session stands for. Raises as `read` does."""
        return await self.keys.read(text, is_session=True)

    async def open_session(self, signed_in: SignedIn) -> NewKey:
        """Let a browser hold a session instead of the token."""
        return await self.keys.open_session(signed_in, self._session_lifetime)

    def issue(self, user: User, lifetime: timedelta) -> str:
        """A signed token. Raises ConfigurationError where it cannot be made here."""
        now = self._now()
        return self._tokens.issue(user, now, now + lifetime)
