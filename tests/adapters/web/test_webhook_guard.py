"""A receiver in Litestar, over a real connection."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar, post, websocket
from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import JSONBody
from litestar.testing import TestClient

from framework_m.adapters.webhooks.ed25519 import CryptographyEd25519
from framework_m.core.webhooks.keys import (
    PrivateKey,
    new_private_key,
    new_secret,
    public_key_of,
    signing_key,
)
from framework_m.core.webhooks.signing import WebhookSigner
from framework_m.webhooks import WebhookSecretError, webhook_guard

ed25519 = CryptographyEd25519()
signer = WebhookSigner(ed25519)
SECRET = new_secret()
PRIVATE = new_private_key()
_private = signing_key(PRIVATE)
assert isinstance(_private, PrivateKey)
PUBLIC = public_key_of(_private, ed25519)
BODY = b'{"type": "invoice.paid"}'


class Receiver:
    """What arrived behind the guard."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def application(self) -> Litestar:
        guards = [webhook_guard([PUBLIC, SECRET])]

        @post("/hooks", guards=guards, request_max_body_size=1000)
        async def hook(data: JSONBody[dict[str, Any]]) -> None:
            self.seen.append(data)

        @websocket("/socket", guards=guards)
        async def stream(socket: WebSocket[Any, Any, Any]) -> None:
            await socket.accept()

        return Litestar([hook, stream], logging_config=None)


class Quiet(uvicorn.Server):
    """Leaves the signals of the test's process alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def client(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Quiet(uvicorn.Config(receiver.application(), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    await server.listening.wait()
    host, port = listener.getsockname()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
        yield client
    server.should_exit = True
    await serving


def signed(secret: str = SECRET, body: bytes = BODY, age: int = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    headers = signer.headers(signing_key(secret), "msg_1", at, body)
    return {"content-type": "application/json", **headers}


@pytest.mark.parametrize("secret", [SECRET, PRIVATE], ids=["v1", "v1a"])
async def test_a_handler_gets_what_was_verified(
    client: httpx.AsyncClient, receiver: Receiver, secret: str
) -> None:
    answer = await client.post("/hooks", content=BODY, headers=signed(secret))
    assert answer.status_code == 201
    assert receiver.seen == [{"type": "invoice.paid"}]


async def test_a_body_in_pieces_is_verified_as_a_whole(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for place in range(0, len(BODY), 5):
            yield BODY[place : place + 5]

    answer = await client.post("/hooks", content=pieces(), headers=signed())
    assert answer.status_code == 201
    assert receiver.seen == [{"type": "invoice.paid"}]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (dict, "there is no webhook-id"),
        (lambda: signed(new_secret()), "no signature matches"),
        (lambda: signed(body=b"{}"), "no signature matches"),
        (lambda: signed(age=400), "s ago"),
    ],
    ids=["nothing", "another secret", "another body", "old"],
)
async def test_all_else_is_refused_before_the_handler(
    client: httpx.AsyncClient,
    receiver: Receiver,
    headers: Callable[[], dict[str, str]],
    told: str,
) -> None:
    answer = await client.post("/hooks", content=BODY, headers=headers())
    assert answer.status_code == 401
    assert told in answer.json()["detail"]
    assert receiver.seen == []


async def test_a_header_that_comes_twice_is_refused(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    pairs = [*signed().items(), ("Webhook-Id", "msg_2")]
    answer = await client.post("/hooks", content=BODY, headers=pairs)
    assert answer.status_code == 401
    assert "webhook-id was sent more than once" in answer.json()["detail"]
    assert receiver.seen == []


async def test_a_body_over_the_routes_limit_is_not_read(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    body = b"[" + b" " * 2000 + b"]"
    answer = await client.post("/hooks", content=body, headers=signed(body=body))
    assert answer.status_code == 413
    assert receiver.seen == []


def test_a_socket_cannot_pass_for_a_webhook(receiver: Receiver) -> None:
    with (
        TestClient(receiver.application()) as client,
        pytest.raises(WebSocketDisconnect, match="as HTTP requests"),
        client.websocket_connect("/socket"),
    ):
        pass


def test_a_malformed_secret_is_found_when_the_application_is_built() -> None:
    with pytest.raises(WebhookSecretError):
        webhook_guard("whsec_")
