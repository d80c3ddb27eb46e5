"""JWTs: read by one pinned way of signing, and made where we sign ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from framework_m.core.errors import (
    ConfigurationError,
    KeySetUnavailableError,
    NotAuthenticatedError,
    SecretKeyError,
)
from framework_m.core.identity import User
from framework_m.core.interfaces.access import SignedIn

if TYPE_CHECKING:
    from collections.abc import Sequence

# Other uses of SECRET_KEY derive other keys from it.
_PURPOSE = b"framework_m: signatures of tokens, version 1"
_SIGNED_HERE = "HS256"
_LONGEST_TOKEN = 16_384
_LONGEST_ID = 255
_MOST_ROLES = 200
# What a hostile token may raise besides PyJWT's own: none of it may become a 500.
_UNFIT = (
    jwt.PyJWTError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say of itself."""

    issuer: str | None = None
    audience: str | None = None
    roles_claim: str = "roles"
    leeway: float = 0
    """Seconds by which the clocks of signer and reader may differ."""


class _Keys(Protocol):
    async def candidates(self, token: str) -> Sequence[Any]:
        """Keys that may have signed it."""


class JwtTokens:
    """The TokenReader port.

    algorithms: the only ones that count, whatever a token's header says. They are either
        symmetric or not, so that no public key can be taken for a shared secret.
    """

    def __init__(self, keys: _Keys, algorithms: Sequence[str], expected: Expected) -> None:
        self._keys = keys
        self._algorithms = list(algorithms)
        self._expected = expected

    async def read(self, token: str) -> SignedIn:
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise NotAuthenticatedError
        try:
            keys = await self._keys.candidates(token)
        except KeySetUnavailableError:
            raise
        except _UNFIT:
            raise NotAuthenticatedError from None
        for key in keys:
            try:
                return self._signed_in(self._claims(token, key))
            except _UNFIT:  # perhaps another key; why not is nobody's business outside
                continue
        raise NotAuthenticatedError

    def issue(self, user: User, now: datetime, expires_at: datetime) -> str:
        if not isinstance(self._keys, SharedKeys):
            raise ConfigurationError(
                "tokens are signed by whoever publishes FRAMEWORK_M_JWKS_URL: "
                "make an API key instead (--api-key)"
            )
        claims: dict[str, Any] = {
            "sub": user.id,
            self._expected.roles_claim: sorted(user.roles),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        named = {"iss": self._expected.issuer, "aud": self._expected.audience}
        claims |= {name: value for name, value in named.items() if value is not None}
        return jwt.encode(claims, self._keys.signing, algorithm=_SIGNED_HERE)

    def _claims(self, token: str, key: Any) -> dict[str, Any]:
        expected = self._expected
        return jwt.decode(
            token,
            key,
            algorithms=self._algorithms,
            audience=expected.audience,
            issuer=expected.issuer,
            leeway=expected.leeway,
            # Without an audience of ours, a token that names one is meant for somebody else.
            options={"require": ["exp", "sub"]},
        )

    def _signed_in(self, claims: dict[str, Any]) -> SignedIn:
        roles = claims.get(self._expected.roles_claim, [])
        if not isinstance(roles, list) or len(roles) > _MOST_ROLES:
            raise ValueError("roles")
        user = User(_named(claims["sub"]), frozenset(_named(role) for role in roles))
        return SignedIn(user, datetime.fromtimestamp(claims["exp"], UTC))


class SharedKeys:
    """Keys derived from SECRET_KEY: we sign with the first, and read with any."""

    algorithms = (_SIGNED_HERE,)

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._derived = tuple(_derived(key) for key in secret_keys)

    @property
    def signing(self) -> bytes:
        if not self._derived:
            raise SecretKeyError(
                "SECRET_KEY signs tokens and is not set: give it a long random text, "
                "or make an API key, which needs none (--api-key)"
            )
        return self._derived[0]

    async def candidates(self, _: str) -> Sequence[bytes]:
        return self._derived


def reader(
    secret_keys: Sequence[str], jwks_url: str | None, algorithms: Sequence[str], expected: Expected
) -> JwtTokens:
    """Of tokens that we sign, or of those that somebody else does: never of both."""
    if jwks_url is None:
        return JwtTokens(SharedKeys(secret_keys), SharedKeys.algorithms, expected)
    # Only where it is used: an HTTP client is a large import.
    from framework_m.adapters.access.key_set import KeySet  # noqa: PLC0415

    return JwtTokens(KeySet(jwks_url), algorithms, expected)


def _derived(secret_key: str) -> bytes:
    # The key is a random text by contract, not a password: nothing to stretch.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())


def _named(value: Any) -> str:
    """Ids and roles are stored and compared: texts of a sane length that any database takes."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
        raise ValueError("no name")
    return value
