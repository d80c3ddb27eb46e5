"""Nothing hostile is ever connected to: a listener on loopback counts."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest

from framework_m.adapters.webhooks import connector
from framework_m.adapters.webhooks.egress import Egress
from framework_m.adapters.webhooks.guard import GuardedSockets
from framework_m.core.errors import EgressRefusedError
from framework_m.core.interfaces.webhook_sender import Answer, OutgoingRequest
from framework_m.core.webhooks.addresses import Address
from framework_m.core.webhooks.url_policy import UrlPolicy
from tests.support.receivers import Receiver, answering, receiving
from tests.unit.core.webhooks.hostile import HOSTILE

STRICT = UrlPolicy(allow_http=True)

HOSTILE_ADDRESSES = [
    "127.0.0.1",
    "127.0.0.53",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "2002:7f00:1::1",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
]


class Names:
    """A resolver that says what it is told, and something else the next time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [[ip_address(text) for text in answer] for answer in answers]
        self.asked = 0

    async def __call__(self, host: str) -> Sequence[Address]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return answer


@asynccontextmanager
async def sending(policy: UrlPolicy = STRICT, names: Names | None = None) -> AsyncIterator[Egress]:
    egress = Egress(policy, lookup=names)
    try:
        yield egress
    finally:
        await egress.close()


@pytest.fixture
async def listener() -> AsyncIterator[Receiver]:
    """On all addresses of this machine."""
    async with receiving(answering(), host="0.0.0.0") as receiver:
        yield receiver


async def send(egress: Egress, url: str) -> Answer:
    return await egress.send(OutgoingRequest(url, b"{}"))


def at_port(url: str, port: int) -> str:
    """The same URL with the listener's port, where it has none."""
    found = re.match(r"http://[^/?#\\]*", url)
    if found is None or (":" in found[0][7:] and not found[0].endswith("]")):
        return url
    return f"{found[0]}:{port}{url[found.end() :]}"


async def test_the_listener_hears_whoever_is_not_guarded(listener: Receiver) -> None:
    for host in ("127.0.0.1", "127.1", "0x7f000001", "2130706433", "0", "localhost"):
        before = listener.connections
        _, writer = await asyncio.open_connection(host, listener.port)
        writer.close()
        await writer.wait_closed()
        assert listener.connections == before + 1, host


async def test_no_hostile_url_is_connected_to(listener: Receiver) -> None:
    async with sending() as egress:
        for url in HOSTILE:
            for form in dict.fromkeys((url, at_port(url, listener.port))):
                answer = await send(egress, form)
                assert isinstance(answer.error, EgressRefusedError), (form, answer)
    assert listener.connections == 0


async def test_no_name_leads_to_a_hostile_address(listener: Receiver) -> None:
    for text in HOSTILE_ADDRESSES:
        async with sending(names=Names([text])) as egress:
            answer = await send(egress, f"http://good.example:{listener.port}/")
            assert isinstance(answer.error, EgressRefusedError), (text, answer)
            assert "leads to" in str(answer.error)
    assert listener.connections == 0


async def test_names_that_lead_here_are_refused_by_the_systems_own_resolver(
    listener: Receiver,
) -> None:
    policy = UrlPolicy(allow=["192.0.2.1"], allow_http=True)  # so that the name alone says nothing
    async with sending(policy) as egress:
        answer = await send(egress, f"http://localhost:{listener.port}/")
    assert isinstance(answer.error, EgressRefusedError)
    assert listener.connections == 0


@pytest.fixture
def names_are_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "_NAMES_GOOD_FOR", -1)


@pytest.mark.usefixtures("names_are_forgotten_at_once")
async def test_a_name_that_is_rebound_is_not_followed() -> None:
    policy = UrlPolicy(allow=["127.0.0.2"], allow_http=True)
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with (
        receiving(answering(closing), host="127.0.0.2") as good,
        receiving(answering(), host="127.0.0.1", port=good.port) as bad,
        sending(policy, names) as egress,
    ):
        first = await send(egress, f"http://hooks.example:{good.port}/")
        second = await send(egress, f"http://hooks.example:{good.port}/")
    assert (first.status, first.error) == (200, None)
    assert isinstance(second.error, EgressRefusedError)
    assert names.asked == 2
    assert (good.connections, bad.connections) == (1, 0)


async def test_one_bad_answer_keeps_the_good_ones_from_being_dialled() -> None:
    policy = UrlPolicy(allow=["127.0.0.2"], allow_http=True)
    for answers in (["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"]):
        async with (
            receiving(answering(), host="127.0.0.2") as good,
            receiving(answering(), host="127.0.0.1", port=good.port) as bad,
            sending(policy, Names(answers)) as egress,
        ):
            answer = await send(egress, f"http://hooks.example:{good.port}/")
        assert isinstance(answer.error, EgressRefusedError), answers
        assert (good.connections, bad.connections) == (0, 0)


async def test_what_changes_after_it_was_judged_is_judged_again_when_it_is_dialled(
    listener: Receiver,
) -> None:
    class Fickle(list[Address]):
        """Good when it is judged, loopback when it is read again."""

        def __init__(self) -> None:
            super().__init__([ip_address("127.0.0.1")])
            self.read = 0

        def __iter__(self) -> Iterator[Address]:
            self.read += 1
            return iter([ip_address("93.184.215.14")] if self.read == 1 else list(self[:]))

    async def lookup(host: str) -> Sequence[Address]:
        return Fickle()

    egress = Egress(STRICT, lookup=lookup)
    answer = await send(egress, f"http://hooks.example:{listener.port}/")
    await egress.close()
    assert isinstance(answer.error, EgressRefusedError), answer
    assert "loopback" in str(answer.error)
    assert listener.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
async def test_the_sockets_refuse_also_when_nobody_has_judged_before(
    listener: Receiver, host: str
) -> None:
    unguarded = aiohttp.TCPConnector(socket_factory=GuardedSockets(STRICT))
    async with aiohttp.ClientSession(connector=unguarded) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"http://{host}:{listener.port}/")
    assert listener.connections == 0


async def test_an_allowed_name_leads_inside_and_others_do_not(listener: Receiver) -> None:
    policy = UrlPolicy(allow=["inside.example"], allow_http=True)
    async with sending(policy, Names(["127.0.0.1"])) as egress:
        allowed = await send(egress, f"http://inside.example:{listener.port}/")
        other = await send(egress, f"http://outside.example:{listener.port}/")
    assert (allowed.status, allowed.error) == (200, None)
    assert isinstance(other.error, EgressRefusedError)
    assert listener.connections == 1


async def test_the_second_of_several_good_addresses_is_tried(listener: Receiver) -> None:
    policy = UrlPolicy(allow_http=True, allow_private=True)
    async with sending(policy, Names(["::1", "127.0.0.1"])) as egress:
        answer = await send(egress, f"http://hooks.example:{listener.port}/")
    assert (answer.status, answer.error) == (200, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_are_not_followed(listener: Receiver, status: int) -> None:
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: http://127.0.0.1:{listener.port}/\r\n"
    policy = UrlPolicy(allow=["127.0.0.2"], allow_http=True)
    async with (
        receiving(
            answering(head.encode() + b"Content-Length: 0\r\n\r\n"), host="127.0.0.2"
        ) as moved,
        sending(policy) as egress,
    ):
        answer = await send(egress, moved.url)
    assert (answer.status, answer.error) == (status, None)
    assert answer.header("Location") == f"http://127.0.0.1:{listener.port}/"
    assert listener.connections == 0


async def test_the_environment_has_no_say(
    listener: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = f"http://127.0.0.1:{listener.port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.lower(), proxy)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    policy = UrlPolicy(allow=["127.0.0.2"], allow_http=True)
    async with (
        receiving(answering(), host="127.0.0.2") as receiver,
        sending(policy) as egress,
    ):
        answer = await send(egress, receiver.url)
    assert (answer.status, answer.error) == (200, None)
    assert b"authorization" not in receiver.requests[0].lower()
    assert listener.connections == 0
