"""What is sent, and what comes back from receivers that behave."""

import asyncio
import gzip

import pytest

from framework_m.adapters.webhooks.egress import Egress
from framework_m.adapters.webhooks.exchange import EgressLimits
from framework_m.adapters.webhooks.places import Places
from framework_m.core.errors import EgressFailedError, EgressRefusedError
from framework_m.core.interfaces.webhook_sender import OutgoingRequest
from tests.adapters.webhooks.conftest import EgressFactory
from tests.support.receivers import Conversation, answering, hanging, receiving

OURS = {"Content-Type": "application/json", "webhook-id": "msg_1"}


def head(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    names = [line.partition(":")[0].lower() for line in lines]
    assert len(names) == len(set(names)), "a header is there twice"
    return dict(zip(names, (line.partition(": ")[2] for line in lines), strict=True))


async def test_what_is_asked_for_is_what_goes_over_the_wire(egress: Egress) -> None:
    async with receiving(answering()) as receiver:
        answer = await egress.send(
            OutgoingRequest(
                f"{receiver.url}?key=a%20b%26c",
                b'{"a": 1}',
                method="PUT",
                headers=OURS,
                user_headers={"Authorization": "Bearer abc", "X-Team": "ops"},
            )
        )
    assert answer.error is None
    [request] = receiver.requests
    assert request.startswith(b"PUT /in?key=a%20b%26c HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"a": 1}')
    assert head(request) == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "content-length": "8",
        "webhook-id": "msg_1",
        "user-agent": "Framework-M",
        "accept-encoding": "identity",
        "authorization": "Bearer abc",
        "x-team": "ops",
    }


async def test_what_comes_back_is_told(egress: Egress) -> None:
    headers = b"X-Reason: s\xfc\xdf\r\nSet-Cookie: a=1\r\nContent-Length: 5\r\n"
    said = b"HTTP/1.1 422 No\r\n" + headers + b"\r\nnope!"
    async with receiving(answering(said)) as receiver:
        answer = await egress.send(OutgoingRequest(receiver.url, b"{}"))
    assert (answer.status, answer.body, answer.is_cut, answer.error) == (422, b"nope!", False, None)
    assert answer.header("x-reason") == "s\u00fc\u00df"
    assert answer.header("Set-Cookie") == "a=1"
    assert answer.header("location") is None


async def test_the_duration_is_that_of_the_exchange(egress_with: EgressFactory) -> None:
    ticks = iter([10.0, 10.25])
    egress = egress_with(now=lambda: next(ticks))
    async with receiving(answering()) as receiver:
        answer = await egress.send(OutgoingRequest(receiver.url, b"{}"))
    assert answer.duration == 0.25


async def test_a_connection_is_used_again_and_no_cookie_is(egress: Egress) -> None:
    cookie = b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\n\r\n"
    async with receiving(answering(cookie)) as receiver:
        for _ in range(3):
            assert (await egress.send(OutgoingRequest(receiver.url, b"{}"))).status == 204
    assert receiver.connections == 1
    assert all(b"cookie" not in request.lower() for request in receiver.requests)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "inside"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "upgrade"},
        {"Webhook-Signature": "v1,forged"},
        {"User-Agent": "another"},
        {"X-A": "a\r\nX-B: b"},
        {"X-A\r\nX-B": "b"},
    ],
)
async def test_headers_that_are_not_the_users_stop_the_request(
    egress: Egress, headers: dict[str, str]
) -> None:
    async with receiving(answering()) as receiver:
        request = OutgoingRequest(receiver.url, b"{}", headers=OURS, user_headers=headers)
        answer = await egress.send(request)
    assert isinstance(answer.error, EgressRefusedError)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "method", ["GET", "CONNECT", "POST / HTTP/1.1\r\nX: y\r\n\r\nPOST", "post"]
)
async def test_other_methods_are_refused(egress: Egress, method: str) -> None:
    async with receiving(answering()) as receiver:
        answer = await egress.send(OutgoingRequest(receiver.url, b"{}", method=method))
    assert isinstance(answer.error, EgressRefusedError)
    assert receiver.connections == 0


async def test_an_answer_of_exactly_the_limit_is_whole(egress: Egress) -> None:
    for length, cut in ((16384, False), (16385, True)):
        said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length
        async with receiving(answering(said)) as receiver:
            answer = await egress.send(OutgoingRequest(receiver.url, b"{}"))
        assert (len(answer.body), answer.is_cut, answer.error) == (16384, cut, None)


async def test_a_large_body_is_sent_as_one(egress: Egress) -> None:
    body = bytes(range(256)) * 10_000
    async with receiving(answering()) as receiver:
        answer = await egress.send(OutgoingRequest(receiver.url, body, headers=OURS))
    assert answer.error is None
    [request] = receiver.requests
    assert head(request)["content-length"] == str(len(body))
    assert "transfer-encoding" not in head(request)
    assert request.partition(b"\r\n\r\n")[2] == body


async def test_a_packed_answer_stays_packed(egress: Egress) -> None:
    packed = gzip.compress(b"hello")
    said = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with receiving(answering(said + packed)) as receiver:
        answer = await egress.send(OutgoingRequest(receiver.url, b"{}"))
    assert answer.body == packed


async def test_many_are_under_way_at_once_on_as_many_connections(egress: Egress) -> None:
    everybody_is_here = asyncio.Barrier(50)

    async def behave(talk: Conversation) -> None:
        await talk.request()
        await everybody_is_here.wait()
        await talk.say(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    async with receiving(behave) as receiver:
        request = OutgoingRequest(receiver.url, b"{}")
        answers = await asyncio.gather(*(egress.send(request) for _ in range(50)))
    assert {answer.status for answer in answers} == {204}
    assert receiver.connections == 50


async def test_a_host_that_hangs_keeps_no_other_waiting(egress_with: EgressFactory) -> None:
    egress = egress_with(EgressLimits(at_once=4, at_once_per_host=2))
    async with receiving(hanging()) as dead, receiving(answering(), host="127.0.0.2") as alive:
        waiting = [
            asyncio.create_task(egress.send(OutgoingRequest(dead.url, b"{}"))) for _ in range(20)
        ]
        await dead.asked.wait()
        for _ in range(5):
            assert (await egress.send(OutgoingRequest(alive.url, b"{}"))).status == 200
        assert dead.connections <= 2
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_places_forget_hosts_that_nobody_sends_to() -> None:
    places = Places(in_all=2, per_host=1)
    async with places.taken("a"), places.taken("b"):
        assert set(places._hosts) == {"a", "b"}
    assert places._hosts == {}


async def test_who_gives_up_leaves_no_connection_behind(egress: Egress) -> None:
    async with receiving(hanging()) as receiver:
        sending = asyncio.create_task(egress.send(OutgoingRequest(receiver.url, b"{}")))
        await receiver.asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await receiver.left.wait()


async def test_closing_ends_what_is_under_way_and_all_that_follows(egress: Egress) -> None:
    async with receiving(hanging()) as receiver:
        sending = asyncio.create_task(egress.send(OutgoingRequest(receiver.url, b"{}")))
        await receiver.asked.wait()
        await egress.close()
        assert isinstance((await sending).error, EgressFailedError)
        later = await egress.send(OutgoingRequest(receiver.url, b"{}"))
        assert isinstance(later.error, EgressFailedError)
    assert receiver.connections == 1


def test_a_request_shows_neither_its_body_nor_its_headers() -> None:
    request = OutgoingRequest(
        "https://a.example/", b"b0dy", headers={"webhook-signature": "s3cret"}
    )
    assert "b0dy" not in repr(request)
    assert "s3cret" not in repr(request)
