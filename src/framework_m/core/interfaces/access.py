"""Ports: where keys are kept, and who reads signed tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from framework_m.core.doctypes.api_key import ApiKey
    from framework_m.core.identity import User


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept: its record, and what its secret part hashes to."""

    record: ApiKey
    digest: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whom a token stands for, until when."""

    user: User
    expires_at: datetime | None = None
    key: ApiKey | None = None
    """The stored key that it is; None for a signed token."""


class ApiKeyStore(Protocol):
    """Keeps keys. A revocation holds for every process from the next look on.

    Raises: DatabaseUnavailableError (retry later). Nothing else.
    """

    async def add(self, key: StoredKey) -> None:
        """Keep a new one."""

    async def find(self, name: str) -> StoredKey | None:
        """The key of that name, revoked where the key that it was made with is."""

    async def list(self) -> Sequence[ApiKey]:
        """All keys that are no sessions, newest first."""

    async def revoke(self, name: str, at: datetime) -> bool:
        """Revoke it, and the sessions opened with it; whether there is one. Twice is harmless."""

    async def note_use(self, name: str, at: datetime, every: timedelta) -> None:
        """Remember when it was used, unless a use that short ago is remembered already."""

    async def forget_sessions(self, expired_before: datetime) -> None:
        """Delete sessions that had expired by then."""


class TokenReader(Protocol):
    """Reads signed tokens."""

    async def read(self, token: str) -> SignedIn:
        """Raises NotAuthenticatedError, whatever is wrong with it; KeySetUnavailableError."""

    def issue(self, user: User, now: datetime, expires_at: datetime) -> str:
        """A token that `read` accepts.

        Raises ConfigurationError where tokens are signed elsewhere, SecretKeyError.
        """
