"""npm's standardwebhooks, and ours: each verifies what the other signed."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framework_m.adapters.webhooks.ed25519 import CryptographyEd25519
from framework_m.core.webhooks.keys import new_private_key, new_secret, signing_key
from framework_m.core.webhooks.signing import WebhookSigner
from framework_m.webhooks import verify
from tests.support.node import node_program

BODIES = [
    "{}",
    '{"type":"invoice.paid","data":{"total":"10.50"}}',
    '["Ünal \U0001f600", "\\u0000"]',
]

signer = WebhookSigner(CryptographyEd25519())


@pytest.fixture(scope="session")
def node() -> Path:
    return node_program("standard_webhooks.mjs", "standardwebhooks@1")


def asked(program: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What npm's library says to each."""
    done = subprocess.run(
        ["node", str(program)],
        input="".join(f"{json.dumps(question)}\n" for question in questions),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def signed(body: str, *secrets: str) -> dict[str, str]:
    keys = [signing_key(secret) for secret in secrets]
    return signer.headers(keys, "msg_1", datetime.now(UTC), body.encode())


def test_theirs_verifies_what_we_sign(node: Path) -> None:
    secret = new_secret()
    told = asked(
        node,
        [{"key": secret, "verify": {"headers": signed(it, secret), "body": it}} for it in BODIES],
    )
    assert told == [{"payload": json.loads(body)} for body in BODIES]


def test_theirs_finds_its_signature_among_several(node: Path) -> None:
    old, new = new_secret(), new_secret()
    headers = signed("{}", new_private_key(), new, old)
    told = asked(
        node, [{"key": it, "verify": {"headers": headers, "body": "{}"}} for it in (old, new)]
    )
    assert told == [{"payload": {}}] * 2


def test_a_secret_of_the_users_own_is_raw_for_them(node: Path) -> None:
    secret = "Ünal's own"
    question = {"key": secret, "raw": True}
    [told] = asked(node, [{**question, "verify": {"headers": signed("{}", secret), "body": "{}"}}])
    assert told == {"payload": {}}


def test_theirs_refuses_another_body(node: Path) -> None:
    secret = new_secret()
    [told] = asked(node, [{"key": secret, "verify": {"headers": signed("{}", secret), "body": ""}}])
    assert told == {"error": "No matching signature found"}


def test_ours_verifies_what_they_sign(node: Path) -> None:
    secret, seconds = new_secret(), int(datetime.now(UTC).timestamp())
    told = asked(
        node,
        [
            {"key": secret, "sign": {"id": "msg_1", "seconds": seconds, "body": body}}
            for body in BODIES
        ],
    )
    for body, answer in zip(BODIES, told, strict=True):
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(seconds),
            "webhook-signature": answer["signature"],
        }
        assert verify(headers, body, secret) == json.loads(body)
