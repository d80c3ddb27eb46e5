"""The key set: fetched when it is wanted, and not more often."""

from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from framework_m.adapters.access.key_set import KeySet
from framework_m.core.errors import KeySetUnavailableError

FIRST = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECOND = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(key: rsa.RSAPrivateKey, kid: str | None) -> dict[str, Any]:
    found = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "use": "sig", **({} if kid is None else {"kid": kid})}


def token(key: rsa.RSAPrivateKey, kid: str | None) -> str:
    headers = None if kid is None else {"kid": kid}
    return jwt.encode({"sub": "ada"}, key, algorithm="RS256", headers=headers)


class Signer:
    """Who publishes keys, and counts how often they are asked for."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.answer: Any = {"keys": list(keys)}
        self.status = 200
        self.asked = 0
        self.now = 1000.0
        self.keys = KeySet("https://id.example/keys", client=self._client, now=lambda: self.now)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answered))

    def _answered(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if isinstance(self.answer, bytes):
            return httpx.Response(self.status, content=self.answer)
        return httpx.Response(self.status, json=self.answer)


async def test_keys_are_fetched_once_and_found_by_their_ids() -> None:
    signer = Signer(published(FIRST, "one"), published(SECOND, "two"))
    for kid, key in (("one", FIRST), ("two", SECOND), ("one", FIRST)):
        [found] = await signer.keys.candidates(token(key, kid))
        assert found.key_id == kid
    assert signer.asked == 1


async def test_an_unknown_key_is_looked_for_again_and_not_too_often() -> None:
    signer = Signer(published(FIRST, "one"))
    await signer.keys.candidates(token(FIRST, "one"))
    signer.answer = {"keys": [published(SECOND, "two")]}
    assert await signer.keys.candidates(token(SECOND, "two")) == []
    assert signer.asked == 1, "just asked"
    signer.now += 31
    [found] = await signer.keys.candidates(token(SECOND, "two"))
    assert found.key_id == "two"
    for number in range(50):
        assert await signer.keys.candidates(token(SECOND, f"made up {number}")) == []
    assert signer.asked == 2


async def test_an_old_set_is_fetched_anew_and_its_keys_stay_good_while_it_cannot_be() -> None:
    signer = Signer(published(FIRST, "one"))
    await signer.keys.candidates(token(FIRST, "one"))
    signer.now += 3601
    signer.status = 500
    for _ in range(3):
        assert len(await signer.keys.candidates(token(FIRST, "one"))) == 1
    assert signer.asked == 2
    signer.status, signer.answer, signer.now = 200, {"keys": []}, signer.now + 31
    assert await signer.keys.candidates(token(FIRST, "one")) == [], "withdrawn"


@pytest.mark.parametrize("answer", [b"{nope", b"[]", b'{"keys": 1}', b"x" * 2_000_000])
async def test_a_set_that_never_came_is_a_server_that_is_away(answer: bytes) -> None:
    signer = Signer()
    signer.answer = answer
    for _ in range(2):
        with pytest.raises(KeySetUnavailableError, match="the key set is not available"):
            await signer.keys.candidates(token(FIRST, "one"))
    assert signer.asked == 1


async def test_redirects_are_not_followed() -> None:
    signer = Signer()
    signer.status = 302
    with pytest.raises(KeySetUnavailableError):
        await signer.keys.candidates(token(FIRST, "one"))


async def test_only_public_signature_keys_count() -> None:
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"}
    encrypting = {**published(FIRST, "encrypting"), "use": "enc"}
    broken = {"kty": "RSA", "kid": "broken"}
    signer = Signer(shared, encrypting, broken, "nonsense", published(FIRST, "one"))  # type: ignore[arg-type]
    for kid in ("shared", "encrypting", "broken"):
        assert await signer.keys.candidates(token(FIRST, kid)) == []
    assert len(await signer.keys.candidates(token(FIRST, "one"))) == 1


async def test_a_token_that_names_no_key_is_of_the_only_one() -> None:
    only = Signer(published(FIRST, None))
    assert len(await only.keys.candidates(token(FIRST, None))) == 1
    several = Signer(published(FIRST, "one"), published(SECOND, "two"))
    assert await several.keys.candidates(token(FIRST, None)) == []
