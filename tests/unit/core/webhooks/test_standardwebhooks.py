"""The library that most receivers verify with, and ours: each verifies what the other signed."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError as TheirError

from framework_m.adapters.webhooks.ed25519 import CryptographyEd25519
from framework_m.core.webhooks.keys import new_secret, signing_key
from framework_m.core.webhooks.signing import WebhookSigner
from framework_m.webhooks import WebhookVerificationError, verify

signer = WebhookSigner(CryptographyEd25519())

PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)
SECRETS = st.binary(min_size=24, max_size=64).map(
    lambda content: "whsec_" + base64.b64encode(content).decode()
)
IDS = st.from_regex(r"[!-\-/-~]{1,64}", fullmatch=True)


@given(payload=PAYLOADS, secret=SECRETS, webhook_id=IDS)
def test_theirs_verifies_what_we_sign(payload: Any, secret: str, webhook_id: str) -> None:
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = signer.headers(signing_key(secret), webhook_id, datetime.now(UTC), body)
    assert Webhook(secret).verify(body, headers) == payload


@given(payload=PAYLOADS, secret=SECRETS, webhook_id=IDS)
def test_ours_verifies_what_they_sign(payload: Any, secret: str, webhook_id: str) -> None:
    body = json.dumps(payload, ensure_ascii=False)
    now = datetime.now(UTC)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }
    assert verify(headers, body, secret) == payload


@given(secret=st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: "x" + text))
def test_a_secret_of_the_users_own_is_its_bytes_for_them(secret: str) -> None:
    headers = signer.headers(signing_key(secret), "msg_1", datetime.now(UTC), b"{}")
    assert Webhook(secret.encode()).verify(b"{}", headers) == {}


def test_theirs_verifies_with_either_secret_while_they_change() -> None:
    old, new = new_secret(), new_secret()
    keys = [signing_key(new), signing_key(old)]
    headers = signer.headers(keys, "msg_1", datetime.now(UTC), b"{}")
    for secret in (old, new):
        assert Webhook(secret).verify(b"{}", headers) == {}


def test_both_refuse_another_body() -> None:
    secret = new_secret()
    headers = signer.headers(signing_key(secret), "msg_1", datetime.now(UTC), b"{}")
    with pytest.raises(TheirError):
        Webhook(secret).verify(b"[]", headers)
    with pytest.raises(WebhookVerificationError):
        verify(headers, b"[]", secret)
