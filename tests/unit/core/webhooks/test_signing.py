"""Secrets and signatures of webhooks, against what others published."""

import hashlib
import hmac
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m import Secret
from framework_m.adapters.webhooks.ed25519 import CryptographyEd25519
from framework_m.core.errors import WebhookSecretError
from framework_m.core.webhooks.keys import (
    PrivateKey,
    PublicKey,
    SharedKey,
    new_private_key,
    new_secret,
    public_key_of,
    signing_key,
    verifying_keys,
)
from framework_m.core.webhooks.signing import WebhookSigner, plain_signature

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'

# From the tests of the Standard Webhooks libraries.
SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BY_SHARED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
BY_PRIVATE = (
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
)
# The specification's own example of v1a, by the key and for the content of Svix's tests.
LONG_PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
ITS_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
BY_LONG_PRIVATE = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)

ed25519 = CryptographyEd25519()
signer = WebhookSigner(ed25519)


@pytest.mark.parametrize(
    ("secret", "signature"),
    [(SHARED, BY_SHARED), (PRIVATE, BY_PRIVATE), (LONG_PRIVATE, BY_LONG_PRIVATE)],
    ids=["v1", "v1a", "v1a, key of 64 bytes"],
)
def test_signatures_are_those_that_others_published(secret: str, signature: str) -> None:
    assert signer.sign(signing_key(secret), ID, TIME, BODY) == signature


def test_while_secrets_change_both_sign() -> None:
    keys = [signing_key(SHARED), signing_key(PRIVATE)]
    assert signer.sign(keys, ID, TIME, BODY) == f"{BY_SHARED} {BY_PRIVATE}"


def test_the_three_headers_say_what_was_signed() -> None:
    assert signer.headers(signing_key(SHARED), ID, TIME, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": BY_SHARED,
    }


def test_the_time_is_the_same_in_every_zone_and_counted_in_whole_seconds() -> None:
    elsewhere = (TIME + timedelta(milliseconds=999)).astimezone(timezone(timedelta(hours=-7)))
    assert signer.sign(signing_key(SHARED), ID, elsewhere, BODY) == BY_SHARED


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="must be aware"):
        signer.sign(signing_key(SHARED), ID, TIME.replace(tzinfo=None), BODY)


@pytest.mark.parametrize("webhook_id", ["", "a.b", "a b", "a\n", "ä", "\x00", "a" * 257])
def test_an_id_that_could_be_read_in_two_ways_is_refused(webhook_id: str) -> None:
    with pytest.raises(ValueError, match="no id of a webhook"):
        signer.sign(signing_key(SHARED), webhook_id, TIME, BODY)


def test_nothing_is_signed_without_a_key() -> None:
    with pytest.raises(ValueError, match="without a key"):
        signer.sign([], ID, TIME, BODY)


def test_the_plain_signature_is_the_hmac_of_the_body() -> None:
    # GitHub's documentation has this example.
    key = SharedKey(b"It's a Secret to Everybody")
    assert (
        plain_signature(key, b"Hello, World!")
        == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


@given(secret=st.text(min_size=1), body=st.binary())
def test_any_other_text_is_a_secret_by_its_bytes(secret: str, body: bytes) -> None:
    try:
        key = signing_key(secret)
    except WebhookSecretError:
        # Not as it stands, then: see below.
        assert secret.strip().lower().startswith(("whsec_", "whsk_", "whpk_"))
        return
    assert isinstance(key, SharedKey)
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert plain_signature(key, body) == f"sha256={expected}"


def test_a_new_secret_is_32_random_bytes() -> None:
    first, second = (signing_key(new_secret()) for _ in range(2))
    assert isinstance(first, SharedKey)
    assert len(first.secret) == 32
    assert first != second
    assert new_secret().startswith("whsec_")


def test_a_new_private_key_has_a_public_one() -> None:
    private = signing_key(new_private_key())
    assert isinstance(private, PrivateKey)
    [public] = verifying_keys(public_key_of(private, ed25519))
    assert isinstance(public, PublicKey)
    signature = ed25519.sign(private.seed, b"content")
    assert ed25519.verify(public.public_key, b"content", signature)
    assert not ed25519.verify(public.public_key, b"contend", signature)


def test_the_public_key_is_that_of_the_private_one() -> None:
    private = signing_key(LONG_PRIVATE)
    assert isinstance(private, PrivateKey)
    assert public_key_of(private, ed25519) == ITS_PUBLIC


@pytest.mark.parametrize("signature", [b"", b"short", b"\x00" * 64, b"\xff" * 65])
def test_what_is_no_signature_by_ed25519_matches_nothing(signature: bytes) -> None:
    assert not ed25519.verify(b"\x01" * 32, b"content", signature)
    assert not ed25519.verify(b"too short", b"content", signature)


def test_a_secret_field_of_a_document_is_a_secret() -> None:
    assert signing_key(Secret(SHARED)) == signing_key(SHARED)


def test_base64_without_its_padding_is_read() -> None:
    assert signing_key(PRIVATE.rstrip("=")) == signing_key(PRIVATE)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_" + "A" * 88,
        "whsec_not base64, not base64, not base64",
        SHARED + "\n",
        "whsec_ünreadable",
        "whsk_" + "A" * 40,
        "whpk_" + "A" * 40,
        " " + SHARED,
        "\t" + ITS_PUBLIC,
        ITS_PUBLIC.replace("whpk", "WHPK"),
        "lone \ud800 surrogate",
    ],
)
def test_a_malformed_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(WebhookSecretError) as raised:
        verifying_keys(secret)
    told = "".join(traceback.format_exception(raised.value))
    rest = secret.strip().partition("_")[2]
    assert not rest or rest not in told


def test_a_public_key_cannot_sign() -> None:
    with pytest.raises(WebhookSecretError, match="is a public key"):
        signing_key(ITS_PUBLIC)


def test_bytes_are_no_secret() -> None:
    with pytest.raises(WebhookSecretError, match="must be a text"):
        signing_key(ITS_PUBLIC.encode())  # type: ignore[arg-type]


def test_no_secret_at_all_verifies_nothing() -> None:
    with pytest.raises(WebhookSecretError, match="is missing"):
        verifying_keys([])


@pytest.mark.parametrize("show", [repr, str], ids=["repr", "str"])
@pytest.mark.parametrize("secret", [SHARED, PRIVATE, "a text of the user's"])
def test_a_key_does_not_show_what_it_holds(secret: str, show: Callable[[object], str]) -> None:
    assert show(signing_key(secret)) in ("SharedKey()", "PrivateKey()")
