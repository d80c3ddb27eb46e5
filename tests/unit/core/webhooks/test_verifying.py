"""What receivers verify: nothing passes that was not signed exactly so, and nothing is costly."""

import base64
import json
import string
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m import Secret
from framework_m.adapters.webhooks.ed25519 import CryptographyEd25519
from framework_m.core import clock
from framework_m.core.errors import WebhookSecretError, WebhookVerificationError
from framework_m.core.webhooks.keys import (
    PrivateKey,
    new_private_key,
    new_secret,
    public_key_of,
    signing_key,
    verifying_keys,
)
from framework_m.core.webhooks.signing import WebhookSigner
from framework_m.core.webhooks.verification import WebhookVerifier
from framework_m.testing import MovableClock
from framework_m.webhooks import verify

ed25519 = CryptographyEd25519()
signer = WebhookSigner(ed25519)

SHARED = new_secret()
PRIVATE = new_private_key()
_private = signing_key(PRIVATE)
assert isinstance(_private, PrivateKey)
PUBLIC = public_key_of(_private, ed25519)
PAIRS = pytest.mark.parametrize(
    ("secret", "verifier"),
    [(SHARED, SHARED), (PRIVATE, PUBLIC), ("a text of ours", "a text of ours")],
    ids=["whsec", "whpk", "text"],
)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
BODY = b'{"type":"invoice.paid","data":{"total":"10.50"}}'


def signed(
    *secrets: str, body: bytes = BODY, at: datetime = NOW, webhook_id: str = "msg_1"
) -> dict[str, str]:
    return signer.headers([signing_key(it) for it in secrets], webhook_id, at, body)


def refused(
    headers: Any, body: bytes | str = BODY, secret: Any = SHARED, **options: Any
) -> WebhookVerificationError:
    with pytest.raises(WebhookVerificationError) as raised:
        verify(headers, body, secret, **{"now": NOW, **options})
    return raised.value


@PAIRS
def test_what_was_signed_is_verified_and_read(secret: str, verifier: str) -> None:
    assert verify(signed(secret), BODY, verifier, now=NOW) == json.loads(BODY)


@given(body=st.binary(), webhook_id=st.from_regex(r"[!-\-/-~]{1,256}", fullmatch=True))
def test_any_bytes_are_verified_under_any_id(body: bytes, webhook_id: str) -> None:
    headers = signed(SHARED, PRIVATE, body=body, webhook_id=webhook_id)
    for secret in (SHARED, PUBLIC):
        verify(headers, body, secret, now=NOW, parse_json=False)


def _flipped(value: bytes, bit: int) -> bytes:
    place = bit % (8 * len(value))
    changed = bytearray(value)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


@PAIRS
@given(
    where=st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "body"]),
    bit=st.integers(min_value=0),
)
def test_one_bit_that_differs_is_refused(secret: str, verifier: str, where: str, bit: int) -> None:
    sent = {**{k: v.encode() for k, v in signed(secret).items()}, "body": BODY}
    sent[where] = _flipped(sent[where], bit)
    body = sent.pop("body")
    pairs = [(name.encode(), value) for name, value in sent.items()]
    # However far the time was moved by it.
    refused(pairs, body, verifier, tolerance=float("inf"), parse_json=False)


ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def test_a_signature_written_in_another_way_is_refused() -> None:
    for secret, verifier in ((SHARED, SHARED), (PRIVATE, PUBLIC)):
        headers = signed(secret)
        signature = headers["webhook-signature"]
        written = signature.rstrip("=")
        # The last letter has bits that stand for nothing.
        same = written[:-1] + ALPHABET[ALPHABET.index(written[-1]) + 1]
        same += "=" * (len(signature) - len(written))
        assert base64.b64decode(same.partition(",")[2]) == base64.b64decode(
            signature.partition(",")[2]
        )
        for other in (same, written, signature + "=", written + "\n=="):
            refused({**headers, "webhook-signature": other}, secret=verifier)


@PAIRS
def test_another_secret_is_refused(secret: str, verifier: str) -> None:
    for other in (new_secret(), "another text"):
        assert "no signature matches" in refused(signed(secret), secret=other).reason


def test_a_signature_counts_for_its_own_kind_of_key_only() -> None:
    # Who knows the public key alone must not be able to sign by HMAC with it.
    by_its_text = signer.sign(signing_key("x" + PUBLIC), "msg_1", NOW, BODY)
    by_ed25519 = signed(PRIVATE)["webhook-signature"]
    relabelled = by_ed25519.replace("v1a,", "v1,")
    for signature in (by_its_text, by_its_text.replace("v1,", "v1a,"), relabelled):
        refused({**signed(PRIVATE), "webhook-signature": signature}, secret=PUBLIC)


@pytest.mark.parametrize("spell", [str.title, str.upper, str.lower])
def test_names_of_headers_are_taken_in_any_case(spell: Callable[[str], str]) -> None:
    headers = {spell(name): value for name, value in signed(SHARED).items()}
    assert verify({"Host": "x", **headers}, BODY, SHARED, now=NOW)


def test_headers_may_be_pairs_of_bytes_as_servers_have_them() -> None:
    pairs = [(name.encode(), value.encode()) for name, value in signed(SHARED).items()]
    assert verify([(b"host", b"x"), *pairs], BODY, SHARED, now=NOW)


def test_while_secrets_change_either_side_may_have_both() -> None:
    old, new = new_secret(), new_secret()
    for secret in (old, new):
        assert verify(signed(new, old), BODY, secret, now=NOW)
        assert verify(signed(secret), BODY, [Secret(new), old], now=NOW)
    assert verify(signed(old), BODY, (PUBLIC, old), now=NOW)


def test_who_has_the_private_key_can_verify_with_it() -> None:
    assert verify(signed(PRIVATE), BODY, PRIVATE, now=NOW)


def test_signatures_of_kinds_that_are_not_known_are_passed_over() -> None:
    headers = signed(SHARED)
    several = f"v9,abc  nonsense , {headers['webhook-signature']} v1"
    assert verify({**headers, "webhook-signature": several}, BODY, SHARED, now=NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_what_is_a_little_old_or_early_passes(seconds: int) -> None:
    assert verify(signed(SHARED), BODY, SHARED, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(("seconds", "told"), [(301, "301 s ago"), (-301, "301 s ahead")])
def test_what_is_too_old_or_too_early_is_refused(seconds: int, told: str) -> None:
    error = refused(signed(SHARED), now=NOW + timedelta(seconds=seconds))
    assert told in error.reason


def test_the_tolerance_can_be_chosen() -> None:
    later = NOW + timedelta(days=400)
    assert verify(signed(SHARED), BODY, SHARED, now=later, tolerance=float("inf"))
    refused(signed(SHARED), now=NOW + timedelta(seconds=2), tolerance=1)
    refused(signed(SHARED), tolerance=float("nan"))


def test_the_time_is_the_clocks_unless_it_is_given() -> None:
    movable = MovableClock()
    movable.move_to(NOW)
    with clock.in_use(movable):
        assert verify(signed(SHARED), BODY, SHARED)
        movable.advance(hours=1)
        with pytest.raises(WebhookVerificationError, match="s ago"):
            verify(signed(SHARED), BODY, SHARED)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_is_missing_is_named(missing: str) -> None:
    headers = {name: value for name, value in signed(SHARED).items() if name != missing}
    assert refused(headers).reason == f"there is no {missing}"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_was_sent_twice_is_refused(name: str) -> None:
    headers = signed(SHARED)
    pairs = [*headers.items(), (name.title(), headers[name])]
    assert refused(pairs).reason == f"{name} was sent more than once"


def test_a_dot_cannot_be_moved_from_one_part_to_the_next() -> None:
    body = f"{int(NOW.timestamp())}.rest".encode()
    headers = signed(SHARED, body=body, webhook_id="msg")
    moved = {**headers, "webhook-id": f"msg.{headers['webhook-timestamp']}"}
    assert "without dots" in refused(moved, b"rest", parse_json=False).reason


HOSTILE = [
    "",
    " ",
    "\x00",
    "\x00" * 300,
    "é",
    "\u212aelvin",
    "\ud800",
    "\uff11\uff17",  # digits, and not ASCII
    "-1",
    "1e9",
    "1.5",
    "nan",
    "9" * 5000,
    "x" * 10_000_000,
    ",",
    "v1",
    "v1,",
    "v1a,",
    "v1a,AAAA",
    "v1a," + "A" * 86 + "==",
    " ".join(["v1,x"] * 2000),
    " ".join(f"v1a,{n}" for n in range(5000)),
    b"\xff\xfe",
    b"x" * 10_000_000,
    None,
    7,
    ["v1,x"],
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_hostile_headers_are_refused_and_not_repeated(name: str, value: Any) -> None:
    for secret in (SHARED, PUBLIC):
        error = refused({**signed(SHARED, PRIVATE), name: value}, secret=secret)
        assert len(error.reason) < 300


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["webhook-id", "Webhook-Timestamp", "webhook-signature", "x"]),
            st.text() | st.from_regex(r"v1a?,[A-Za-z0-9+/=]*"),
        )
    )
)
def test_no_headers_raise_anything_else(pairs: list[tuple[str, str]]) -> None:
    refused(pairs, secret=[SHARED, PUBLIC])


def test_names_of_headers_are_no_way_in() -> None:
    headers = signed(SHARED)
    odd = {"webhoo\u212a-id": headers.pop("webhook-id"), "x" * 10_000_000: "", "": ""}
    assert refused({**odd, **headers}).reason == "there is no webhook-id"


class Counting(CryptographyEd25519):
    """Knows how often a signature was checked, which reads the whole body."""

    def __init__(self) -> None:
        self.checked = 0

    def verify(self, public_key: bytes, content: bytes, signature: bytes) -> bool:
        self.checked += 1
        return super().verify(public_key, content, signature)


@pytest.mark.parametrize("sent", [16, 17, 40])
def test_no_more_than_sixteen_signatures_are_looked_at(sent: int) -> None:
    counting = Counting()
    verifier = WebhookVerifier(lambda: counting)
    wrong = [f"v1a,{base64.b64encode(bytes([n]) * 64).decode()}" for n in range(sent)]
    headers = {**signed(PRIVATE), "webhook-signature": " ".join(wrong)}
    with pytest.raises(WebhookVerificationError):
        verifier.verify(headers, BODY, verifying_keys(PUBLIC), tolerance=300, now=NOW.timestamp())
    assert counting.checked == (16 if sent == 16 else 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", None),
        (b"null", None),
        (b'"\xc3\xa9"', "é"),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_the_payload_is_the_json_of_the_body(body: bytes, told: Any) -> None:
    assert verify(signed(SHARED, body=body), body, SHARED, now=NOW) == told


@pytest.mark.parametrize(
    "body",
    [b"a=1&b=2", b"\xff", b"[" * 100_000, b"9" * 5000],
    ids=["form", "bytes", "deep", "long"],
)
def test_a_body_that_is_no_json_is_verified_and_named(body: bytes) -> None:
    headers = signed(SHARED, body=body)
    assert "no JSON" in refused(headers, body).reason
    assert verify(headers, body, SHARED, now=NOW, parse_json=False) is None


def test_a_body_may_be_text() -> None:
    body = '{"name":"Ünal"}'
    assert verify(signed(SHARED, body=body.encode()), body, SHARED, now=NOW) == {"name": "Ünal"}
    assert "not valid Unicode" in refused(signed(SHARED), "\ud800").reason


def test_a_body_that_was_parsed_is_a_mistake_of_the_receivers() -> None:
    with pytest.raises(TypeError, match="as it was received"):
        verify(signed(SHARED), json.loads(BODY), SHARED, now=NOW)


def test_a_malformed_secret_is_no_fault_of_the_sender() -> None:
    with pytest.raises(WebhookSecretError):
        verify(signed(SHARED), BODY, "whsec_", now=NOW)


def test_a_time_without_a_zone_is_a_mistake_of_the_receivers() -> None:
    with pytest.raises(ValueError, match="must be aware"):
        verify(signed(SHARED), BODY, SHARED, now=NOW.replace(tzinfo=None))


def test_no_reason_says_anything_of_the_secret() -> None:
    secret = "correct horse battery staple"
    error = refused(signed("another one"), secret=secret)
    told = "".join(traceback.format_exception(error))
    expected = signed(secret)["webhook-signature"]
    assert secret not in told
    assert expected.removeprefix("v1,") not in told
