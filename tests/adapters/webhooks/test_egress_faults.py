"""Receivers that misbehave: the right error, in bounded time, with bounded memory."""

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import trustme
import uvloop

from framework_m.adapters.webhooks.egress import Egress
from framework_m.adapters.webhooks.exchange import EgressLimits
from framework_m.core.errors import EgressFailedError, EgressTimeoutError
from framework_m.core.interfaces.webhook_sender import Answer, OutgoingRequest
from framework_m.core.webhooks.addresses import Address
from tests.adapters.webhooks.conftest import LOCAL, EgressFactory
from tests.support.receivers import (
    ENDLESS,
    OK,
    Behaviour,
    Conversation,
    answering,
    bomb,
    deaf,
    hanging,
    huge,
    receiving,
    repeating,
    resetting,
    resetting_in_the_middle,
    saying_once,
)

SHORT = EgressLimits(total=0.4, connect=0.3, first_byte=0.3)
GENEROUS = EgressLimits(total=60)
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin"

TOO_SLOW: dict[str, tuple[Behaviour, int | None]] = {
    "reads nothing": (deaf, None),
    "says nothing": (hanging(), None),
    "stops in its first line": (hanging(b"HTTP/1.1 2"), None),
    "stops in its headers": (hanging(b"HTTP/1.1 200 OK\r\nX-A: b"), None),
    "drips its headers": (repeating(b"HTTP/1.1 200 OK\r\nX-A: ", b"b", 0.02), None),
    "stops after its headers": (hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), 200),
    "stops in its body": (hanging(BEGUN), 200),
    "drips its body": (repeating(BEGUN, b"x", 0.02), 200),
    "drips its chunks": (repeating(ENDLESS, b"1\r\nx\r\n", 0.02), 200),
    "drips the size of a chunk": (repeating(ENDLESS, b"0", 0.02), 200),
    "never ends its trailers": (hanging(ENDLESS + b"0\r\nX-A: b"), 200),
}

NO_HTTP: dict[str, tuple[Behaviour, int | None]] = {
    "closes at once": (saying_once(b""), None),
    "resets": (resetting, None),
    "is another protocol": (saying_once(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), None),
    "is an older protocol": (saying_once(b"<html>hello</html>\r\n\r\n"), None),
    "has no status": (saying_once(b"HTTP/1.1 OK\r\n\r\n"), None),
    "has two lengths": (
        saying_once(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        None,
    ),
    "has a length that is none": (
        saying_once(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        None,
    ),
    "has a line too long": (saying_once(b"HTTP/1.1 200 " + b"O" * 20_000 + b"\r\n\r\n"), None),
    "has a header too long": (
        saying_once(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 20_000 + b"\r\n\r\n"),
        None,
    ),
    "has too many headers": (
        saying_once(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
        None,
    ),
    "never ends its headers": (repeating(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 500), None),
    "never ends a header": (repeating(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 5000), None),
    "is always about to begin": (
        repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        None,
    ),
    "ends too early": (saying_once(BEGUN), 200),
    "resets in its body": (resetting_in_the_middle, 200),
    "has no chunk where one should be": (saying_once(ENDLESS + b"zz\r\nhello\r\n"), None),
    "ends in a chunk": (saying_once(ENDLESS + b"ff\r\nhello"), 200),
}


async def answer_of(
    egress_with: EgressFactory, behaviour: Behaviour, limits: EgressLimits
) -> Answer:
    """What comes of it, when the receiver has seen the connection end."""
    egress = egress_with(limits)
    async with asyncio.timeout(30), receiving(behaviour) as receiver:
        answer = await egress.send(OutgoingRequest(f"{receiver.url}?key=t0ken", b"{}"))
        if behaviour is not deaf:  # it does not hear that either
            await receiver.left.wait()
    assert receiver.connections == 1
    assert answer.error is None or "t0ken" not in str(answer.error)
    return answer


@pytest.mark.parametrize(("behaviour", "status"), TOO_SLOW.values(), ids=TOO_SLOW)
async def test_a_receiver_that_takes_too_long(
    egress_with: EgressFactory, behaviour: Behaviour, status: int | None
) -> None:
    answer = await answer_of(egress_with, behaviour, SHORT)
    assert isinstance(answer.error, EgressTimeoutError), answer
    assert answer.status == status
    if answer.body:
        assert answer.body.strip(b"x") in (b"begin", b"")


@pytest.mark.parametrize(("behaviour", "status"), NO_HTTP.values(), ids=NO_HTTP)
async def test_a_receiver_that_breaks_off_or_speaks_no_http(
    egress_with: EgressFactory, behaviour: Behaviour, status: int | None
) -> None:
    answer = await answer_of(egress_with, behaviour, GENEROUS)
    assert isinstance(answer.error, EgressFailedError), answer
    assert isinstance(answer.error.__cause__, Exception)
    assert answer.status == status


async def test_what_had_come_of_an_answer_that_broke_off_is_told(
    egress_with: EgressFactory,
) -> None:
    answer = await answer_of(egress_with, saying_once(BEGUN), GENEROUS)
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"begin", "100")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_attempt_is_one_request(egress_with: EgressFactory, method: str) -> None:
    async with receiving(resetting) as receiver:
        answer = await egress_with().send(OutgoingRequest(receiver.url, b"{}", method=method))
    assert isinstance(answer.error, EgressFailedError)
    assert len(receiver.requests) == 1


async def test_a_name_that_nobody_answers_for(egress_with: EgressFactory) -> None:
    async def silence(host: str) -> Sequence[Address]:
        await asyncio.Event().wait()
        raise AssertionError

    egress = egress_with(SHORT, lookup=silence)
    answer = await egress.send(OutgoingRequest("https://hooks.example/", b"{}"))
    assert isinstance(answer.error, EgressTimeoutError)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), None])
async def test_a_name_that_leads_nowhere(egress_with: EgressFactory, error: OSError | None) -> None:
    asked = []

    async def nothing(host: str) -> Sequence[Address]:
        asked.append(host)
        await asyncio.sleep(0)  # as any lookup does; from Python 3.12 on, aiohttp begins at once
        if error is not None:
            raise error
        return []

    egress = egress_with(lookup=nothing)
    request = OutgoingRequest("https://B\u00fccher.example./", b"{}")
    answers = await asyncio.gather(*(egress.send(request) for _ in range(3)))
    for answer in answers:
        assert isinstance(answer.error, EgressFailedError)
        assert str(answer.error) == "xn--bcher-kva.example: its name has no address"
    assert asked == ["xn--bcher-kva.example"], "one lookup is enough for all"


async def test_nobody_listens(egress_with: EgressFactory) -> None:
    async with receiving(answering()) as receiver:
        url = receiver.url
    answer = await egress_with().send(OutgoingRequest(url, b"{}"))
    assert isinstance(answer.error, EgressFailedError)
    assert "refused" in str(answer.error)
    assert str(receiver.port) not in str(answer.error)


async def test_a_request_has_a_timeout_of_its_own(egress_with: EgressFactory) -> None:
    async with receiving(hanging()) as receiver:
        answer = await egress_with().send(OutgoingRequest(receiver.url, b"{}", timeout=0.1))
    assert isinstance(answer.error, EgressTimeoutError)


async def test_an_upgrade_that_nobody_asked_for_is_an_answer(egress_with: EgressFactory) -> None:
    said = (
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n" + b"x" * 500
    )
    answer = await answer_of(egress_with, hanging(said), SHORT)
    assert answer.status == 101


async def test_a_request_that_nobody_reads_ends_in_time(egress_with: EgressFactory) -> None:
    async with receiving(deaf) as receiver:
        answer = await egress_with(SHORT).send(OutgoingRequest(receiver.url, b"x" * 50_000_000))
    assert isinstance(answer.error, EgressTimeoutError)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


FLOODS: dict[str, Behaviour] = {
    "a huge body": huge(),
    "a body without end": repeating(ENDLESS, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "a body until the end": repeating(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
    "chunks of one byte": repeating(ENDLESS, b"1\r\nx\r\n" * 10_000),
    "a chunk's extension without end": repeating(ENDLESS + b"1;a=", b"b" * 65536),
    "trailers without end": repeating(ENDLESS + b"0\r\n", b"X-A: b\r\n" * 5000),
    "headers without end": repeating(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 5000),
    "a header without end": repeating(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 65536),
    "a first line without end": repeating(b"HTTP/1.1 200 ", b"b" * 65536),
    "beginnings without end": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "answers without end": repeating(b"", b"HTTP/1.1 204 No Content\r\n\r\n" * 2000),
    "a bomb": bomb(),
}
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
WHOLE = (FLOODS["a bomb"], FLOODS["answers without end"])


async def many_floods(behaviour: Behaviour) -> int:
    """The most memory that was held, in bytes, beyond what is made once."""
    egress = Egress(LOCAL, limits=EgressLimits(total=1.0))
    async with asyncio.timeout(60), receiving(behaviour) as receiver:
        request = OutgoingRequest(receiver.url, b"{}")
        await egress.send(request)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        answers = await asyncio.gather(*(egress.send(request) for _ in range(5)))
        _, peak = tracemalloc.get_traced_memory()
        await egress.close()
    for answer in answers:
        assert len(answer.body) <= 16384
        assert sum(len(n) + len(v) for n, v in answer.headers) <= 16384
        assert answer.is_cut or answer.error is not None or behaviour in WHOLE
    return peak - before


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("behaviour", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_not_held(
    loop: Callable[[], asyncio.AbstractEventLoop], behaviour: Behaviour
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        held = runner.run(many_floods(behaviour))
    assert held < 5 * 5_000_000, "what one read of a socket can become, at most"


async def test_an_answer_that_nobody_asked_for_ends_the_connection(
    egress_with: EgressFactory,
) -> None:
    first_has_ended = asyncio.Event()

    async def behave(talk: Conversation) -> None:
        await talk.request()
        await talk.say(OK)
        await first_has_ended.wait()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await talk.wait_for_the_end()

    egress = egress_with()
    async with receiving(behave) as receiver:
        first = await egress.send(OutgoingRequest(receiver.url, b"{}"))
        first_has_ended.set()
        await receiver.left.wait()
        second = await egress.send(OutgoingRequest(receiver.url, b"{}"))
    assert (first.body, second.body) == (b"ok", b"ok")
    assert receiver.connections == 2


async def test_the_rest_of_a_large_answer_is_never_fetched(egress_with: EgressFactory) -> None:
    said = 0

    async def behave(talk: Conversation) -> None:
        nonlocal said
        await talk.request()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await talk.say(b"x" * 65536)
            said += 65536

    answer = await answer_of(egress_with, behave, GENEROUS)
    assert (answer.status, answer.is_cut, answer.error) == (200, True, None)
    assert answer.body == b"x" * 16384
    assert said < 50_000_000, "what the buffers of two sockets take, at most"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


async def test_a_certificate_of_an_authority_in_the_file_is_good(
    egress_with: EgressFactory, authority: trustme.CA, ca_file: Path
) -> None:
    async with receiving(answering(), tls=certified(authority, "localhost")) as receiver:
        answer = await egress_with(ca_file=ca_file).send(OutgoingRequest(receiver.url, b"{}"))
    assert (answer.status, answer.error) == (200, None)


async def test_a_certificate_that_nobody_knows_is_not(
    egress_with: EgressFactory, authority: trustme.CA
) -> None:
    async with receiving(answering(), tls=certified(authority, "localhost")) as receiver:
        answer = await egress_with().send(OutgoingRequest(receiver.url, b"{}"))
    assert isinstance(answer.error, EgressFailedError)
    assert "certificate is not good" in str(answer.error)
    assert receiver.requests == []


async def test_a_certificate_for_another_host_is_not(
    egress_with: EgressFactory, authority: trustme.CA, ca_file: Path
) -> None:
    async with receiving(answering(), tls=certified(authority, "other.example")) as receiver:
        answer = await egress_with(ca_file=ca_file).send(OutgoingRequest(receiver.url, b"{}"))
    assert isinstance(answer.error, EgressFailedError)
    assert "certificate is not good" in str(answer.error)
    assert receiver.requests == []


async def test_a_receiver_without_tls_where_it_should_have_it(egress_with: EgressFactory) -> None:
    async with receiving(saying_once(b"")) as receiver:
        url = receiver.url.replace("http://", "https://")
        answer = await egress_with(SHORT).send(OutgoingRequest(url, b"{}"))
    assert isinstance(answer.error, (EgressFailedError, EgressTimeoutError))
    assert receiver.requests == []


async def test_a_handshake_that_never_ends(egress_with: EgressFactory) -> None:
    async with receiving(deaf) as receiver:
        url = receiver.url.replace("http://", "https://")
        answer = await egress_with(SHORT).send(OutgoingRequest(url, b"{}"))
    assert isinstance(answer.error, EgressTimeoutError)


async def test_an_old_tls_is_refused(
    egress_with: EgressFactory, authority: trustme.CA, ca_file: Path
) -> None:
    old = certified(authority, "localhost")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with receiving(answering(), tls=old) as receiver:
        answer = await egress_with(ca_file=ca_file).send(OutgoingRequest(receiver.url, b"{}"))
    assert isinstance(answer.error, EgressFailedError)
    assert receiver.requests == []
