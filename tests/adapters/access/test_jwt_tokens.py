"""JWTs: what is accepted, and that everything else is refused in the same words."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from framework_m import User
from framework_m.adapters.access.jwt_tokens import Expected, JwtTokens, SharedKeys
from framework_m.core.errors import ConfigurationError, NotAuthenticatedError, SecretKeyError

SECRET = "only for tests, but long"
ADA = User("ada", frozenset({"Clerk", "Reader"}))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Published:
    """A key set of one key that needs no fetching."""

    def __init__(self, key: Any) -> None:
        self._key = key

    async def candidates(self, _: str) -> list[Any]:
        return [self._key]


def shared(**expected: Any) -> JwtTokens:
    return JwtTokens(SharedKeys([SECRET]), SharedKeys.algorithms, Expected(**expected))


def signing_key(secret: str = SECRET) -> bytes:
    return SharedKeys([secret]).signing


def claims(**changed: Any) -> dict[str, Any]:
    whole = {"sub": "ada", "roles": ["Clerk"], "exp": datetime.now(UTC) + timedelta(hours=1)}
    return {name: value for name, value in {**whole, **changed}.items() if value is not ...}


def signed(key: Any = None, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key or signing_key(), algorithm=algorithm)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


async def refused(tokens: JwtTokens, token: str) -> None:
    with pytest.raises(NotAuthenticatedError) as caught:
        await tokens.read(token)
    assert caught.value.args == (), "it says nothing"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


async def test_what_is_issued_is_read() -> None:
    tokens = shared(issuer="us", audience="we", roles_claim="groups")
    now = datetime.now(UTC)
    token = tokens.issue(ADA, now, now + timedelta(minutes=5))
    found = await tokens.read(token)
    assert found.user == ADA
    assert found.key is None
    assert found.expires_at is not None
    assert found.expires_at - now <= timedelta(minutes=5)


async def test_former_secret_keys_still_read_and_do_not_sign() -> None:
    old = signed(key=signing_key("the former secret key"))
    rotated = JwtTokens(
        SharedKeys([SECRET, "the former secret key"]), SharedKeys.algorithms, Expected()
    )
    assert (await rotated.read(old)).user.id == "ada"
    await refused(shared(), old)
    now = datetime.now(UTC)
    await shared().read(rotated.issue(ADA, now, now + timedelta(hours=1)))


def test_the_secret_key_itself_signs_nothing() -> None:
    assert signing_key() != SECRET.encode()
    assert len(signing_key()) == 32


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "x" * 20_000,
        f"{part({'alg': 'none'})}.{part({'sub': 'ada', 'exp': 9999999999})}.",
        f"{part({'alg': 'None', 'typ': 'JWT'})}.{part({'sub': 'ada', 'exp': 9999999999})}.",
        f"{part([])}.{part([])}.{part(b'x')}",
        f"{part({'alg': ['HS256']})}.{part({})}.{part(b'x')}",
        f"{part({'alg': 'HS256', 'crit': ['b64'], 'b64': False})}.{part({})}.{part(b'x')}",
        "\ud800.\ud800.\ud800",
        "ä.ö.ü",
        "Ω" * 3,
        "a.b.c\x00",
        f"{part(b'[' * 5000)}.{part({})}.{part(b'x')}",
        signed(key=b"another key, as long as it ought to be"),
        signed(key=SECRET.encode() * 2),
        signed(exp=...),
        signed(exp=datetime.now(UTC) - timedelta(seconds=1)),
        signed(exp="soon"),
        signed(exp=1e300),
        signed(nbf=datetime.now(UTC) + timedelta(hours=1)),
        signed(iat=datetime.now(UTC) + timedelta(hours=1)),
        signed(sub=...),
        signed(sub=""),
        signed(sub="a\x00b"),
        signed(sub="x" * 300),
        signed(aud="somebody else"),
        signed(roles="Clerk"),
        signed(roles=[1]),
        signed(roles=["x"] * 1000),
        signed(roles=None),
        signed(algorithm="HS512", key=signing_key() * 2),
        signed()[:-2],
        signed() + "x",
        signed(key=RSA_KEY, algorithm="RS256"),
    ],
)
async def test_a_bad_token_is_refused_without_a_reason(token: str) -> None:
    await refused(shared(), token)


async def test_issuer_and_audience_are_required_where_they_are_set() -> None:
    tokens = shared(issuer="us", audience="we")
    assert (await tokens.read(signed(iss="us", aud=["we", "they"]))).user.id == "ada"
    for wrong in ({"iss": "us"}, {"aud": "we"}, {"iss": "they", "aud": "we"}, {}):
        await refused(tokens, signed(**wrong))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_public_keys_read_what_their_private_ones_signed(key: Any, algorithm: str) -> None:
    tokens = JwtTokens(Published(key.public_key()), ["RS256", "ES256"], Expected())
    assert (await tokens.read(signed(key=key, algorithm=algorithm))).user.id == "ada"
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    await refused(tokens, signed(key=other, algorithm="RS256"))
    await refused(
        tokens,
        signed(
            key=EC_KEY if key is RSA_KEY else RSA_KEY,
            algorithm="ES256" if key is RSA_KEY else "RS256",
        ),
    )


async def test_a_public_key_is_no_shared_secret() -> None:
    """The old trick: HS256, with the text of the public key as its secret."""
    public = RSA_KEY.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, body = part({"alg": "HS256", "typ": "JWT"}), part({"sub": "ada", "exp": 9999999999})
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{header}.{body}".encode(), pem
    )
    forged = f"{header}.{body}.{part(signature)}"
    for key in (public, jwt.PyJWK(jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True))):
        await refused(JwtTokens(Published(key), ["RS256", "ES256"], Expected()), forged)


async def test_one_pinned_algorithm_is_the_only_one() -> None:
    only_ec = JwtTokens(Published(RSA_KEY.public_key()), ["ES256"], Expected())
    await refused(only_ec, signed(key=RSA_KEY, algorithm="RS256"))


def test_tokens_are_signed_only_where_there_is_a_key_of_ours() -> None:
    now = datetime.now(UTC)
    with pytest.raises(SecretKeyError, match="SECRET_KEY signs tokens and is not set"):
        JwtTokens(SharedKeys([]), ["HS256"], Expected()).issue(ADA, now, now)
    elsewhere = JwtTokens(Published(RSA_KEY.public_key()), ["RS256"], Expected())
    with pytest.raises(ConfigurationError, match="make an API key instead"):
        elsewhere.issue(ADA, now, now)


async def test_without_a_key_nothing_is_accepted() -> None:
    await refused(JwtTokens(SharedKeys([]), ["HS256"], Expected()), signed())


@given(st.text(max_size=200) | st.binary(max_size=200).map(part))
async def test_no_text_is_more_than_refused(text: str) -> None:
    await refused(shared(), text)
    await refused(shared(), f"{part({'alg': 'HS256'})}.{text}.{text}")
