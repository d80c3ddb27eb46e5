"""Events a second on NATS, beside raw nats-py and FastStream in one run; latency; what an event
adds to a save; and the buses in a database.

FastStream has an environment of its own, `.venv-peers`, made when it is missing.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import SecretStr

from benchmarks.jobs import disposed, postgresql, sqlite
from framework_m import BaseEvent, DocType, FrameworkM, Settings
from framework_m.core.interfaces.event_bus import DeliveryTerms, ReceivedEvent
from framework_m.core.outage import pause
from tests.support import servers

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers"
COUNT = 20_000
AT_ONCE = 1000
ROUNDS = 3
PINGS = 600
SAVES = 100
BODY = {"text": "x" * 230}


class Loud(DocType):
    text: str = ""


class Quiet(DocType):
    text: str = ""

    class Meta:
        events = False


async def main() -> None:
    database, server = servers.own_postgres(), servers.own_nats()
    with disposed(database), disposed(server):
        settings = Settings(database_url=SecretStr(database.url), nats_url=SecretStr(server.url))
        app = FrameworkM([__name__], settings=settings)
        await app.migrate()
        async with app:
            await app.wait_until_ready()
            await _rates(app, server.url)
            await _latency(app)
            await _saves("NATS + PostgreSQL", app)
    for name, address in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with address() as own:
            app = FrameworkM([__name__], settings=own)
            await app.migrate()
            async with app:
                await _saves(name, app)
                published, consumed = await _publish_many(app), await _consume(app)
                print(f"{name:<22} publish {published:>8,.0f}/s   consume {consumed:>8,.0f}/s")


async def _rates(app: FrameworkM, url: str) -> None:
    ours: dict[str, list[float]] = {"publish": [], "publish_many": [], "consume": []}
    raw: dict[str, list[float]] = {"publish": [], "publish_many": [], "consume": []}
    for number in range(ROUNDS):  # by turns: what disturbs the one disturbs the other
        raw["publish_many"].append(await _raw_publish_many(url, number))
        raw["publish"].append(await _raw_publish(url, number))
        raw["consume"].append(await _raw_consume(url, number))
        ours["publish"].append(await _publish(app))
        ours["publish_many"].append(await _publish_many(app))
        ours["consume"].append(await _consume(app, 2 * COUNT))
    peer = await asyncio.to_thread(_faststream, url)
    print(f"{'NATS':<22} {'ours':>9} {'nats-py':>9} {'FastStream':>11}   events/s")
    for what, name, of in (
        ("publish_many", "publish, pipelined", "publish"),
        ("publish", f"publish, {AT_ONCE} callers", "publish"),
        ("consume", "consume in a group", "consume"),
    ):
        mine, plain, theirs = statistics.median(ours[what]), statistics.median(raw[what]), peer[of]
        print(
            f"{name:<22} {mine:>9,.0f} {plain:>9,.0f} {theirs:>11,.0f}"
            f"   {mine / plain:.2f} times nats-py, {mine / theirs:.2f} times FastStream"
        )


async def _publish(app: FrameworkM) -> float:
    """By so many callers at once, each waiting for its own."""
    bus, gate = app.events.bus, asyncio.Semaphore(AT_ONCE)

    async def publish() -> None:
        async with gate:
            await bus.publish("bench.a", BaseEvent(event_type="bench.a", data=BODY))

    return await _rate(lambda: _all(publish() for _ in range(COUNT)), COUNT)


async def _publish_many(app: FrameworkM) -> float:
    """A thousand at once; the next are made while these are under way."""

    async def publish() -> None:
        under_way: list[asyncio.Task[None]] = []
        for _ in range(COUNT // AT_ONCE):
            events = [BaseEvent(event_type="bench.a", data=BODY) for _ in range(AT_ONCE)]
            messages = [app.events.message(event) for event in events]
            under_way.append(asyncio.create_task(app.events.bus.publish_many(messages)))
            await asyncio.sleep(0)
            if len(under_way) > 2:
                await under_way.pop(0)
        await asyncio.gather(*under_way)

    return await _rate(publish, COUNT)


async def _consume(app: FrameworkM, count: int = COUNT) -> float:
    """By a new group that begins at the beginning of what was just published."""
    done, left = asyncio.Event(), count
    tail = asyncio.Event()
    last: list[int] = []

    async def see(received: ReceivedEvent) -> None:
        last.append(received.sequence or 0)
        tail.set()

    looking = await app.events.subscribe("bench.mark", see)
    await app.publish(BaseEvent(event_type="bench.mark"))
    await tail.wait()
    await app.events.unsubscribe(looking)

    async def handle(_: ReceivedEvent) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    group = f"g{time.monotonic_ns()}"
    terms = DeliveryTerms(concurrency=500)
    started = time.perf_counter()
    made = await app.events.subscribe(
        "bench.a", handle, group=group, start=last[0] - count, terms=terms
    )
    await done.wait()
    seconds = time.perf_counter() - started
    await app.events.unsubscribe(made)
    return count / seconds


async def _raw_publish(url: str, number: int) -> float:
    client = await nats.connect(url)
    jetstream, gate = client.jetstream(), asyncio.Semaphore(AT_ONCE)

    async def publish() -> None:
        async with gate:
            await jetstream.publish(f"raw{number}.b", json.dumps(BODY).encode())

    rate = await _rate(lambda: _all(publish() for _ in range(COUNT)), COUNT)
    await client.close()
    return rate


async def _raw_publish_many(url: str, number: int) -> float:
    client = await nats.connect(url)
    jetstream = client.jetstream(publish_async_max_pending=AT_ONCE)
    await jetstream.add_stream(name=f"raw{number}", subjects=[f"raw{number}.>"])

    async def publish() -> None:
        stored = [
            await jetstream.publish_async(f"raw{number}.a", json.dumps(BODY).encode())
            for _ in range(COUNT)
        ]
        await asyncio.gather(*stored)

    rate = await _rate(publish, COUNT)
    await client.close()
    return rate


async def _raw_consume(url: str, number: int) -> float:
    client = await nats.connect(url)
    jetstream = client.jetstream()
    config = ConsumerConfig(
        durable_name="c",
        filter_subject=f"raw{number}.a",
        ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=20_000,
    )
    await jetstream.add_consumer(f"raw{number}", config)
    subscription = await jetstream.pull_subscribe_bind("c", f"raw{number}")

    async def consume() -> None:
        left = COUNT
        while left:
            for message in await subscription.fetch(500):
                json.loads(message.data)
                await message.ack()
                left -= 1

    rate = await _rate(consume, COUNT)
    await client.close()
    return rate


async def _latency(app: FrameworkM) -> None:
    arrived: dict[str, float] = {}
    heard = asyncio.Event()

    async def handle(received: ReceivedEvent) -> None:
        arrived[received.message.event_id] = time.perf_counter()
        heard.set()

    made = await app.events.subscribe("bench.ping", handle, group=f"p{time.monotonic_ns()}")
    took: list[float] = []
    through_outbox: list[float] = []
    for number in range(2 * PINGS):
        event = BaseEvent(event_type="bench.ping", data=BODY)
        heard.clear()
        sent = time.perf_counter()
        if number % 2:
            await app.publish(event)
        else:
            await app.events.bus.publish("bench.ping", event)
        await heard.wait()
        (through_outbox if number % 2 else took).append(1000 * (arrived[event.id] - sent))
        await pause(0.002, asyncio.Event())
    await app.events.unsubscribe(made)
    for what, times in (("publish to handler", took), ("through the outbox", through_outbox)):
        cuts = statistics.quantiles(times, n=100)
        print(f"{what:<22} p50 {cuts[49]:.2f} ms   p99 {cuts[98]:.2f} ms")


async def _saves(name: str, app: FrameworkM) -> None:
    async with app.ports.database.begin() as connection:
        await connection.run_sync(app.ports.tables.metadata.create_all)
    loud, quiet = app.repository(Loud), app.repository(Quiet)
    times: dict[str, list[float]] = {"loud": [], "quiet": []}
    for _ in range(2 * ROUNDS):
        for kind, save in (
            ("quiet", lambda: quiet.save(Quiet(text="a"))),
            ("loud", lambda: loud.save(Loud(text="a"))),
        ):
            started = time.perf_counter()
            for _ in range(SAVES):
                await save()
            times[kind].append((time.perf_counter() - started) / SAVES)
    with_event, without = (statistics.median(times[kind]) for kind in ("loud", "quiet"))
    print(
        f"{name:<22} save {1000 * without:.2f} ms, with its event {1000 * with_event:.2f} ms: "
        f"{with_event / without:.2f} times"
    )


async def _rate(work: Callable[[], Awaitable[object]], count: int) -> float:
    started = time.perf_counter()
    await work()
    return count / (time.perf_counter() - started)


async def _all(parts: object) -> None:
    await asyncio.gather(*parts)  # type: ignore[misc]


def _faststream(url: str) -> dict[str, float]:
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        packages = ["faststream[nats]", "uvloop"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    command = [str(python), str(Path(__file__).with_name("faststream_peer.py")), url, str(COUNT)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    found: dict[str, float] = json.loads(told.stdout)
    return found


def run() -> None:
    """On uvloop, as `m worker` is."""
    import uvloop

    uvloop.run(main())


if __name__ == "__main__":
    run()
