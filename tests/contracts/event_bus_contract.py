"""What every event bus promises."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from framework_m import Backoff, BaseEvent, DocCreated
from framework_m.core.errors import InvalidEventError, TopicError
from framework_m.core.events.envelope import read
from framework_m.core.interfaces.event_bus import DeliveryTerms, ReceivedEvent
from tests.support.events import Heard, Paid, Plain
from tests.support.harness import Harness, until

AT_ONCE = Backoff(min=0, max=0)


class Boom(Exception):
    """Raised to leave a transaction."""


def event(topic: str = "test.a", **fields: object) -> BaseEvent:
    return BaseEvent.model_validate({"event_type": topic, **fields})


def of(document: str, number: int, topic: str = "test.doc") -> BaseEvent:
    return event(topic, doctype="Doc", doc_id=document, data={"n": number})


def numbers(heard: Heard, document: str) -> list[int]:
    """The numbers of one document's events, as often as they were begun, in order."""
    found = [read(received.message, BaseEvent) for received in heard.received]
    return [it.data["n"] for it in found if it.doc_id == document]


class EventBusContract:
    """Subclass it with a `harness` fixture."""

    @pytest.fixture
    def heard(self) -> Heard:
        return Heard()

    async def test_a_group_hears_what_is_published(self, harness: Harness, heard: Heard) -> None:
        await harness.app.events.subscribe("test.*", heard, group="g")
        first = event(data={"text": "Ünïcode \x00 \U0001f600"}, user_id="ada", source="shop/é %")
        await harness.app.publish(first)
        await heard.count(1)
        [received] = heard.received
        assert read(received.message, BaseEvent) == first
        assert (received.group, received.attempt) == ("g", 1)

    async def test_a_broadcast_hears_what_is_published(
        self, harness: Harness, heard: Heard
    ) -> None:
        await harness.app.events.subscribe("test.a", heard)
        sent = [event(), event()]
        for one in sent:
            await harness.app.publish(one)
        assert await heard.count(2) == [one.id for one in sent]

    async def test_the_bus_takes_events_of_no_transaction(
        self, harness: Harness, heard: Heard
    ) -> None:
        await harness.app.events.subscribe("other.topic", heard, group="g")
        sent = [event() for _ in range(50)]
        bus = harness.app.events.bus
        await asyncio.gather(*(bus.publish("other.topic", one) for one in sent))
        assert sorted(await heard.count(50)) == sorted(one.id for one in sent)

    async def test_own_types_come_back_as_what_they_were(
        self, harness: Harness, heard: Heard
    ) -> None:
        await harness.app.events.subscribe(">", heard, group="g")
        paid = Paid(
            amount=Decimal("10.50"), doctype="Invoice", doc_id="1", source="shop", data={"a": [1]}
        )
        created = DocCreated(doctype="Todo", doc_id="T-1", source="shop")
        await harness.app.publish(paid)
        await harness.app.publish(created)
        await harness.app.publish(Plain(number=7), "plain.seven")
        await heard.count(3)
        by_topic = {received.message.topic: received.message for received in heard.received}
        assert read(by_topic["invoice.paid"], Paid) == paid
        assert read(by_topic["invoice.paid"], BaseEvent).data == {"a": [1], "amount": "10.50"}
        assert read(by_topic["doc.created"], DocCreated) == created
        assert read(by_topic["plain.seven"], BaseEvent).data == {"number": 7}

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("a.b", {"a.b"}),
            ("a.*", {"a.b", "a.c"}),
            ("*.b", {"a.b"}),
            ("a.>", {"a.b", "a.c", "a.b.c"}),
            (">", {"a", "a.b", "a.c", "a.b.c"}),
        ],
    )
    async def test_wildcards(
        self, harness: Harness, heard: Heard, pattern: str, expected: set[str]
    ) -> None:
        live = Heard()
        await harness.app.events.subscribe(pattern, heard, group="g")
        await harness.app.events.subscribe(pattern, live)
        for topic in ("a", "a.b", "a.c", "a.b.c"):
            await harness.app.publish(event(topic))
        await heard.count(len(expected))
        await live.count(len(expected))
        assert {received.message.topic for received in heard.received} == expected
        assert {received.message.topic for received in live.received} == expected

    async def test_a_rollback_is_heard_by_nobody(self, harness: Harness, heard: Heard) -> None:
        await harness.app.events.subscribe("test.a", heard, group="g")
        with pytest.raises(Boom):
            async with harness.app.transaction() as tx:
                await tx.publish(event())
                await harness.app.publish(event())
                raise Boom
        async with harness.app.transaction() as tx:
            with pytest.raises(Boom):
                async with tx.nested() as inner:
                    await inner.publish(event())
                    raise Boom
            last = event()
            await tx.publish(last)
        assert await heard.count(1) == [last.id]

    async def test_nothing_is_heard_before_the_commit(self, harness: Harness, heard: Heard) -> None:
        await harness.app.events.subscribe("test.a", heard, group="g")
        async with harness.app.transaction() as tx:
            await tx.publish(event())
            # Give a bus that does not wait for the commit its chance to show itself.
            await asyncio.sleep(0.05)
            assert heard.received == []
        await heard.count(1)

    async def test_members_of_a_group_share_its_events(self, harness: Harness) -> None:
        members = [Heard(), Heard()]
        for member in members:
            await harness.app.events.subscribe("test.a", member, group="g")
        sent = [event() for _ in range(100)]
        await harness.app.events.publish_many(sent)

        async def all_handled() -> bool:
            return sum(len(member.handled) for member in members) >= len(sent)

        await until(all_handled)
        handled = [event_id for member in members for event_id in member.handled]
        assert sorted(handled) == sorted(one.id for one in sent)

    async def test_every_group_and_every_broadcast_hears_every_event(
        self, harness: Harness
    ) -> None:
        everyone = [Heard() for _ in range(4)]
        for heard, group in zip(everyone, ("a", "b", None, None), strict=True):
            await harness.app.events.subscribe("test.a", heard, group=group)
        sent = [event() for _ in range(20)]
        await harness.app.events.publish_many(sent)
        for heard in everyone:
            assert sorted(await heard.count(20)) == sorted(one.id for one in sent)

    async def test_a_group_without_members_keeps_its_events(
        self, harness: Harness, heard: Heard
    ) -> None:
        first = await harness.app.events.subscribe("test.a", heard, group="g")
        await harness.app.events.unsubscribe(first)
        sent = [event() for _ in range(3)]
        await harness.app.events.publish_many(sent)
        await harness.app.events.subscribe("test.a", heard, group="g")
        assert sorted(await heard.count(3)) == sorted(one.id for one in sent)

    async def test_an_event_whose_handler_raised_comes_again_alone(
        self, harness: Harness, heard: Heard
    ) -> None:
        bad, good = event(), event()
        heard.fails = lambda r: r.message.event_id == bad.id and r.attempt < 3
        terms = DeliveryTerms(backoff=AT_ONCE)
        await harness.app.events.subscribe("test.a", heard, group="g", terms=terms)
        await harness.app.events.publish_many([bad, good])
        await heard.count(2)
        attempts = [r.attempt for r in heard.received if r.message.event_id == bad.id]
        assert attempts == [1, 2, 3]
        assert [r.attempt for r in heard.received if r.message.event_id == good.id] == [1]

    async def test_after_its_attempts_an_event_is_a_dead_letter_and_can_be_redriven(
        self, harness: Harness, heard: Heard
    ) -> None:
        events = harness.app.events
        heard.fails = lambda _: True
        terms = DeliveryTerms(max_attempts=2, backoff=AT_ONCE)
        other = Heard()
        await events.subscribe("test.a", heard, group="g", terms=terms)
        await events.subscribe("test.a", other, group="other")
        bad = event(data={"x": 1}, doctype="Doc", doc_id="1", source="shop")
        await harness.app.publish(bad)

        [letter] = await until(events.dead)
        assert (letter.group, letter.event_id, letter.attempts) == ("g", bad.id, 2)
        assert letter.error == "RuntimeError: told to fail"
        assert letter.message is not None
        assert read(letter.message, BaseEvent) == bad
        heard.fails = lambda _: False
        await events.redrive(letter.id)
        assert await heard.count(1) == [bad.id]
        assert await events.dead() == []
        assert other.handled == [bad.id], "only its own group hears it again"
        await harness.app.publish(event())
        await heard.count(2)

    async def test_only_so_many_are_handled_at_once(self, harness: Harness, heard: Heard) -> None:
        heard.gate = asyncio.Event()
        terms = DeliveryTerms(concurrency=3)
        await harness.app.events.subscribe("test.a", heard, group="g", terms=terms)
        await harness.app.events.publish_many([event() for _ in range(10)])
        await heard.until(lambda h: h.running == 3)
        heard.gate.set()
        await heard.count(10)
        assert heard.most_running == 3

    async def test_an_ordered_group_keeps_the_order_of_each_document(
        self, harness: Harness, heard: Heard
    ) -> None:
        await harness.app.events.subscribe("test.doc", heard, group="g", ordered=True)
        for n in range(10):
            async with harness.app.transaction() as tx:
                for document in ("a", "b", "c"):
                    await tx.publish(of(document, n))
        await heard.count(30)
        for document in ("a", "b", "c"):
            assert numbers(heard, document) == list(range(10))

    async def test_in_an_ordered_group_a_failing_event_holds_back_its_own_document_only(
        self, harness: Harness, heard: Heard
    ) -> None:
        stuck = True

        def fails(received: ReceivedEvent) -> bool:
            found = read(received.message, BaseEvent)
            return stuck and found.doc_id == "a" and found.data["n"] == 0

        heard.fails = fails
        terms = DeliveryTerms(max_attempts=1000, backoff=Backoff(min=0.02, max=0.02))
        await harness.app.events.subscribe("test.doc", heard, group="g", ordered=True, terms=terms)
        sent = [of(document, n) for n in range(5) for document in ("a", "b")]
        await harness.app.events.publish_many(sent)
        await heard.count(5)
        assert numbers(heard, "b") == list(range(5))
        assert set(numbers(heard, "a")) == {0}
        stuck = False
        await heard.count(10)
        assert [n for n in numbers(heard, "a") if n] == [1, 2, 3, 4]

    async def test_a_dead_letter_releases_those_behind_it(
        self, harness: Harness, heard: Heard
    ) -> None:
        heard.fails = lambda r: read(r.message, BaseEvent).data["n"] == 0
        terms = DeliveryTerms(max_attempts=1)
        await harness.app.events.subscribe("test.doc", heard, group="g", ordered=True, terms=terms)
        await harness.app.events.publish_many([of("a", n) for n in range(3)])
        await heard.count(2)
        assert numbers(heard, "a") == [0, 1, 2]

    async def test_replay_from_a_sequence_and_from_a_time(self, harness: Harness) -> None:
        events = harness.app.events
        first = Heard()
        await events.subscribe("test.a", first, group="first")
        sent = [event() for _ in range(3)]
        await harness.app.publish(sent[0])
        await first.count(1)
        first_at = datetime.now(UTC)
        moment = first_at + timedelta(milliseconds=2)
        await until(lambda: _is_past(moment))
        await harness.app.publish(sent[1])
        await first.count(2)
        await harness.app.publish(sent[2])
        await first.count(3)
        second = first.received[1].sequence
        for start in (1, second, moment):
            for group in ("g", None):
                heard = Heard()
                name = group and f"g{type(start).__name__}{start if start == 1 else ''}"
                await events.subscribe("test.a", heard, group=name, start=start)
                expected = sent if start == 1 else sent[1:]
                handled = await heard.count(len(expected))
                assert sorted(handled) == sorted(one.id for one in expected), (start, group)

    async def test_the_same_event_twice_is_delivered_once(
        self, harness: Harness, heard: Heard
    ) -> None:
        await harness.app.events.subscribe("test.a", heard, group="g")
        twice, last = event(), event()
        await harness.app.publish(twice)
        await heard.count(1)
        await harness.app.publish(twice)
        await harness.app.publish(last)
        await heard.count(2)
        assert heard.handled == [twice.id, last.id]

    async def test_what_cannot_be_published_is_refused_at_once(self, harness: Harness) -> None:
        events = harness.app.events
        with pytest.raises(InvalidEventError, match="topic: is needed"):
            await events.publish(Plain(number=1))
        with pytest.raises(InvalidEventError, match="data"):
            await events.publish(event(data=object()))
        with pytest.raises(InvalidEventError, match="amount"):
            await events.publish(Paid.model_construct(**dict(event()), amount=Decimal(-1)))
        with pytest.raises(InvalidEventError, match=r"data\.amount: is a field of the event"):
            await events.publish(Paid(amount=Decimal(1), data={"amount": 1}))
        with pytest.raises(InvalidEventError, match="more than 500000"):
            await events.publish(event(data="x" * 500_001))
        with pytest.raises(InvalidEventError, match="is no pydantic model"):
            await events.publish("text", "a.b")  # type: ignore[arg-type]
        for topic in ("", "a..b", "a b", "a.*", ">", "ü", "a." * 200):
            with pytest.raises(TopicError):
                await events.publish(event(), topic)
        for pattern in ("", "a.>.b", "a b", "*a"):
            with pytest.raises(TopicError):
                await events.subscribe(pattern, Heard())

    @pytest.mark.parametrize("ordered", [False, True])
    async def test_a_group_that_is_forgotten_keeps_nothing(
        self, harness: Harness, heard: Heard, ordered: bool
    ) -> None:
        events = harness.app.events
        made = await events.subscribe("test.doc", heard, group="g", ordered=ordered)
        await events.bus.publish("test.doc", of("A", 1))
        await heard.count(1)
        await events.unsubscribe(made)
        await events.bus.publish("test.doc", of("A", 2))
        assert await events.forget_group("g")
        assert not await events.forget_group("g")
        assert "g" not in await events.groups()
        await events.subscribe("test.doc", heard, group="g", ordered=ordered)
        await events.bus.publish("test.doc", of("A", 3))
        await heard.count(2)
        assert numbers(heard, "A") == [1, 3]

    async def test_lag_counts_what_a_group_has_still_to_handle(
        self, harness: Harness, heard: Heard
    ) -> None:
        made = await harness.app.events.subscribe("test.a", heard, group="g")
        await harness.app.events.unsubscribe(made)
        await harness.app.events.publish_many([event() for _ in range(4)])
        bus = harness.app.events.bus

        async def lag(expected: int) -> bool:
            return (await bus.lag())["g"] == expected

        await until(lambda: lag(4))
        await harness.app.events.subscribe("test.a", heard, group="g")
        await until(lambda: lag(0))

    async def test_a_stopping_member_lets_running_handlers_end(
        self, harness: Harness, heard: Heard
    ) -> None:
        heard.gate = asyncio.Event()
        made = await harness.app.events.subscribe("test.a", heard, group="g")
        await harness.app.publish(event())
        await heard.until(lambda h: h.running == 1)
        stopping = asyncio.create_task(harness.app.events.unsubscribe(made))
        await asyncio.sleep(0)
        heard.gate.set()
        await stopping
        assert len(heard.handled) == 1
        await until(lambda: _has_no_lag(harness, "g"))  # a server takes acknowledgements in time


async def _has_no_lag(harness: Harness, group: str) -> bool:
    return (await harness.app.events.bus.lag())[group] == 0


async def _is_past(moment: datetime) -> bool:
    return datetime.now(UTC) > moment
