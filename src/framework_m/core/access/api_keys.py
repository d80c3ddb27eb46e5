"""API keys: random texts that stand for a user until they are revoked."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from framework_m.core import clock
from framework_m.core.doctypes.api_key import ApiKey
from framework_m.core.errors import NotAuthenticatedError, UnavailableError
from framework_m.core.identity import User
from framework_m.core.interfaces.access import SignedIn, StoredKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework_m.core.interfaces.access import ApiKeyStore

MARK = "fmk_"
"""Begins every key: tells it from a JWT, and lets scanners find one that was published."""

_NOTE_USE_EVERY = timedelta(minutes=1)
_NAME_BYTES = 8
_SECRET_BYTES = 32
_LONGEST = 100
# Compared with where there is no key, so that the answer takes as long.
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. The text is shown this once, and stored nowhere."""

    record: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"<key {self.record.name}>"


class ApiKeys:
    """Makes keys, and tells whom one stands for."""

    def __init__(self, store: ApiKeyStore, *, now: Callable[[], datetime] = clock.now) -> None:
        self._store = store
        self._now = now

    async def create(
        self,
        user: User,
        *,
        expires_at: datetime | None = None,
        note: str | None = None,
        parent: str | None = None,
        is_session: bool = False,
    ) -> NewKey:
        """A new key for this user, with these roles and no others."""
        name, secret = secrets.token_hex(_NAME_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        record = ApiKey(
            name=name,
            user_id=user.id,
            roles=user.roles,
            note=note,
            created_at=self._now(),
            expires_at=expires_at,
            parent=parent,
            is_session=is_session,
        )
        await self._store.add(StoredKey(record, _digest(secret)))
        return NewKey(record, f"{MARK}{name}_{secret}")

    async def read(self, text: str, *, is_session: bool = False) -> SignedIn:
        """Whom it stands for. Raises NotAuthenticatedError, whatever is wrong with it."""
        name, secret = _parts(text)
        found = await self._store.find(name)
        digest = _NO_DIGEST if found is None else found.digest
        fits = hmac.compare_digest(_digest(secret), digest)
        now = self._now()
        if found is None or not fits or not found.record.is_valid(now):
            raise NotAuthenticatedError
        record = found.record
        if record.is_session is not is_session:
            raise NotAuthenticatedError
        used = record.last_used_at
        if used is None or now - used >= _NOTE_USE_EVERY:
            # Worth a try, not a refusal: SQLite has one writer, and this is a reader.
            with contextlib.suppress(UnavailableError):
                await self._store.note_use(name, now, _NOTE_USE_EVERY)
        return SignedIn(User(record.user_id, record.roles), record.expires_at, record)

    async def list(self) -> Sequence[ApiKey]:
        """All keys, newest first."""
        return await self._store.list()

    async def revoke(self, name: str) -> bool:
        """From now on it stands for nobody; False if there is no such key."""
        return await self._store.revoke(name, self._now())

    async def open_session(self, signed_in: SignedIn, lifetime: timedelta) -> NewKey:
        """A key for a browser, which outlives neither that time nor what it was opened with."""
        now = self._now()
        await self._store.forget_sessions(now)
        expires_at = now + lifetime
        if signed_in.expires_at is not None:
            expires_at = min(expires_at, signed_in.expires_at)
        parent = None if signed_in.key is None else signed_in.key.name
        return await self.create(
            signed_in.user, expires_at=expires_at, parent=parent, is_session=True
        )


def _parts(text: str) -> tuple[str, str]:
    """Raises NotAuthenticatedError."""
    if len(text) > _LONGEST or not text.isascii() or not text.startswith(MARK):
        raise NotAuthenticatedError
    name, _, secret = text.removeprefix(MARK).partition("_")
    if len(name) != 2 * _NAME_BYTES or not name.isalnum() or not secret:
        raise NotAuthenticatedError
    return name, secret


def _digest(secret: str) -> str:
    # Not bcrypt: that makes guessing a password slow. There is nothing to guess in 256 random bits,
    # and every request pays for the hash.
    return hashlib.sha256(secret.encode()).hexdigest()
